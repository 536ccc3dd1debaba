"""The leaderboard and the dataset page over HTTP."""

import html
import re

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import now

from annotation.models import Dataset, Pair, Role
from jobs.models import Job
from judging.dataset_page import numbers_of
from judging.models import Judge, JudgeRun, Verdict
from judging.scores import leaderboard
from judging.scores.evidence import read
from judging.scores.policies import PRESETS
from tests import factories
from tests.judging.scored import ROWS, make_judge, make_scored_dataset, make_verdict
from tests.pandalm import FOLDER, GPT, PANDALM, TEST_SET, needs_pandalm

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_kept():
    cache.clear()


@pytest.fixture
def as_role(client):
    def sign_in(role: Role) -> Client:
        client.force_login(factories.make_user(role=role))
        return client

    return sign_in


@pytest.fixture
def reviewer(as_role):
    return as_role(Role.REVIEWER)


def board(client: Client, slug: str, **query: str):
    return client.get(reverse("leaderboard", args=[slug]), query)


def text_of(response) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", response.content.decode())))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("running", "still judging"),
        ("failed", "failed before its end"),
        ("cancelled", "paused before its end"),
        ("succeeded", ""),
    ],
)
def test_a_run_that_is_not_whole_is_marked(reviewer, state, words):
    dataset, _ = make_scored_dataset()
    run = JudgeRun.objects.get(dataset=dataset)
    run.job = Job.objects.create(
        kind="x", title="x", subject_id=run.pk, state=state, finished_at=None if words.startswith("still") else now()
    )
    run.save()
    text = text_of(board(reviewer, "scored"))
    said = [mark for mark in ("still judging", "failed before its end", "paused before its end") if mark in text]
    assert said == ([words] if words else [])


def test_rows_for_judges_baselines_and_people(reviewer):
    make_scored_dataset()
    response = board(reviewer, "scored", policy="paper")
    text = text_of(response)
    assert response.status_code == 200
    for words in (
        "both-ways-scored",
        "longer response",
        "shorter response",
        "always 1",
        "human ceiling",
        "7 with gold",
    ):
        assert words in text
    for rule in (rule for _, rule in PRESETS["paper"].rules):
        assert rule in text
    assert "as quoted" not in text


def test_each_cell_of_a_confusion_leads_to_its_pairs(reviewer):
    _, run = make_scored_dataset()
    page = html.unescape(board(reviewer, "scored", policy="paper").content.decode())
    where = reverse("review", args=["scored"])
    # Gold 1 and verdict tie: the pair that flipped and the invalid one.
    assert f'{where}?policy=paper&run={run.pk}&gold=1&verdict=tie" aria-label="2 pairs, gold 1, verdict tie">2<' in page
    assert f"{where}?policy=paper&kind=order_flip&run={run.pk}" in page
    assert f"{where}?policy=paper&kind=invalid&run={run.pk}" in page
    assert f"{where}?policy=paper&generators=blue%7Cred" in page
    assert f"{where}?policy=paper&generators=blue%7Cred&winner=tie" in page


def test_an_invalid_verdict_has_a_column_where_it_counts_as_wrong(reviewer):
    make_scored_dataset()
    assert "says invalid" in text_of(board(reviewer, "scored", policy="default"))
    assert "says invalid" not in text_of(board(reviewer, "scored", policy="paper"))


def test_a_judge_that_beats_no_baseline_is_flagged(reviewer):
    make_scored_dataset()
    assert "does not beat a baseline" in text_of(board(reviewer, "scored"))


def test_judges_that_cannot_be_told_apart_are_said_so(reviewer):
    dataset, _ = make_scored_dataset()
    twin = JudgeRun.objects.create(judge=make_judge("twin"), dataset=dataset)
    for pair in Pair.objects.filter(dataset=dataset):
        make_verdict(twin, pair, 1)
    text = text_of(board(reviewer, "scored"))
    assert "not told apart from twin" in text
    assert "not significantly different" in text


def test_a_judge_far_better_than_the_baselines_is_not_flagged():
    dataset = factories.make_dataset(slug="clear", labels_per_pair=2)
    people = [factories.make_user(), factories.make_user()]
    run = JudgeRun.objects.create(judge=make_judge("good"), dataset=dataset)
    for number in range(60):
        pair = factories.make_pair(dataset=dataset, texts=("same size", "size same"))
        for person in people:
            factories.make_label(pair=pair, annotator=person, choice=1 + number % 2)
        make_verdict(run, pair, 1 + number % 2)
    made = leaderboard.leaderboard_of(dataset=dataset, policy=PRESETS["default"], wait=True)
    row = next(row for row in made.rows if row.name == "good")
    assert (row.unbeaten, row.alike) == ([], [])
    assert row.judge.alt_test.winning_rate == 1


def test_own_rules_are_a_policy_with_a_name(reviewer):
    make_scored_dataset()
    rules = {"gold": "unanimous", "no_gold": "out", "invalid": "wrong", "conflict": "given"}
    response = board(reviewer, "scored", **rules)
    assert response.context["policy"].name == "unanimous.out.wrong.given"
    assert "5 with gold" in text_of(response)
    preset = {"gold": "majority", "no_gold": "out", "invalid": "tie", "conflict": "given"}
    assert board(reviewer, "scored", **preset).context["policy"].name == "released-files"


def test_a_policy_that_does_not_exist_is_said_with_those_that_do(reviewer):
    make_scored_dataset()
    response = board(reviewer, "scored", policy="lenient")
    assert response.status_code == 400
    assert "No policy is called 'lenient'" in text_of(response)


def test_a_dataset_without_gold_says_what_to_do(reviewer):
    factories.make_dataset(slug="new", pairs=2)
    assert "No pair has gold under this policy yet" in text_of(board(reviewer, "new"))


def test_a_large_dataset_shows_its_page_first_and_its_numbers_after(reviewer, monkeypatch):
    monkeypatch.setattr(leaderboard, "AT_ONCE", 3)
    make_scored_dataset()
    first = board(reviewer, "scored", policy="paper")
    assert "are being computed" in text_of(first)
    assert 'hx-get="?policy=paper" hx-trigger="load"' in first.content.decode()
    fragment = reviewer.get(
        reverse("leaderboard", args=["scored"]), {"policy": "paper"}, headers={"HX-Request": "true"}
    )
    assert "<html" not in fragment.content.decode()
    assert "longer response" in text_of(fragment)
    assert "longer response" in text_of(board(reviewer, "scored", policy="paper", wait="1"))


def test_the_page_of_a_large_dataset_comes_before_its_numbers_too(reviewer, monkeypatch):
    monkeypatch.setattr(leaderboard, "AT_ONCE", 3)
    make_scored_dataset()
    where = reverse("dataset", args=["scored"])
    first = text_of(reviewer.get(where))
    assert "are being counted" in first
    assert "Judge runs" in first
    fragment = reviewer.get(where, headers={"HX-Request": "true"})
    assert "<html" not in fragment.content.decode()
    assert "24 of 24 labels" in text_of(fragment)
    assert "24 of 24 labels" in text_of(reviewer.get(where, {"wait": "1"}))


def test_what_was_made_is_kept_until_a_row_is_another(reviewer):
    dataset, run = make_scored_dataset()
    ask = {"dataset": dataset, "policy": PRESETS["paper"], "wait": True}
    made = leaderboard.leaderboard_of(**ask)
    assert leaderboard.leaderboard_of(**ask).made_at == made.made_at
    assert leaderboard.leaderboard_of(**ask | {"policy": PRESETS["default"]}).made_at != made.made_at
    before = board(reviewer, "scored", policy="paper").content
    assert board(reviewer, "scored", policy="paper").content.count(b"Computed") == 1
    Verdict.objects.filter(run=run, swapped=False, choice=2).update(choice=1)
    assert leaderboard.leaderboard_of(**ask).made_at != made.made_at
    assert board(reviewer, "scored", policy="paper").content != before
    newest = leaderboard.leaderboard_of(**ask).made_at
    run.judge.name = "renamed"
    run.judge.save()
    assert leaderboard.leaderboard_of(**ask).made_at != newest
    assert "renamed" in text_of(board(reviewer, "scored", policy="paper"))


def test_the_numbers_of_the_dataset_page_are_kept_until_a_label_is_another(reviewer):
    dataset, _ = make_scored_dataset()
    before = numbers_of(dataset=dataset, wait=True)
    assert numbers_of(dataset=dataset, wait=True).made_at == before.made_at
    label = dataset.pairs.first().labels.first()
    label.choice = 0
    label.save()
    assert numbers_of(dataset=dataset, wait=True).made_at != before.made_at


def test_what_references_favour_is_read_once_a_pair():
    dataset, _ = make_scored_dataset()
    prompt = factories.make_prompt(reference="the very best answer")
    near = factories.make_pair(dataset=dataset, prompt=prompt, texts=("something else", "the best answer"))
    assert read(dataset).nearer_reference[-1] == 2
    with CaptureQueriesContext(connection) as asked:
        assert read(dataset).nearer_reference[-1] == 2
    assert not [query for query in asked if "reference" in query["sql"]]
    factories.make_pair(dataset=dataset, prompt=prompt, texts=("the very best answer", "no"))
    assert read(dataset).nearer_reference[-2:].tolist() == [2, 1]
    near.delete()
    assert read(dataset).nearer_reference[-1] == 1


def test_the_column_of_length_tells_who_takes_the_longer_response(reviewer):
    make_scored_dataset()
    made = leaderboard.leaderboard_of(dataset=Dataset.objects.get(), policy=PRESETS["default"], wait=True)
    found = {row.name: row.measures["length_preference"] for row in made.rows}
    assert (found["longer response"].value, found["longer response"].n) == (1, 8)
    assert found["shorter response"].value == 0
    # Twenty labels choose a side, ten of them the first response, which is the longer one of every pair.
    said = [choice for labels, _, _ in ROWS for choice in labels if choice]
    assert (found["People"].value, found["People"].n) == (said.count(1) / len(said), len(said))
    assert "Takes the longer" in text_of(board(reviewer, "scored"))


def test_weighted_averages_come_where_they_are_asked_for(reviewer):
    make_scored_dataset()
    assert "Weighted F1" not in text_of(board(reviewer, "scored"))
    asked = board(reviewer, "scored", weighted="on", policy="paper")
    assert "Weighted F1" in text_of(asked)
    assert 'href="?policy=paper">Macro averages alone' in asked.content.decode()
    wrong = board(reviewer, "scored", weighted="micro")
    assert (wrong.status_code, "“micro” is none of the averages" in text_of(wrong)) == (400, True)


@pytest.mark.parametrize("name", ["leaderboard", "dataset"])
def test_annotators_see_neither_numbers_nor_pages(as_role, name):
    make_scored_dataset()
    assert as_role(Role.ANNOTATOR).get(reverse(name, args=["scored"])).status_code == 403


@pytest.mark.parametrize("name", ["leaderboard", "dataset"])
def test_no_such_dataset(reviewer, name):
    assert reviewer.get(reverse(name, args=["nowhere"])).status_code == 404


def test_the_number_of_queries_does_not_grow_with_pairs(reviewer, django_assert_max_num_queries):
    make_scored_dataset()
    with django_assert_max_num_queries(20):
        board(reviewer, "scored")
    with django_assert_max_num_queries(20):
        reviewer.get(reverse("dataset", args=["scored"]))


def test_the_dataset_page_tells_how_far_it_is_and_how_people_agree(reviewer):
    make_scored_dataset()
    factories.make_pair(dataset=Dataset.objects.get(slug="scored"))
    response = reviewer.get(reverse("dataset", args=["scored"]))
    text = text_of(response)
    assert "24 of 27 labels" in text
    assert "Labels to make 3" in text
    assert "Krippendorff's alpha" in text
    ann = response.context["numbers"].people[0].user
    assert f"?annotator={ann.pk}&amp;choice=tie" in response.content.decode()
    assert "Import more" not in text


def test_the_dataset_page_of_a_dataset_without_pairs_says_what_to_do(as_role):
    factories.make_dataset(slug="empty")
    assert "Import some from a file" in text_of(as_role(Role.RESEARCHER).get(reverse("dataset", args=["empty"])))


@needs_pandalm
def test_pandalms_released_figures_stand_on_the_page_to_the_digit(reviewer):
    call_command("import_pairs", str(FOLDER / TEST_SET), dataset="pandalm", create_annotators=True)
    for name, judge in ((GPT, "gpt-3.5-turbo"), (PANDALM, "pandalm-7b")):
        call_command("import_pairs", str(FOLDER / name), dataset="pandalm", judge=judge)
    assert Judge.objects.filter(backend=Judge.Backend.IMPORTED).count() == 2
    text = text_of(board(reviewer, "pandalm", policy="released-files"))
    figures = {
        "gpt-3.5-turbo 25 invalid": "999 .7107 .5879 .5736 .5755 .496",
        "pandalm-7b": "999 .6677 .5738 .5750 .5743 .435",
        "always 2": "999 .4725 .1575 .3333 .2139 .000",
        "longer response": "999 .6106 .6105 .4815 .4852 .303",
    }
    for judge, numbers in figures.items():
        pattern = r"(?: -?[\d.]+ to -?[\d.]+)? ".join(
            re.escape(number if number == "999" else f"0{number}") for number in numbers.split()
        )
        assert re.search(re.escape(judge) + r".{0,120}? " + pattern, text), judge
    assert "999 with gold (1: 422, 2: 472, tie: 105) from 170 prompts" in text
    assert "PandaLM-7B paper Table 2, as quoted, not reproduced 999 .5926" in text
    assert "154 111 0.0097" in text
    assert "bloom-7b / llama-7b 28 72 11" in text
    people = text_of(reviewer.get(reverse("dataset", args=["pandalm"])))
    for words in ("Fleiss' kappa 0.864", "Krippendorff's alpha 0.864", "annotator1 and annotator3 999 0.879"):
        assert words in people
