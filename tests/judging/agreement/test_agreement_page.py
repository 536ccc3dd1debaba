"""The agreement page: its numbers from the rows, its links to just those pairs, and its file."""

import csv
import html
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from django.core.cache import cache
from django.urls import reverse

from annotation.models import Choice, Dataset, Label, Reconsideration, Role, Standing, User
from judging.agreement import page
from judging.agreement.evidence import Labels, PairFacts, read_labels, read_pairs
from judging.agreement.rows import By
from judging.models import JudgeRun
from tests import factories
from tests.judging.scored import make_judge, make_scored_dataset, make_verdict
from tests.kept import kept
from tests.pandalm import TEST_SET, needs_pandalm, rows

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _nothing_kept():
    cache.clear()


@pytest.fixture
def reviewer(client):
    user = factories.make_user(role=Role.REVIEWER)
    client.force_login(user)
    return user


@pytest.fixture(scope="module")
def filled(django_db_setup, django_db_blocker) -> Iterator[Dataset]:
    with kept(django_db_blocker):
        yield make_filled()


def make_filled() -> Dataset:
    """Sixty pairs of three sources with all that the page speaks of; a judge in both orders, another with gaps."""
    random = Random(5)
    dataset = factories.make_dataset(slug="filled", labels_per_pair=3)
    people = [factories.make_user(username=name) for name in ("ann", "bob & co", "cy")]
    runs = [
        JudgeRun.objects.create(judge=make_judge(f"judge {order}"), dataset=dataset, order=order)
        for order in (JudgeRun.Order.BOTH, JudgeRun.Order.GIVEN)
    ]
    prompt = None
    for number in range(60):
        prompt = factories.make_prompt(source=("", "Common", "A & B")[number % 3]) if number % 2 == 0 else prompt
        texts = ("x" * random.randint(1, 200), "y" * random.randint(201, 400))
        pair = factories.make_pair(dataset=dataset, prompt=prompt, texts=texts)
        truth = random.choice(Choice.values)
        for person in people[: random.choice([1, 2, 3, 3, 3])]:
            label = factories.make_label(
                pair=pair,
                annotator=person,
                choice=truth if random.random() < 0.7 else random.choice(Choice.values),
                shown_swapped=random.choice([True, False, None]),
                seconds=random.choice([None, 5.0, 10.25, 30.0]),
                changed_at=MONDAY + timedelta(days=number // 4, seconds=random.random()),
                revealed_at=random.choice([None, MONDAY]),
            )
            if label.revealed_at:
                Reconsideration.objects.create(label=label, choice=random.choice(Choice.values))
        for run in runs:
            for swapped in [False, True][: 2 if run.order == JudgeRun.Order.BOTH else 1]:
                if random.random() < 0.9:
                    make_verdict(run, pair, random.choice([truth, truth, 1, None]), swapped=swapped)
    return dataset


def page_url(**query: object) -> str:
    return reverse("agreement", args=["filled"], query=query)


def test_every_count_on_the_page_is_that_of_the_list_it_leads_to(client, reviewer, filled):
    runs = list(JudgeRun.objects.values_list("pk", flat=True))
    alone, together = (client.get(page_url(run=run, by="weeks")).content.decode() for run in ([], runs))
    asked = counts_on(alone) | counts_on(together)
    names = {name for link, _ in asked for name in parse_qs(urlsplit(link).query)}
    assert names >= {
        *("rest", "seconds", "since", "until", "source", "sourced", "length", "side", "after_reveal"),
        *("run", "verdict", "verdict2", "labels", "raters", "fall", "gold"),
    }
    assert len(asked) > 100
    wrong = {}
    for link, number in asked:
        found = client.get(link.replace("/review/?", "/review/count/?")).content.decode().strip()
        if found != str(number):
            wrong[link] = (number, found)
    assert not wrong


def test_of_somebody_left_out_of_gold_a_judge_is_not_held_against_the_labels(client, reviewer, filled):
    run = JudgeRun.objects.first()
    before = client.get(page_url(run=run.pk)).context["numbers"].rest
    left_out = User.objects.get(username="cy")
    Standing.objects.create(dataset=filled, annotator=left_out, left_out=True)
    answer = client.get(page_url(run=run.pk))
    after = answer.context["numbers"].rest
    assert after[:3] == before[:3]
    assert after[3].agreement.n != before[3].agreement.n
    for link, number in counts_on(answer.content.decode()):
        assert client.get(link.replace("/review/?", "/review/count/?")).content.decode().strip() == str(number), link


def counts_on(page: str) -> set[tuple[str, int]]:
    """Each link to a list and the number of pairs that its words, or those for who only hears it, tell."""
    links = re.findall(r'<a href="(/datasets/filled/review/\?[^"]*)"(?: aria-label="([^"]*)")?>([^<]*)</a>', page)
    told = {
        (link, re.search(r"([\d,]+) pairs", heard) or re.fullmatch(r"([\d,]+)", seen)) for link, heard, seen in links
    }
    return {(html.unescape(link), int(found[1].replace(",", ""))) for link, found in told if found}


def test_every_number_on_the_page_leads_to_its_pairs(client, reviewer, filled):
    page = client.get(page_url(run=list(JudgeRun.objects.values_list("pk", flat=True)), by="weeks")).content.decode()
    places = re.findall(r'<td(?: class="num[^"]*")?>(.*?)</td>|<dd[^>]*>(.*?)</dd>', page)
    bare = [place for cell, fact in places for place in [plain_numbers(cell or fact)] if place]
    assert len(places) > 150
    assert not bare


def test_counts_on_the_page_of_the_dataset_lead_to_their_pairs(client, reviewer, filled):
    page = reverse("dataset", args=["filled"])
    found = counts_on(client.get(page).content.decode())
    assert {"/datasets/filled/review/?fall=unanimous", "/datasets/filled/review/?fall=majority"} <= dict(found).keys()
    for link, number in found:
        assert client.get(link.replace("/review/?", "/review/count/?")).content.decode().strip() == str(number), link
    # Lists are by all labels, and these numbers are not.
    Standing.objects.create(dataset=filled, annotator=User.objects.get(username="cy"), left_out=True)
    assert "?fall=" not in client.get(page).content.decode()


def plain_numbers(place: str) -> str:
    """What is left, if there is a number in it, when links, intervals, times and zeros are gone."""
    left = re.sub(r'<a .*?</a>|<span class="interval">.*?</span>|<time.*?</time>|<[^>]*>', " ", place).strip()
    return left if re.search(r"[1-9]", left) else ""


def test_links_that_are_no_counts_open_too(client, reviewer, filled):
    page = client.get(page_url(run=list(JudgeRun.objects.values_list("pk", flat=True)))).content.decode()
    for link in set(re.findall(r'href="(/datasets/filled/review/\?[^"]*)"', page)):
        assert client.get(html.unescape(link)).status_code == 200, link


def test_of_a_dataset_labelled_in_part_every_page_says_the_same(client, reviewer, filled):
    for number in range(20):
        factories.make_pair(dataset=filled, texts=(f"a{number}", f"b{number}"))
    here = client.get(page_url()).context["numbers"]
    there = client.get(reverse("dataset", args=["filled"])).context["numbers"].humans
    assert here.overall == there.agreement
    assert here.overall["fleiss_kappa"].interval
    names = [user.get_username() for user in User.objects.filter(pk__in=[person.user.pk for person in there.people])]
    assert {row.rater.name for row in here.two} == set(names)
    cells = [here.two[a].cells[b][0] for a, b in there.cohen]
    assert cells == list(there.cohen.values())
    assert all(cell.interval for cell in cells)


def test_times_sides_and_reveals_are_those_of_the_rows(client, reviewer, filled):
    numbers = client.get(page_url()).context["numbers"]
    for row in numbers.times:
        own = Label.objects.filter(annotator=row.rater.user, seconds__isnull=False)
        assert row.median == np.median(own.values_list("seconds", flat=True))
    for row in numbers.sides:
        own = [(label.choice, label.shown_swapped) for label in Label.objects.filter(annotator=row.rater.user)]
        left = sum((choice, swapped) in {(1, False), (2, True)} for choice, swapped in own)
        right = sum((choice, swapped) in {(1, True), (2, False)} for choice, swapped in own)
        assert (row.left, row.right, row.share.value) == (left, right, pytest.approx(left / (left + right)))
        assert row.share.interval[0] < row.share.value < row.share.interval[1]
    for row in numbers.reveals:
        seen = Label.objects.filter(annotator=row.rater.user, revealed_at__isnull=False)
        changed = sum(label.choice != label.reconsideration.choice for label in seen)
        assert (row.seen, row.changed) == (seen.count(), changed)


def test_slices_are_whole(client, reviewer, filled):
    numbers = client.get(page_url()).context["numbers"]
    several = numbers.overall["raw_agreement"].n
    assert {row.name for row in numbers.sources} == {"No source", "Common", "A & B"}
    assert sum(row.pairs for row in numbers.sources) == sum(row.pairs for row in numbers.lengths) == several
    assert len(numbers.lengths) == 4
    for row in numbers.lengths:
        assert abs(row.pairs - several / 4) <= 2


def test_a_judge_becomes_a_rater(client, reviewer, filled):
    alone = client.get(page_url()).context["numbers"]
    run = JudgeRun.objects.first()
    together = client.get(page_url(run=run.pk)).context["numbers"]
    assert [rater.name for rater in together.raters] == ["ann", "bob & co", "cy", run.judge.name]
    assert together.overall["krippendorff_alpha"].value != alone.overall["krippendorff_alpha"].value
    assert len(together.model) == 4
    # What people are held against does not change.
    assert together.rest[:3] == alone.rest


def test_what_a_judge_says_in_both_orders_is_a_tie_where_it_flips():
    dataset, run = make_scored_dataset()
    pairs = read_pairs(read_labels(dataset))
    assert page.judge_as_rater(run, pairs.ids).choices.tolist() == [1, 0, 2, 1, 0, 2, -1, 0]


def test_what_is_kept_is_used_until_a_label_changes(client, reviewer, filled, monkeypatch):
    before = client.get(page_url()).context["numbers"]
    made = []
    arrange = page.arrange
    monkeypatch.setattr(page, "arrange", lambda *parts: made.append(1) or arrange(*parts))
    assert client.get(page_url()).context["numbers"] == before
    assert made == []
    label = Label.objects.first()
    Label.objects.filter(pk=label.pk).update(choice=(label.choice + 1) % 3)
    after = client.get(page_url()).context["numbers"]
    assert made == [1]
    assert after.overall["raw_agreement"].value != before.overall["raw_agreement"].value


def test_a_new_pair_is_read_beside_those_that_are_kept(client, reviewer, filled):
    before = client.get(page_url()).context["numbers"]
    pair = factories.make_pair(dataset=filled, prompt=factories.make_prompt(source="New"))
    for person in User.objects.filter(role=Role.ANNOTATOR)[:2]:
        factories.make_label(pair=pair, annotator=person)
    after = client.get(page_url()).context["numbers"]
    assert after.pairs == before.pairs + 1
    assert {row.name for row in after.sources} == {"No source", "Common", "A & B", "New"}
    pair.delete()
    assert client.get(page_url()).context["numbers"].pairs == before.pairs


def test_of_very_many_labels_the_page_comes_first(client, reviewer, filled, monkeypatch):
    monkeypatch.setattr(page, "AT_ONCE", 10)
    text = client.get(page_url(by="weeks")).content.decode()
    assert "They are being compared" in text
    assert f'hx-get="{page_url(by="weeks")}"' in text
    assert "Fleiss" in client.get(page_url(), headers={"HX-Request": "true"}).content.decode()
    assert "Fleiss" in client.get(page_url(wait=1)).content.decode()


def test_the_file_has_the_numbers(client, reviewer, filled):
    numbers = client.get(page_url(by="weeks")).context["numbers"]
    answer = client.get(reverse("agreement_file", args=["filled"]) + "?by=weeks")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="filled-agreement.csv"'
    lines = list(csv.DictReader(io.StringIO(answer.content.decode())))
    alpha = next(line for line in lines if line["measure"] == "krippendorff_alpha" and line["section"] == "all")
    measure = numbers.overall["krippendorff_alpha"]
    assert (float(alpha["value"]), float(alpha["low"]), float(alpha["high"])) == (measure.value, *measure.interval)
    assert {line["section"] for line in lines} == {
        *("all", "two", "rest", "dawid_skene", "seconds", "time", "source", "length", "side", "reveal")
    }
    assert sum(line["section"] == "time" for line in lines) == len(numbers.drift) > 3


def test_nobody_has_labelled(client, reviewer):
    factories.make_dataset(slug="bare", pairs=2)
    assert "Nobody has labelled" in client.get(reverse("agreement", args=["bare"])).content.decode()
    lines = client.get(reverse("agreement_file", args=["bare"])).content.decode().splitlines()
    assert lines == ["section,rater,of,measure,value,low,high,n"]


def test_one_person_alone_is_told_what_is_missing(client, reviewer):
    dataset = factories.make_dataset(slug="alone", pairs=2)
    factories.make_label(pair=dataset.pairs.first(), annotator=factories.make_user())
    page = client.get(reverse("agreement", args=["alone"])).content.decode()
    assert "Kappas need two people" in page
    assert "Nobody has labels from two stretches of time" in page


@pytest.mark.parametrize(
    ("query", "says"),
    [({"run": "999"}, "Run 999 does not stand for a judge"), ({"run": "x"}, "is no run"), ({"by": "year"}, "none of")],
)
def test_what_is_wrong_in_the_address_is_said(client, reviewer, filled, query, says):
    for url in (page_url(**query), reverse("agreement_file", args=["filled"], query=query)):
        answer = client.get(url)
        assert answer.status_code == 400
        assert says in answer.content.decode()


@needs_pandalm
def test_the_figures_of_the_pandalm_test_set():
    said = np.array([[row[f"annotator{k}"] for k in (1, 2, 3)] for row in rows(TEST_SET)])
    people = [User(pk=k, username=f"annotator{k}") for k in (1, 2, 3)]
    label = np.zeros(999 * 3, dtype=[("pair", "i8"), ("annotator", "i8"), ("choice", "i2"), ("swapped", "i2"),
                                     ("seconds", "f8"), ("at", "f8"), ("seen", "i2"), ("changed", "i2")])  # fmt: skip
    label["pair"], label["annotator"] = np.repeat(np.arange(999), 3), np.tile([1, 2, 3], 999)
    label["choice"], label["swapped"], label["seconds"] = said.ravel(), -1, np.nan
    texts = [f"{row['instruction']}\0{row['input']}" for row in rows(TEST_SET)]
    prompts = np.unique(texts, return_inverse=True)[1]
    pairs = PairFacts(np.arange(999), prompts, np.arange(999), np.zeros(999, dtype=int), ["PandaLM"])
    labels = Labels(Dataset(pk=1, labels_per_pair=3), label)
    found = page.arrange(labels, pairs, people, label["annotator"] - 1, [], By.HUNDREDS)
    assert round(found.overall["fleiss_kappa"].value, 3) == 0.864
    assert round(found.overall["krippendorff_alpha"].value, 3) == 0.864
    assert (found.splits.unanimous, found.splits.majority, found.splits.none) == (879, 120, 0)
    kappas = [found.two[a].cells[b][0] for a, b in ((0, 1), (0, 2), (1, 2))]
    assert [round(kappa.value, 3) for kappa in kappas] == [0.852, 0.879, 0.862]
    assert all(kappa.interval[0] < kappa.value < kappa.interval[1] for kappa in kappas)
    assert found.prompts == 170
    assert found.drift == []
    assert all(row.right > 0.9 for row in found.model)
