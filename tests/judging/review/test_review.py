"""The review list and the page of one pair, over HTTP."""

import pytest
from django.urls import reverse

from annotation.models import Adjudication, Pair, Role
from judging.models import JudgeRun, Verdict
from judging.review.listing import PAGE
from tests import factories
from tests.judging.scored import make_scored_dataset

pytestmark = pytest.mark.django_db


@pytest.fixture
def scored():
    return make_scored_dataset()


@pytest.fixture
def reviewer(client):
    user = factories.make_user(role=Role.REVIEWER)
    client.force_login(user)
    return user


def ids(response) -> list[int]:
    return [row.pair.pk for row in response.context["rows"]]


def pairs_of(dataset) -> list[Pair]:
    return list(dataset.pairs.order_by("pk"))


def test_a_cell_of_the_confusion_matrix_is_a_list(client, reviewer, scored):
    dataset, run = scored
    query = {"policy": "released-files", "run": run.pk, "gold": "2", "verdict": "1"}
    response = client.get(reverse("review", args=["scored"]), query)
    assert ids(response) == [pairs_of(dataset)[3].pk]
    content = response.content.decode()
    assert "both-ways-scored" in content
    assert "gold is 2" in content
    # The filters go along to the pair.
    assert "gold=2&amp;verdict=1" in content


def test_links_of_pages_keep_the_filters(client, reviewer):
    dataset = factories.make_dataset(slug="long", pairs=PAGE + 2)
    url = reverse("review", args=["long"])
    first = client.get(url, {"policy": "paper"})
    assert len(ids(first)) == PAGE
    after = ids(first)[-1]
    assert f"?policy=paper&amp;after=100-{after}" in first.content.decode()
    for place in (f"100-{after}", after):
        second = client.get(url, {"policy": "paper", "after": place})
        assert ids(second) == [pair.pk for pair in pairs_of(dataset)[PAGE:]]
    assert f"?policy=paper&amp;before=100-{ids(second)[0]}" in second.content.decode()
    assert ids(client.get(url, {"before": ids(second)[0]})) == ids(first)


def test_the_list_begins_with_what_people_agree_on_least_unless_asked_for_as_it_came_in(client, reviewer, scored):
    pairs = pairs_of(scored[0])
    url = reverse("review", args=["scored"])
    response = client.get(url)
    assert ids(response) == [pairs[at].pk for at in (5, 1, 3, 0, 2, 4, 6, 7)]
    assert '<option value="agreement">Lowest agreement' in response.content.decode()
    response = client.get(url, {"order": "pair"})
    assert ids(response) == [pair.pk for pair in pairs]
    # The order goes along to the pair and its queue, and from there back to the list.
    assert f"/pairs/{pairs[0].pk}/?order=pair" in response.content.decode()
    queue = client.get(reverse("pair", args=[pairs[1].pk]), {"order": "pair"}).context["queue"]
    assert [entry.pk for entry in queue.entries] == [pair.pk for pair in pairs]
    response = client.get(reverse("pair", args=[pairs[1].pk]))
    assert [entry.pk for entry in response.context["queue"].entries] == ids(client.get(url))
    assert f"?after=33-{pairs[1].pk - 1}" in response.content.decode()
    assert ids(client.get(url, {"after": f"33-{pairs[1].pk - 1}"}))[0] == pairs[1].pk


@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        ({"policy": "lenient"}, "policy", "No policy is called"),
        ({"kind": "quarrel"}, "kind", "human_judge"),
        ({"kind": "human_judge"}, "run", "Choose the run"),
        ({"kind": "judge_judge"}, "run", "Choose the run"),
        ({"kind": "order_flip"}, "run", "Choose the run"),
        ({"verdict": "1"}, "run", "Choose the run"),
        ({"run": "99999"}, "run", "no run 99999"),
        ({"run": "x"}, "run", "no run x"),
        ({"gold": "3"}, "gold", "none of 1, 2 and tie"),
        ({"choice": "1"}, "annotator", "whose label"),
        ({"annotator": "99999"}, "annotator", "Nobody numbered 99999"),
        ({"generators": "red"}, "generators", "a|b"),
        ({"generators": "red|red"}, "generators", "two different"),
        ({"winner": "1"}, "generators", "Name the two"),
        ({"order": "random"}, "order", "agreement, pair"),
        ({"after": "-1"}, "after", "go back to the first page"),
        ({"after": "101-1"}, "after", "go back to the first page"),
        ({"before": "9999999999999999999"}, "before", "go back to the first page"),
        ({"after": "1", "before": "9"}, "after", "not both"),
        ({"names": "none"}, "names", "valid choice"),
        ({"source": "a\0b"}, "source", "Null characters"),
    ],
)
def test_what_is_wrong_with_an_address_is_said_and_nothing_is_shown_instead(
    client, reviewer, scored, query, field, says
):
    response = client.get(reverse("review", args=["scored"]), query)
    assert response.status_code == 400
    assert "rows" not in response.context
    assert any(says in words for words in response.context["form"].errors[field])
    assert f"<code>{field}</code>" in response.content.decode()
    assert client.get(reverse("review_count", args=["scored"]), query).status_code == 400
    assert client.get(reverse("pair", args=[pairs_of(scored[0])[0].pk]), query).status_code == 400


def test_a_run_is_not_compared_with_itself_or_with_another_datasets(client, reviewer, scored):
    _, run = scored
    url = reverse("review", args=["scored"])
    response = client.get(url, {"kind": "judge_judge", "run": run.pk, "other": run.pk})
    assert response.context["form"].errors["other"]
    elsewhere = JudgeRun.objects.create(judge=run.judge, dataset=factories.make_dataset())
    assert client.get(url, {"run": elsewhere.pk}).status_code == 400


def test_the_count_comes_by_itself(client, reviewer, scored):
    response = client.get(reverse("review_count", args=["scored"]), {"kind": "human_split"})
    assert response.content.decode().strip() == "3"


def test_empty_lists_say_what_to_do(client, reviewer, scored):
    response = client.get(reverse("review", args=["scored"]), {"source": "nowhere"})
    assert "Remove one of the filters" in response.content.decode()
    factories.make_dataset(slug="empty")
    assert "no pairs yet" in client.get(reverse("review", args=["empty"])).content.decode()
    last = pairs_of(scored[0])[-1]
    response = client.get(reverse("review", args=["scored"]), {"after": last.pk})
    assert "Back to the first" in response.content.decode()


def test_a_pair_shows_what_everybody_said(client, reviewer, scored):
    dataset, run = scored
    pair = pairs_of(dataset)[6]
    Verdict.objects.filter(run=run, pair=pair, choice=None).update(raw="I would rather not say <b>")
    content = client.get(reverse("pair", args=[pair.pk])).content.decode()
    for words in ("6 longer text", "6 short", "red", "blue", "ann-scored", "bob-scored", "both-ways-scored"):
        assert words in content
    assert "I would rather not say &lt;b&gt;" in content
    assert "Saw response 1 on the left" in content
    assert 'value="0.8000"' in content


def test_a_verdict_that_was_replaced_shows_what_it_said_before(client, reviewer, scored):
    dataset, run = scored
    pair = pairs_of(dataset)[0]
    verdict = Verdict.objects.get(run=run, pair=pair, swapped=False)
    verdict.revisions.create(choice=2, status="ok", reason="It was shorter", decided_at=verdict.created_at)
    content = client.get(reverse("pair", args=[pair.pk])).content.decode()
    assert "Replaced 1 time<" in content
    assert "It was shorter" in content


def test_a_pair_names_its_gold_under_the_policy(client, reviewer, scored):
    dataset, _ = scored
    pair = pairs_of(dataset)[0]
    Adjudication.objects.create(pair=pair, choice=0, cause="taste", by=reviewer)
    url = reverse("pair", args=[pair.pk])
    assert client.get(url).context["reading"].gold == 0
    assert client.get(url, {"policy": "paper"}).context["reading"].gold == 1


def test_the_queue_beside_a_pair_is_the_filtered_list(client, reviewer, scored):
    dataset, run = scored
    pairs = pairs_of(dataset)
    query = {"kind": "order_flip", "run": run.pk}
    queue = client.get(reverse("pair", args=[pairs[1].pk]), query).context["queue"]
    assert [entry.pk for entry in queue.entries] == [pairs[1].pk, pairs[7].pk]
    assert (queue.previous, queue.next, queue.inside) == (None, pairs[7].pk, True)
    response = client.get(reverse("pair", args=[pairs[4].pk]), query)
    assert "no longer matches" in response.content.decode()
    assert f'href="/pairs/{pairs[7].pk}/?kind=order_flip&amp;run={run.pk}"' in response.content.decode()


def test_differences_are_marked_on_demand(client, reviewer):
    pair = factories.make_pair(texts=("the quick brown fox <i>", "the slow brown fox <i>"))
    url = reverse("pair", args=[pair.pk])
    assert "<del>" not in client.get(url).content.decode()
    content = client.get(url, {"diff": "on"}).content.decode()
    assert "quick" in content.partition("<del>")[2].partition("</del>")[0]
    assert "slow" in content.partition("<ins>")[2].partition("</ins>")[0]
    assert "&lt;i&gt;" in content
    assert "[only in 1: " in content


def test_names_of_people_can_be_hidden(client, reviewer, scored):
    dataset, _ = scored
    pair = pairs_of(dataset)[0]
    Adjudication.objects.create(pair=pair, choice=0, cause="taste", by=reviewer)
    for url in (reverse("review", args=["scored"]), reverse("pair", args=[pair.pk])):
        shown = client.get(url).content.decode()
        hidden = client.get(url, {"names": "hidden"}).content.decode()
        assert "ann-scored" in shown
        assert "ann-scored" not in hidden
        assert f"Annotator {pair.labels.first().annotator_id}" in hidden
        assert "names=hidden" in hidden
    assert f"Reviewer {reviewer.pk}" in hidden


def test_the_desk_hides_the_names_of_generators_with_those_of_people(client, reviewer, scored):
    pair = factories.make_pair(dataset=scored[0], generators=("llama-x", "bloom-y"))

    def shown(**query) -> bool:
        text = client.get(reverse("pair", args=[pair.pk]), query).text
        assert "Response 1" in text
        assert ("llama-x" in text) == ("bloom-y" in text)
        return "llama-x" in text

    assert not shown(desk="on", names="hidden")
    assert shown(desk="on")
    assert shown(names="hidden")


def test_a_pair_takes_the_same_queries_however_much_was_said(client, reviewer, scored, django_assert_max_num_queries):
    dataset, _ = scored
    pair = pairs_of(dataset)[0]
    for _ in range(5):
        Adjudication.objects.filter(pair=pair).update(current=False)
        Adjudication.objects.create(pair=pair, choice=0, cause="taste", by=reviewer)
        pair.comments.create(author=reviewer, text="hm")
    with django_assert_max_num_queries(40):
        client.get(reverse("pair", args=[pair.pk]))


@pytest.mark.parametrize("name", ["review", "review_count", "pair"])
@pytest.mark.parametrize(("role", "status"), [(Role.ANNOTATOR, 403), (Role.REVIEWER, 200), (Role.RESEARCHER, 200)])
def test_who_may_review(client, scored, name, role, status):
    dataset, _ = scored
    url = reverse(name, args=[pairs_of(dataset)[0].pk if name == "pair" else "scored"])
    assert client.get(url).url == f"/accounts/login/?next={url}"
    client.force_login(factories.make_user(role=role))
    assert client.get(url).status_code == status
    assert client.post(url).status_code in {403, 405}


def test_what_is_not_there_is_not_found(client, reviewer):
    assert client.get(reverse("review", args=["nowhere"])).status_code == 404
    assert client.get(reverse("pair", args=[1])).status_code == 404
