"""Whatever people and models write comes back as text, letter by letter, on every page that shows it."""

import html
import json

import pytest
from django.core.management import call_command
from django.urls import reverse

from annotation import rework
from annotation.models import Choice, Draft, Label, Role
from judging.models import JudgeRun, Verdict
from tests import factories
from tests.annotation.label_page import HTMX, fields, signed_in

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)></textarea></div><b>bold</b>"
RIGHT_TO_LEFT = "שלום, مرحبا \u202eabc\u202c 👩‍👩‍👧‍👦 🏳️‍🌈 é"
LONG = "A line with *stars* and more.\n" * 35_000


@pytest.fixture
def dataset():
    return factories.make_dataset(slug="texts", labels_per_pair=2, reveals=True)


def said_everywhere(dataset, browser, words: str, *, response: str) -> dict[str, str]:
    """A pair of such responses, labelled with such words by two people and a judge: each page that shows them."""
    pair = factories.make_pair(dataset=dataset, texts=(response, "short"))
    label = reverse("label", args=["texts"])
    shown = browser.get(label)
    browser.post(label, fields(shown) | {"choice": "1", "rationale": words})
    mine = Label.objects.get()
    assert mine.rationale == words
    factories.make_label(pair=pair, annotator=factories.make_user(), choice=Choice.SECOND, rationale=words)
    run = JudgeRun.objects.create(judge=factories.make_judge(), dataset=dataset)
    Verdict.objects.create(run=run, pair=pair, choice=Choice.FIRST, reason=words)
    reviewer = factories.make_user(role=Role.REVIEWER)
    rework.send_back(label_id=mine.pk, comment=words, by=reviewer)
    opened, team = reverse("label_pair", args=["texts", pair.pk]), signed_in(reviewer)
    pages = {
        "label": shown.text,
        "decided": browser.get(opened).text,
        "for htmx": browser.get(opened, headers=HTMX).text,
        "decisions": browser.get(reverse("label_decisions", args=["texts"])).text,
        "rework": browser.get(reverse("rework", args=["texts"])).text,
        "review": team.get(reverse("pair", args=[pair.pk])).text,
        "marked": team.get(reverse("pair", args=[pair.pk]) + "?diff=on").text,
        "adjudication": team.get(reverse("adjudication", args=["texts"]), follow=True).text,
    }
    revealed = browser.post(reverse("reveal_pair", args=["texts", pair.pk]), follow=True)
    return pages | {"reveal": revealed.text}


def test_pasted_html_and_scripts_run_on_no_page(dataset, browser):
    pages = said_everywhere(dataset, browser, EVIL, response=EVIL)
    for name, text in pages.items():
        for tag in ("<script>alert", "<img src=x", "<b>bold", "onerror=alert(2)>"):
            assert tag not in text.replace(html.escape("onerror=alert(2)>"), ""), name
    for name in ("label", "decided", "review", "reveal"):
        assert html.escape("<script>alert(1)</script>") in pages[name], name


def test_emoji_and_right_to_left_come_back_letter_by_letter(dataset, browser, tmp_path):
    pages = said_everywhere(dataset, browser, RIGHT_TO_LEFT, response=RIGHT_TO_LEFT)
    for name in ("label", "decided", "for htmx", "rework", "review", "reveal"):
        assert RIGHT_TO_LEFT in pages[name], name
        assert 'dir="auto"' in pages[name], name
    target = tmp_path / "texts.jsonl"
    call_command("export", "texts", output=target)
    row = json.loads(target.read_text(encoding="utf-8").splitlines()[0])
    assert (row["response1"], row["labels"][0]["rationale"]) == (RIGHT_TO_LEFT, RIGHT_TO_LEFT)


def test_a_response_of_a_megabyte_is_labelled_revealed_and_reviewed(dataset, browser):
    pages = said_everywhere(dataset, browser, "Too long", response=LONG)
    for name in ("label", "decided", "review", "reveal"):
        assert pages[name].count("A line with") >= 35_000, name
    assert len(pages["decisions"]) < 50_000


@pytest.mark.parametrize("words", ["x" * 1_000_000, "a\x00b"], ids=["a megabyte", "a null"])
def test_words_that_cannot_be_kept_are_told_and_keep_nothing_else_from_working(dataset, browser, words):
    factories.make_pair(dataset=dataset)
    label = reverse("label", args=["texts"])
    form = fields(browser.get(label))
    assert browser.post(label, form | {"choice": "1", "rationale": words}).status_code == 422
    sent = {"pair": form["pair"], "rationale": words, "flag": ""}
    assert browser.post(reverse("label_draft", args=["texts"]), sent).status_code == 422
    assert not Label.objects.exists()
    assert not Draft.objects.exists()
    assert browser.post(label, form | {"choice": "1", "rationale": "short"}).status_code == 302
