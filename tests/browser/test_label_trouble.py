"""The label page when something goes wrong: nothing that was written is lost, and the person is told."""

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import expect

from annotation.models import Draft, Label, LateDecision, Slot
from tests import factories
from tests.browser.labelling import pair_in_view, press_and_wait

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_draft_outlives_a_reload_and_goes_when_it_is_saved(label_page):
    label_page.locator("#rationale").fill("Half a thought")
    label_page.reload()
    expect(label_page.locator("#rationale")).to_have_value("Half a thought")
    expect(label_page.get_by_text("What you had begun to say about this pair is back.")).to_be_visible()
    label_page.keyboard.press("Escape")
    press_and_wait(label_page, "1")
    expect(label_page.locator("#rationale")).to_have_value("")
    assert label_page.evaluate("() => localStorage.length") == 0


def test_a_session_that_ran_out_while_writing_costs_nothing_but_a_sign_in(label_page, annotator):
    pair = pair_in_view(label_page)
    label_page.locator("#rationale").fill("A long thought")
    Session.objects.all().delete()
    label_page.get_by_role("button", name="Tie").click()
    label_page.wait_for_url("**/accounts/login/?next=/label/test-set/")
    expect(label_page.get_by_text("What you had written is kept")).to_be_visible()
    label_page.get_by_label("Username").fill(annotator.username)
    label_page.get_by_label("Password").fill(factories.PASSWORD)
    label_page.get_by_role("button", name="Sign in").click()
    label_page.wait_for_url("**/label/test-set/")
    assert pair_in_view(label_page) == pair
    expect(label_page.locator("#rationale")).to_have_value("A long thought")
    label_page.locator("#task").focus()
    press_and_wait(label_page, "0")
    assert Label.objects.get().rationale == "A long thought"


def test_who_comes_too_late_is_told_and_nothing_is_lost(label_page, dataset):
    pair = pair_in_view(label_page)
    for slot in Slot.objects.filter(pair=pair):
        slot.annotator, slot.state = factories.make_user(), Slot.State.DONE
        slot.save()
    press_and_wait(label_page, "1")
    expect(label_page.get_by_text("no longer yours")).to_be_visible()
    assert not Label.objects.exists()
    assert LateDecision.objects.get().pair_id == pair


def test_a_draft_is_saved_when_the_network_is_back(label_page):
    label_page.context.set_offline(True)
    label_page.locator("#rationale").fill("On the train")
    expect(label_page.locator("#draft-word")).to_contain_text("kept in this browser")
    label_page.context.set_offline(False)
    expect(label_page.locator("#draft-word")).to_have_text("Draft saved.")
    assert Draft.objects.get().fields == {"rationale": "On the train"}
    label_page.evaluate("() => localStorage.clear()")
    label_page.reload()
    expect(label_page.locator("#rationale")).to_have_value("On the train")
    label_page.locator("#task").focus()
    press_and_wait(label_page, "1")
    assert not Draft.objects.exists()


def test_a_server_that_fails_is_said_and_the_words_stay(label_page):
    pair = pair_in_view(label_page)
    label_page.locator("#rationale").fill("Keep me")
    label_page.route("**/label/test-set/", lambda route: route.fulfill(status=503, body="busy"))
    label_page.get_by_role("button", name="Response 1").click()
    expect(label_page.get_by_role("alert")).to_contain_text("could not save this (503)")
    expect(label_page.locator("#rationale")).to_have_value("Keep me")
    expect(label_page.locator(".verdict.chosen")).to_have_count(0)
    label_page.unroute("**/label/test-set/")
    label_page.locator("#task").focus()
    assert press_and_wait(label_page, "1") == pair
    assert Label.objects.get().rationale == "Keep me"


def test_who_signed_in_again_elsewhere_is_told_to_reload_and_the_words_stay(label_page):
    """The token of the page is then an old one: to try again from here would fail for ever."""
    pair = pair_in_view(label_page)
    label_page.locator("#rationale").fill("Keep me")
    label_page.context.clear_cookies(name="csrftoken")
    label_page.context.add_cookies([{"name": "csrftoken", "value": "x" * 32, "url": label_page.url}])
    label_page.get_by_role("button", name="Response 1").click()
    expect(label_page.get_by_role("alert")).to_contain_text("reload the page")
    label_page.reload()
    expect(label_page.locator("#rationale")).to_have_value("Keep me")
    label_page.locator("#task").focus()
    assert press_and_wait(label_page, "1") == pair
    assert Label.objects.get().rationale == "Keep me"


def test_a_server_that_never_answers_is_given_up(open_page, annotator, dataset):
    page = open_page("/label/test-set/", user=annotator)
    assert page.evaluate("() => JSON.parse(document.querySelector('.label-page').getAttribute('hx-request')).timeout")
    page.evaluate("() => document.querySelector('.label-page').setAttribute('hx-request', '{\"timeout\": 300}')")
    page.route("**/label/test-set/", lambda route: None)
    page.keyboard.press("1")
    expect(page.get_by_role("alert")).to_contain_text("took too long")
    page.unroute("**/label/test-set/")
    press_and_wait(page, "1")
    assert Label.objects.count() == 1
