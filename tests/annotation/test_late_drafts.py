"""A draft that comes after the decision it was written before, as a slow network brings it: it revives nothing.

Each thing is done to a pair to label and to a control pair, which nobody can tell from one.
"""

import re

import pytest
from django.urls import reverse

from annotation.models import Draft, Label, Slot
from tests import factories
from tests.annotation.label_page import fields, in_view, signed_in
from tests.annotation.mixed import BOTH, PAGE, in_front, make_mixed

pytestmark = pytest.mark.django_db

DRAFT = "/label/mix/draft/"


@pytest.fixture
def dataset():
    return make_mixed(pairs=12, controls=12, percent=50)


@pytest.fixture
def browser(annotator, dataset):
    return signed_in(annotator)


def opened(form) -> str:
    return reverse("label_pair", args=["mix", form["pair"]])


def decided_at(page) -> str:
    """Of the decision that the page shows: what a draft from there is sent with."""
    found = re.search(r'data-decided="([^"]*)"', page.text)
    return found[1] if found else ""


def write(browser, form, words, *, over=""):
    return browser.post(DRAFT, {"pair": form["pair"], "rationale": words, "decided_at": over})


@BOTH
def test_a_draft_of_before_the_decision_is_refused(browser, control):
    form = in_front(browser, control=control)
    assert decided_at(browser.get(PAGE)) == ""
    browser.post(PAGE, {**form, "choice": "1", "rationale": "Whole"})
    assert write(browser, form, "Half").status_code == 412
    page = browser.get(opened(form))
    assert ">Whole</textarea>" in page.text
    assert not Draft.objects.exists()


@BOTH
def test_a_draft_of_before_a_changed_decision_is_refused_and_one_written_over_it_is_kept(browser, control):
    form = in_front(browser, control=control)
    browser.post(PAGE, {**form, "choice": "1", "rationale": "Whole"})
    page = browser.get(opened(form))
    first = decided_at(page)
    assert write(browser, form, "Begun anew", over=first).status_code == 204
    assert ">Begun anew</textarea>" in browser.get(opened(form)).text
    browser.post(opened(form), {**fields(page), "choice": "2", "rationale": "Other"})
    assert write(browser, form, "Begun anew, and late", over=first).status_code == 412
    page = browser.get(opened(form))
    assert ">Other</textarea>" in page.text
    assert decided_at(page) != first
    assert write(browser, form, "A third time", over=decided_at(page)).status_code == 204
    assert ">A third time</textarea>" in browser.get(opened(form)).text


@BOTH
def test_a_draft_that_was_written_down_beside_the_decision_is_not_shown(browser, annotator, control):
    """Looked at before the decision and written after it: no lock keeps these apart, the page does."""
    form = in_front(browser, control=control)
    browser.post(PAGE, {**form, "choice": "1", "rationale": "Whole"})
    Draft.objects.create(pair_id=form["pair"], annotator=annotator, fields={"rationale": "Half"})
    text = browser.get(opened(form)).text
    assert ">Whole</textarea>" in text
    assert "What you had begun to say is back" not in text


def test_when_a_draft_was_saved_is_told_with_the_answer_and_in_the_page(browser):
    form = fields(browser.get(PAGE))
    assert 'data-saved=""' in browser.get(PAGE).text
    told = write(browser, form, "Half").headers["Draft-Saved"]
    assert told
    assert f'data-saved="{told}"' in browser.get(PAGE).text
    assert write(browser, form, "").headers["Draft-Saved"] == ""
    assert 'data-saved=""' in browser.get(PAGE).text


def test_aspects_that_are_said_anew_are_of_the_sides_that_the_page_showed(annotator):
    """A place that came late may be of the other side than the pair was shown on: the page keeps to what was seen."""
    dataset = factories.make_dataset(slug="late", pairs=1, aspects=["clarity"])
    browser = signed_in(annotator)
    page = reverse("label", args=["late"])
    form = fields(browser.get(page))
    browser.post(page, {**form, "choice": "1"})
    Slot.objects.filter(annotator=annotator).update(swapped=not Label.objects.get().shown_swapped)
    again = reverse("label_pair", args=["late", form["pair"]])
    shown = browser.get(again)
    sent = {"pair": in_view(shown), "aspect-clarity": "1", "decided_at": decided_at(shown)}
    assert browser.post(reverse("label_draft", args=[dataset.slug]), sent).status_code == 204
    assert 'name="aspect-clarity" value="1" data-keys="1a" checked' in browser.get(again).text
