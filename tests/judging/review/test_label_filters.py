"""Filters about labels and adjudications find just the pairs that plain Python finds."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from django.db import connection
from django.http import QueryDict
from django.urls import reverse

from annotation.models import Adjudication, Choice, Dataset, Label, Reconsideration, Role, User
from judging.decisions import Bounds, decided_by
from judging.models import JudgeRun
from judging.review import listing
from judging.review.form import ReviewForm
from judging.review.order import Order
from judging.scores.policies import PRESETS, Invalid
from tests import factories
from tests.judging.scored import make_judge, make_scored_dataset, make_verdict
from tests.kept import kept

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 2, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def filled(django_db_setup, django_db_blocker) -> Iterator[tuple[Dataset, list[User]]]:
    with kept(django_db_blocker):
        yield make_filled()


def make_filled() -> tuple[Dataset, list[User]]:
    """Forty pairs with up to three labels, some adjudicated; another dataset beside it."""
    random = Random(3)
    people = [factories.make_user() for _ in range(3)]
    reviewer = factories.make_user(role=Role.REVIEWER)
    for dataset in (factories.make_dataset(slug="asked"), factories.make_dataset(slug="beside")):
        for number in range(40):
            texts = ("x" * random.randint(1, 30), "y" * random.randint(31, 60))
            pair = factories.make_pair(dataset=dataset, texts=texts)
            for person in random.sample(people, random.randint(0, 3)):
                label = factories.make_label(
                    pair=pair,
                    annotator=person,
                    choice=random.choice(Choice.values),
                    shown_swapped=random.choice([True, False, None]),
                    seconds=random.choice([None, 4.0, 12.5, 40.0]),
                    changed_at=START + timedelta(hours=number),
                    revealed_at=random.choice([None, START]),
                )
                if label.revealed_at and random.random() < 0.5:
                    Reconsideration.objects.create(label=label, choice=random.choice(Choice.values))
            if random.random() < 0.4:
                cause = random.choice(["taste", "factual"])
                Adjudication.objects.create(pair=pair, choice=1, cause="mistake", by=reviewer, current=False)
                Adjudication.objects.create(pair=pair, choice=random.choice(Choice.values), cause=cause, by=reviewer)
    return Dataset.objects.get(slug="asked"), people


def found(dataset: Dataset, **query: object) -> set[int]:
    data = QueryDict(mutable=True)
    data.update({name: str(value) for name, value in query.items()})
    form = ReviewForm(data, dataset=dataset)
    assert form.is_valid(), form.errors
    assert form.chips
    ids = listing.page(form.criteria, Order.PAIR, size=1000).ids
    assert listing.count(form.criteria).number == len(ids)
    assert set(listing.page(form.criteria, Order.AGREEMENT, size=1000).ids) == set(ids)
    return set(ids)


def labels_of(dataset: Dataset, person: User) -> list[Label]:
    return list(Label.objects.filter(pair__dataset=dataset, annotator=person).select_related("pair"))


def majority_of_others(label: Label) -> int | None:
    others = list(label.pair.labels.exclude(pk=label.pk).values_list("choice", flat=True))
    return next((choice for choice in Choice.values if 2 * others.count(choice) > len(others)), None)


@pytest.mark.parametrize("rest", ["1", "2", "tie", "same", "other"])
def test_by_the_majority_of_the_others(filled, rest):
    dataset, (person, *_) = filled
    named = {"1": 1, "2": 2, "tie": 0}
    expected = set()
    for label in labels_of(dataset, person):
        others = majority_of_others(label)
        matches = {"same": others == label.choice, "other": others != label.choice}.get(rest, others == named.get(rest))
        if others is not None and matches:
            expected.add(label.pair_id)
    assert expected
    assert found(dataset, annotator=person.pk, rest=rest) == expected


def test_with_what_they_said_it_is_a_cell_of_their_table(filled):
    dataset, (person, *_) = filled
    expected = {
        label.pair_id for label in labels_of(dataset, person) if label.choice == 2 and majority_of_others(label) == 1
    }
    assert expected
    assert found(dataset, annotator=person.pk, choice="2", rest="1") == expected


def test_by_side(filled):
    dataset, (person, *_) = filled
    sides: dict[str, set[int]] = {"left": set(), "right": set()}
    for label in labels_of(dataset, person):
        if label.choice and label.shown_swapped is not None:
            sides["left" if (label.choice == 1) is not label.shown_swapped else "right"].add(label.pair_id)
    for side, expected in sides.items():
        assert expected
        assert found(dataset, annotator=person.pk, side=side) == expected


@pytest.mark.parametrize(
    ("asked", "matches"),
    [
        ("-12.5", lambda seconds: seconds < 12.5),
        ("12.5-", lambda seconds: seconds >= 12.5),
        ("5-20", lambda seconds: 5 <= seconds < 20),
    ],
)
def test_by_seconds(filled, asked, matches):
    dataset, (person, *_) = filled
    expected = {
        label.pair_id for label in labels_of(dataset, person) if label.seconds is not None and matches(label.seconds)
    }
    assert expected
    assert found(dataset, annotator=person.pk, seconds=asked) == expected


def test_by_time(filled):
    dataset, (person, *_) = filled
    since, until = START + timedelta(hours=10), START + timedelta(hours=25)
    expected = {label.pair_id for label in labels_of(dataset, person) if since <= label.changed_at < until}
    assert expected
    asked = {"since": since.isoformat(), "until": until.isoformat()}
    assert found(dataset, annotator=person.pk, **asked) == expected


def test_by_what_became_of_it_after_the_reveal(filled):
    dataset, (person, *_) = filled
    labels = labels_of(dataset, person)
    changed = {
        label.pair_id
        for label in labels
        if Reconsideration.objects.filter(label=label).exclude(choice=label.choice).exists()
    }
    seen = {label.pair_id for label in labels if label.revealed_at}
    assert changed < seen
    assert found(dataset, annotator=person.pk, after_reveal="changed") == changed
    assert found(dataset, annotator=person.pk, after_reveal="seen") == seen


def test_by_adjudication_and_cause(filled):
    dataset, _ = filled
    current = Adjudication.objects.filter(pair__dataset=dataset, current=True)
    done = set(current.values_list("pair", flat=True))
    assert found(dataset, adjudicated="yes") == done
    assert found(dataset, adjudicated="no") == set(dataset.pairs.values_list("pk", flat=True)) - done
    assert found(dataset, cause="taste") == set(current.filter(cause="taste").values_list("pair", flat=True))
    split = found(dataset, kind="human_split")
    assert found(dataset, kind="human_split", adjudicated="no") == split - done


def test_by_length_of_the_responses(filled):
    dataset, _ = filled
    lengths = {
        pair.pk: len(pair.response_1.text) + len(pair.response_2.text)
        for pair in dataset.pairs.select_related("response_1", "response_2")
    }
    assert found(dataset, length="50-70") == {pk for pk, length in lengths.items() if 50 <= length < 70}


def test_what_two_runs_say():
    dataset, run = make_scored_dataset()
    other = JudgeRun.objects.create(judge=make_judge("other"), dataset=dataset, order=JudgeRun.Order.GIVEN)
    first, second, *_ = dataset.pairs.order_by("pk")
    make_verdict(other, first, 2)
    make_verdict(other, second, 1)
    assert found(dataset, run=run.pk, verdict="1", other=other.pk, verdict2="2") == {first.pk}


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"rest": "same"}, "Choose whose label is meant."),
        ({"seconds": "fast"}, "Write a range as 10-20"),
        ({"length": "20-10"}, "is the smaller one"),
        ({"length": "-"}, "Write a range as 10-20"),
        ({"length": "20"}, "Write a range as 10-20"),
        ({"labels": "0"}, "begin with 1"),
        ({"cause": "taste", "adjudicated": "no"}, "has no cause"),
        ({"verdict2": "1"}, "Choose the other run"),
        ({"labels": "0-2"}, "begin with 1"),
        ({"labels": "2-", "raters": "999"}, "has no such runs"),
        ({"raters": "x", "labels": "2-"}, "has no such runs"),
        ({"source": "A", "sourced": "no"}, "choose one or the other"),
        ({"since": "yesterday", "annotator": ""}, "valid date"),
    ],
)
def test_what_is_wrong_is_said(client, filled, query, says):
    client.force_login(factories.make_user(role=Role.REVIEWER))
    response = client.get(reverse("review", args=["asked"]), query)
    assert response.status_code == 400
    assert says in response.content.decode()


def test_by_the_revision_of_the_guidelines_that_labels_were_made_by(filled):
    dataset, (person, other, _) = filled
    revisions = [factories.make_guideline(dataset=dataset, text=text) for text in ("one", "two")]
    for number, label in enumerate(Label.objects.filter(pair__dataset=dataset).order_by("pk")):
        label.guideline = [None, *revisions][number % 3]
        label.save()
    labels = Label.objects.filter(pair__dataset=dataset)
    for said, guideline in (("1", revisions[0]), ("2", revisions[1]), ("none", None)):
        made = labels.filter(guideline=guideline)
        assert found(dataset, guideline=said) == set(made.values_list("pair", flat=True))
        of_person = set(made.filter(annotator=person).values_list("pair", flat=True))
        assert found(dataset, guideline=said, annotator=person.pk) == of_person
        both = of_person & set(labels.filter(annotator=other).values_list("pair", flat=True))
        assert found(dataset, guideline=said, annotator=person.pk, annotator2=other.pk) == both


@pytest.mark.parametrize("said", ["3", "-1", "two", "99999999999"])
def test_a_revision_that_is_none_is_said_to_be_none(filled, said):
    form = ReviewForm(QueryDict(f"guideline={said}"), dataset=filled[0])
    assert "guideline" in form.errors


def choices_of(dataset: Dataset) -> dict[int, list[int]]:
    said: dict[int, list[int]] = {}
    for pair_id, choice in Label.objects.filter(pair__dataset=dataset).values_list("pair", "choice"):
        said.setdefault(pair_id, []).append(choice)
    return said


@pytest.mark.parametrize(
    ("asked", "matches"),
    [
        ("1-", lambda n: n >= 1),
        ("1-1", lambda n: n == 1),
        ("2", lambda n: n == 2),
        ("2-", lambda n: n >= 2),
        ("1-2", lambda n: n <= 2),
    ],
)
def test_by_how_many_labels_a_pair_has(filled, asked, matches):
    dataset, _ = filled
    expected = {pair_id for pair_id, choices in choices_of(dataset).items() if matches(len(choices))}
    assert expected
    assert found(dataset, labels=asked) == expected


def test_a_valid_verdict_may_count_as_a_label():
    dataset, run = make_scored_dataset()
    verdicts = decided_by(run, replace(PRESETS["default"], invalid=Invalid.OUT), Bounds())
    with connection.cursor() as cursor:
        cursor.execute(verdicts)
        decided = {pair_id for pair_id, _ in cursor.fetchall()}
    labelled = {pair_id: len(choices) for pair_id, choices in choices_of(dataset).items()}
    expected = {pair_id for pair_id, n in labelled.items() if n + (pair_id in decided) >= 4}
    assert expected
    assert expected != set(labelled)
    assert found(dataset, labels="4-", raters=run.pk) == expected


@pytest.mark.parametrize("fall", ["unanimous", "majority", "none"])
def test_by_how_labels_fall(filled, fall):
    dataset, _ = filled
    expected = set()
    for pair_id, choices in choices_of(dataset).items():
        most = max(choices.count(choice) for choice in choices)
        how = "unanimous" if most == len(choices) else "majority" if 2 * most > len(choices) else "none"
        if len(choices) > 1 and how == fall:
            expected.add(pair_id)
    assert expected
    assert found(dataset, fall=fall) == expected


def test_by_a_side_whichever_and_by_any_majority_of_the_others(filled):
    dataset, (person, *_) = filled
    labels = labels_of(dataset, person)
    sided = {label.pair_id for label in labels if label.choice and label.shown_swapped is not None}
    held_against = {label.pair_id for label in labels if majority_of_others(label) is not None}
    assert found(dataset, annotator=person.pk, side="either") == sided
    assert found(dataset, annotator=person.pk, rest="any") == held_against


def test_without_a_source():
    dataset = factories.make_dataset(slug="sources")
    bare, _ = (factories.make_pair(dataset=dataset, prompt=factories.make_prompt(source=name)) for name in ("", "A"))
    assert found(dataset, sourced="no") == {bare.pk}
