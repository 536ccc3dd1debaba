"""The ranking page: people and judges rank generators, and every number leads to exactly its pairs."""

import html
import random
import re
from urllib.parse import parse_qsl

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from scipy.stats import kendalltau

from annotation.models import Choice, Dataset, Pair, Response, Role
from annotation.slots import make_slots
from judging.models import JudgeRun
from judging.review import listing
from judging.review.form import ReviewForm
from judging.scores import ranking
from judging.scores.policies import PRESETS, policy_named
from judging.scores.ranking import PEOPLE, evidence_of, kendall_tau, rank
from tests import factories
from tests.judging.scored import make_judge, make_verdict

pytestmark = pytest.mark.django_db

QUALITY = {"amber": 3, "blue": 2, "coral": 1}


@pytest.fixture
def dataset() -> Dataset:
    """Three generators on sixteen prompts, all pairs; people, and a judge in both orders that is sometimes lost."""
    rng = random.Random(4)
    made = factories.make_dataset(slug="ranked", labels_per_pair=2)
    people = [factories.make_user(), factories.make_user()]
    run = JudgeRun.objects.create(judge=make_judge("a judge"), dataset=made, order=JudgeRun.Order.BOTH)
    for _ in range(16):
        prompt = factories.make_prompt()
        texts = {name: "x" * rng.randint(5, 60) for name in QUALITY}
        for names in (("amber", "blue"), ("blue", "coral"), ("coral", "amber")):
            names = names if rng.random() < 0.5 else names[::-1]
            pair = made_pair(made, prompt, names, texts)
            better = 1 if rng.random() < 1 / (1 + 2 ** (QUALITY[names[1]] - QUALITY[names[0]])) else 2
            for person in people:
                factories.make_label(pair=pair, annotator=person, choice=Choice(better))
            for swapped in (False, True):
                said = rng.choice([better, better, better, 3 - better, 0, None])
                make_verdict(run, pair, said, swapped=swapped)
    factories.make_pair(dataset=made)
    return made


def made_pair(dataset, prompt, names, texts):
    """Responses of a prompt are shared by its pairs."""

    def response(name: str) -> Response:
        known = Response.objects.filter(prompt=prompt, generator__name=name).first()
        return known or factories.make_response(prompt=prompt, text=texts[name], generator=name)

    one, two = (response(name) for name in names)
    pair = Pair.objects.create(
        dataset=dataset, prompt=prompt, response_1=one, response_2=two, external_id=f"{prompt.pk}-{'-'.join(names)}"
    )
    make_slots(dataset=dataset)
    return pair


@pytest.mark.parametrize(
    "policy", ["default", "paper", "released-files", "majority.out.out.average", "unanimous.tie.wrong.given"]
)
def test_every_number_leads_to_exactly_its_pairs(dataset: Dataset, policy: str) -> None:
    found = rank(evidence_of(dataset), policy=policy_named(policy), resamples=50)
    assert [rater.name for rater in found.raters] == [PEOPLE, "a judge"]
    for rater in found.raters:
        assert len(rater.cells) == 3
        assert sum(cell.n for cell in rater.cells) == rater.n
        for cell in rater.cells:
            for count, query, _ in cell.outcomes:
                form = ReviewForm(QueryDict(query), dataset=dataset)
                assert form.is_valid(), form.errors
                assert listing.count(form.criteria).number == count


def test_the_other_side_of_the_matrix_leads_to_the_same_pairs(dataset: Dataset) -> None:
    judge = rank(evidence_of(dataset), policy=PRESETS["default"], resamples=50).raters[1]
    rows = dict(judge.matrix)
    one, other = rows["amber"][2], rows["coral"][0]
    assert (one.win, one.loss, one.tie) == (other.loss, other.win, other.tie)
    form = ReviewForm(QueryDict(other.outcomes[1][1]), dataset=dataset)
    assert form.is_valid()
    assert listing.count(form.criteria).number == one.win


def test_an_invalid_verdict_ranks_nobody(dataset: Dataset) -> None:
    judge = rank(evidence_of(dataset), policy=PRESETS["default"], resamples=50).raters[1]
    assert judge.invalid > 0
    assert judge.n + judge.invalid == 48


def test_the_better_stands_first_and_taus_have_their_n(dataset: Dataset) -> None:
    found = rank(evidence_of(dataset), policy=PRESETS["default"], baseline="coral", resamples=200)
    people = found.raters[0]
    assert [each.name for each in people.ranked] == ["amber", "blue", "coral"]
    assert [each.place for each in people.ranked] == [1, 2, 3]
    assert found.agreed[0].n == 3
    order = [each.name for each in found.raters[1].ranked]
    alike = sum(order.index(a) < order.index(b) for a, b in (("amber", "blue"), ("blue", "coral"), ("amber", "coral")))
    assert found.agreed[0].tau == pytest.approx((alike - (3 - alike)) / 3)
    amber = people.ranked[0]
    cell = dict(people.matrix)["amber"][2]
    assert amber.raw.value == pytest.approx((cell.win + cell.tie / 2) / cell.n)
    assert amber.controlled.interval[0] < amber.controlled.value < amber.controlled.interval[1]
    assert people.ranked[2].is_baseline


def test_tau_is_that_of_scipy_and_says_nothing_where_there_is_no_order() -> None:
    rng = random.Random(0)
    for n in (2, 3, 8):
        one, other = ([rng.randint(0, 5) for _ in range(n)] for _ in range(2))
        expected = kendalltau(one, other).statistic
        assert kendall_tau(one, other) == (None if expected != expected else pytest.approx(expected))
    assert kendall_tau([1, 2, 3], [2, 4, 9]) == 1
    assert kendall_tau([1, 2, 3], [3, 2, 1]) == -1
    assert kendall_tau([1], [1]) is None
    assert kendall_tau([2, 2], [1, 2]) is None


def test_where_it_takes_long_the_page_comes_first(dataset: Dataset, client: Client, monkeypatch) -> None:
    monkeypatch.setattr(ranking, "AT_ONCE", 90)
    client.force_login(factories.make_user(role=Role.REVIEWER))
    url = reverse("ranking", args=[dataset.slug])
    assert "being computed" in client.get(url).content.decode()
    for page in (client.get(url, headers={"HX-Request": "true"}), client.get(url, {"wait": "1"})):
        assert "Win rates against amber" in page.content.decode()


def test_without_labels_the_judges_rank_alone_and_without_generators_nobody_does(dataset: Dataset) -> None:
    empty = factories.make_dataset(slug="unnamed", pairs=2)
    assert rank(evidence_of(empty), policy=PRESETS["default"]).names == []
    judged = factories.make_dataset(slug="judged")
    pair = factories.make_pair(dataset=judged, generators=("amber", "blue"))
    make_verdict(JudgeRun.objects.create(judge=make_judge("other"), dataset=judged), pair, 1)
    found = rank(evidence_of(judged), policy=PRESETS["default"])
    assert [rater.name for rater in found.raters] == ["other"]
    assert found.raters[0].undefined


def test_the_page_shows_it_and_says_what_it_does_not_know(dataset: Dataset, client: Client) -> None:
    client.force_login(factories.make_user(role=Role.REVIEWER))
    url = reverse("ranking", args=[dataset.slug])
    page = client.get(url).content.decode()
    tables = "".join(re.findall(r'<details class="matrix">.*?</details>', page, re.DOTALL))
    links = [html.unescape(link) for link in re.findall(r'href="([^"]+)"', tables)]
    assert len(links) > 20
    for link in links:
        assert client.get(link).status_code == 200
        assert dict(parse_qsl(link.split("?")[1]))["policy"] == "default"
    assert client.get(url, {"baseline": "nobody"}).status_code == 400
    assert client.get(url, {"policy": "nonsense"}).status_code == 400
    empty = factories.make_dataset(slug="empty")
    assert "nothing to rank" in client.get(reverse("ranking", args=[empty.slug])).content.decode()


def test_its_queries_do_not_grow_with_pairs(dataset: Dataset, client: Client, django_assert_max_num_queries) -> None:
    client.force_login(factories.make_user(role=Role.REVIEWER))
    with django_assert_max_num_queries(14):
        assert client.get(reverse("ranking", args=[dataset.slug])).status_code == 200


def test_a_winner_by_the_run_needs_its_run_and_its_winner(dataset: Dataset) -> None:
    form = ReviewForm(QueryDict("generators=amber|blue&winner=1&winner_by=run"), dataset=dataset)
    assert "run" in form.errors
    run = JudgeRun.objects.get(dataset=dataset)
    form = ReviewForm(QueryDict(f"generators=amber|blue&winner_by=run&run={run.pk}"), dataset=dataset)
    assert "winner" in form.errors
