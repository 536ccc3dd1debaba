"""Judges by source, length and generators."""

import html

import numpy as np
import pytest
from django.core.cache import cache
from django.http import QueryDict
from django.urls import reverse

from annotation.bootstrap import PromptBootstrap
from annotation.models import Dataset, Label, Pair, Role
from judging.models import JudgeRun, Verdict
from judging.review.form import ReviewForm
from judging.review.listing import count
from judging.scores import leaderboard, slices
from judging.scores.comparison import scored
from judging.scores.evidence import read
from judging.scores.policies import PRESETS
from judging.scores.slices import SliceBy, arrange, by_kind, of_generators
from tests import factories
from tests.judging.scored import make_judge, make_scored_dataset, make_verdict


@pytest.fixture(autouse=True)
def _nothing_kept():
    cache.clear()


@pytest.fixture
def sliced():
    """Sixty pairs, six to a prompt; the judge is right on pairs of "news" and wrong on those of "law"."""
    dataset = factories.make_dataset(slug="sliced", labels_per_pair=2)
    people = [factories.make_user(), factories.make_user()]
    run = JudgeRun.objects.create(judge=make_judge("partial"), dataset=dataset)
    for number in range(60):
        if number % 6 == 0:
            prompt = factories.make_prompt(source=("news", "law", "")[number // 6 % 3])
        names = ("red", "blue") if number % 2 else ("blue", "green")
        texts = ("x" * (number + 1), "y" * (number + 2))
        pair = factories.make_pair(dataset=dataset, prompt=prompt, texts=texts, generators=names)
        for person in people:
            factories.make_label(pair=pair, annotator=person, choice=number % 3)
        make_verdict(run, pair, (number + (prompt.source == "law")) % 3)
    return dataset, run


def test_each_kind_has_the_measures_of_its_pairs_alone():
    rng = np.random.default_rng(5)
    gold, said = rng.integers(0, 3, (2, 300))
    kinds = rng.integers(-1, 3, 300)
    bootstrap = PromptBootstrap(np.arange(300) // 2)
    for kind, (table, measures) in enumerate(by_kind(gold, said, kinds, 3, bootstrap)):
        alone = scored(np.where(kinds == kind, gold, -1), said, bootstrap)
        assert table.sum() == (kinds == kind).sum()
        assert {name: (m.value, m.interval, m.n) for name, m in measures.items()} == {
            name: (m.value, m.interval, m.n) for name, m in alone.items()
        }


def test_two_generators_are_one_kind_whichever_stands_first():
    kinds = of_generators(np.array([0, 1, 2, 1, -1]), np.array([1, 0, 1, 1, 0]), ["a", "b", "c"])
    assert kinds.of_pair.tolist() == [0, 0, 1, -1, -1]
    assert kinds.named == [("a / b", "generators=a%7Cb"), ("b / c", "generators=b%7Cc")]


@pytest.mark.django_db
def test_sources_with_most_pairs_first_and_what_is_wrong_in_each(sliced):
    dataset, run = sliced
    found = arrange(read(dataset), policy=PRESETS["default"], by=SliceBy.SOURCE)
    said = {
        one.name: (one.pairs, one.judges[0].n, one.judges[0].wrong, one.judges[0].accuracy.value)
        for one in found.slices
    }
    assert said == {"news": (24, 24, 0, 1), "law": (18, 18, 18, 0), "No source": (18, 18, 0, 1)}
    assert found.slices[0].name == "news"
    assert found.slices[0].judges[0].run == run


@pytest.mark.django_db
@pytest.mark.parametrize("by", list(SliceBy))
def test_every_number_leads_to_just_its_pairs(sliced, by):
    dataset, run = sliced
    lost, unread = dataset.pairs.order_by("pk")[:2]
    Verdict.objects.filter(run=run, pair=lost).delete()
    Verdict.objects.filter(run=run, pair=unread).update(choice=None, status=Verdict.Status.INVALID)
    Label.objects.filter(pair=dataset.pairs.last()).delete()
    found = arrange(read(dataset), policy=PRESETS["default"], by=by)
    assert sum(one.pairs for one in found.slices) == 60
    for one in found.slices:
        cell = one.judges[0]
        for query, number in ((one.query, one.pairs), (cell.judged_query, cell.n), (cell.wrong_query, cell.wrong)):
            if one.query:
                form = ReviewForm(QueryDict(query), dataset=dataset)
                assert form.is_valid(), form.errors
                assert count(form.criteria).number == number


@pytest.mark.django_db
def test_the_best_few_judges_are_shown_unless_others_are_asked_for(sliced, monkeypatch):
    dataset, run = sliced
    worse = JudgeRun.objects.create(judge=make_judge("worse"), dataset=dataset)
    for pair in Pair.objects.filter(dataset=dataset):
        make_verdict(worse, pair, 0)
    monkeypatch.setattr(slices, "JUDGES_SHOWN", 1)
    evidence = read(dataset)
    assert arrange(evidence, policy=PRESETS["default"], by=SliceBy.LENGTH).judges == [run]
    asked = arrange(evidence, policy=PRESETS["default"], by=SliceBy.LENGTH, runs=[worse, run])
    assert asked.judges == [run, worse]


@pytest.mark.django_db
def test_the_page_names_slices_and_tells_what_is_wrong_in_the_address(client, sliced, monkeypatch):
    dataset, run = sliced
    client.force_login(factories.make_user(role=Role.REVIEWER))
    where = reverse("leaderboard_slices", args=[dataset.slug])
    page = html.unescape(client.get(where, {"by": "source", "run": run.pk}).content.decode())
    review = reverse("review", args=[dataset.slug])
    assert (
        f'{review}?policy=default&run={run.pk}&kind=human_judge&source=law" aria-label="18 pairs that partial' in page
    )
    for asked, words in (
        ({"by": "colour"}, "“colour” is none of source, length, generators."),
        ({"policy": "lenient"}, "No policy is called 'lenient'"),
        ({"run": "99999"}, "Run 99999 does not stand for a judge"),
    ):
        response = client.get(where, asked)
        assert response.status_code == 400
        assert words in html.unescape(response.content.decode())
    monkeypatch.setattr(leaderboard, "AT_ONCE", 3)
    first = client.get(where, {"by": "length"}).content.decode()
    assert 'hx-get="?by=length" hx-trigger="load"' in first
    fragment = client.get(where, {"by": "length"}, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment
    assert "partial" in fragment


@pytest.mark.django_db
def test_a_dataset_without_judges_or_gold_says_so(client):
    client.force_login(factories.make_user(role=Role.REVIEWER))
    factories.make_dataset(slug="bare", pairs=2)
    where = reverse("leaderboard_slices", args=["bare"])
    assert "No judge has been run on this dataset yet." in client.get(where).content.decode()
    JudgeRun.objects.create(judge=make_judge("early"), dataset=Dataset.objects.get(slug="bare"))
    for by in SliceBy:
        assert "has gold under this policy yet." in client.get(where, {"by": by.value}).content.decode()
    make_scored_dataset()
    page = client.get(reverse("leaderboard_slices", args=["scored"]), {"by": "generators"}).content.decode()
    assert "blue / red" in page
