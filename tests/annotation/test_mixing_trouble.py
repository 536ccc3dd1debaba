"""What goes wrong at a control pair goes wrong as at any other, and no number elsewhere tells which it was.

Each thing is done to both kinds and compared.
"""

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from annotation.models import ControlAnswer, Label, LabelRevision, LateDecision, Skip, Slot
from annotation.pools import set_pool
from tests import factories
from tests.annotation.label_page import HTMX, fields, in_view, signed_in
from tests.annotation.mixed import BOTH, PAGE, in_front, make_mixed

pytestmark = pytest.mark.django_db

SKIP, DRAFT = "/label/mix/skip/", "/label/mix/draft/"


@pytest.fixture
def dataset():
    """Twelve pairs to label and twelve control pairs without slots; two stand in each stretch of four."""
    return make_mixed(pairs=12, controls=12, percent=50)


@pytest.fixture
def browser(annotator, dataset):
    return signed_in(annotator)


def skip(browser, pair):
    return browser.post(SKIP, {"pair": pair, "reason": "language", "note": ""})


def words(response) -> str:
    return " ".join(str(message) for message in response.context["messages"])


def test_a_pair_that_is_not_in_view_is_not_passed_on_whatever_it_is(browser, dataset):
    """Else whoever tries all numbers is told which are control pairs."""
    here = in_view(browser.get(PAGE))
    others = dataset.pairs.exclude(pk=here).values_list("pk", flat=True)
    assert {skip(browser, pair).status_code for pair in others} == {409}
    assert not Skip.objects.exists()


@BOTH
def test_what_is_decided_is_not_passed_on_any_more(browser, control):
    form = in_front(browser, control=control)
    browser.post(PAGE, {**form, "choice": "1"})
    assert skip(browser, form["pair"]).status_code == 409


@BOTH
def test_what_was_passed_on_in_another_tab_is_not_decided_any_more(browser, control):
    form = in_front(browser, control=control)
    skip(browser, form["pair"])
    said = Label.objects.count(), ControlAnswer.objects.count()
    response = browser.post(PAGE, {**form, "choice": "1"})
    assert response.status_code == 409
    assert "You had passed that pair on" in response.text
    assert (Label.objects.count(), ControlAnswer.objects.count()) == said
    assert skip(browser, form["pair"]).status_code == 302


@BOTH
def test_a_claim_that_ran_out_and_was_given_back_is_told(browser, dataset, control):
    form = in_front(browser, control=control)
    Slot.objects.filter(state="claimed").set_free()
    response = browser.post(PAGE, {**form, "choice": "1"}, follow=True)
    assert "your label is saved as usual" in words(response)
    assert in_view(response) != int(form["pair"])
    response = browser.post(PAGE, {**form, "choice": "2"}, follow=True)
    assert "the first decision stands" in words(response)


@BOTH
def test_who_writes_keeps_the_claim(browser, control):
    form = in_front(browser, control=control)
    soon = timezone.now() + timedelta(minutes=1)
    Slot.objects.filter(state="claimed").update(expires_at=soon)
    sent = {"pair": form["pair"], "rationale": "Half a thought", "flag": ""}
    assert browser.post(DRAFT, sent).status_code == 204
    assert Slot.objects.get(state="claimed").expires_at > soon


@BOTH
def test_the_second_of_two_tabs_is_told_that_the_first_decision_stands(browser, control):
    form = in_front(browser, control=control)
    browser.post(PAGE, {**form, "choice": "1"})
    again = browser.post(PAGE, {**form, "choice": "2"}, follow=True)
    assert "the first decision stands" in words(again)
    opened = browser.get(reverse("label_pair", args=["mix", form["pair"]]))
    assert opened.context["task"].chosen == "1"


@BOTH
def test_two_tabs_that_change_a_decision_come_one_after_the_other_and_every_decision_is_kept(browser, control):
    form = in_front(browser, control=control)
    browser.post(PAGE, {**form, "choice": "1"})
    opened = reverse("label_pair", args=["mix", form["pair"]])
    tabs = [fields(browser.get(opened)) for _ in range(2)]
    for tab, choice in zip(tabs, ("tie", "2"), strict=True):
        assert "Your new decision is saved" in words(browser.post(opened, {**tab, "choice": choice}, follow=True))
    assert browser.get(opened).context["task"].chosen == "2"
    kept = ControlAnswer.objects.filter(control__pair=form["pair"]).count() if control else 0
    assert kept == 3 if control else LabelRevision.objects.filter(label__pair=form["pair"]).count() == 2


@BOTH
def test_a_guideline_that_is_edited_before_a_decision_is_told(browser, dataset, control):
    form = in_front(browser, control=control)
    factories.make_guideline(dataset=dataset, text="New words")
    response = browser.post(PAGE, {**form, "choice": "1"}, headers=HTMX)
    assert "guidelines have changed" in response.text
    assert "New words" in response.text


@BOTH
def test_who_is_taken_out_with_the_pair_in_view_is_told_and_the_decision_is_kept(browser, dataset, control):
    form = in_front(browser, control=control)
    set_pool(dataset=dataset, everyone=False, annotators=[])
    response = browser.post(PAGE, {**form, "choice": "2", "rationale": "Late"}, follow=True)
    assert "You no longer label that dataset" in words(response)
    assert LateDecision.objects.get().rationale == "Late"


def test_every_number_of_progress_grows_by_one_with_each_decision_of_either_kind(browser, dataset):
    """That of the team, counted anew each time, and that of the first page, too."""
    seen = []
    while form := fields(page := browser.get(PAGE)):
        team = re.search(r"The team: (\d+) of (\d+) labels", page.text).groups()
        first = re.search(r"You have labelled <strong>(\d+)</strong>", browser.get(reverse("home")).text).group(1)
        own = re.search(r"<strong>(\d+)</strong> of \d+ done", page.text).group(1)
        seen.append((int(own), int(first), int(team[0]), int(team[1])))
        browser.post(PAGE, {**form, "choice": "1"})
        cache.clear()
    assert len(seen) == 24
    assert seen == [(n, n, n, 24) for n in range(24)]
    assert "The team: 24 of 24 labels" in browser.get(PAGE).text


def test_when_no_more_are_mixed_in_those_answered_stay_what_they_were(browser, dataset):
    """Else they would be just what is gone from the last decisions and from the way back."""
    for _ in range(9):
        browser.post(PAGE, {**fields(browser.get(PAGE)), "choice": "1"})
    assert ControlAnswer.objects.count() > 2

    def behind() -> tuple[object, ...]:
        page, way = browser.get(PAGE), []
        at = page.context["task"].before
        while at:
            way.append(at)
            at = browser.get(reverse("label_pair", args=["mix", at])).context["task"].before
        listed = browser.get(reverse("label_decisions", args=["mix"])).context["decisions"]
        return page.context["progress"].done, way, [each.pair_id for each in listed]

    before = behind()
    assert (before[0], len(before[1]), before[2]) == (9, 9, before[1])
    dataset.control_percent = 0
    dataset.save()
    assert behind() == before
