"""Auditing by keyboard alone, by hand without JavaScript, and what assistive technology meets on the way."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from judging.models import AuditItem
from tests import factories
from tests.browser.looks import LOOKS, violations
from tests.judging.audits.made import draw_sample, make_distilled

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SETTLE = 350  # milliseconds after which a page takes keys
WRITTEN = {0: "0", 1: "1", 2: "2"}


@pytest.fixture
def audit():
    return draw_sample(run=make_distilled(pairs=6).run, dimensions=["verdict"], size=6, seed=1)


def press(page, key: str) -> None:
    page.wait_for_timeout(SETTLE)
    page.keyboard.press(key)


def test_single_keys_that_are_turned_off_decide_nothing(audit, open_page):
    page = open_page(reverse("audit_blind", args=[audit.pk]), user=factories.make_user())
    page.get_by_role("button", name="Keys").click()
    page.get_by_label("Use single keys").uncheck()
    page.get_by_role("button", name="Close").click()
    press(page, "1")
    page.wait_for_timeout(SETTLE)
    assert not AuditItem.objects.filter(state="revealed").exists()
    page.get_by_role("button", name="Response 1 is better").click()
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Is the label right?")
    press(page, "y")
    page.wait_for_timeout(SETTLE)
    expect(heading).to_have_text("Is the label right?")


def test_on_a_phone_the_button_to_save_stands_behind_the_choices(audit, open_page):
    size = {"width": 390, "height": 844}
    page = open_page(reverse("audit_blind", args=[audit.pk]), user=factories.make_user(), viewport=size)
    page.get_by_role("button", name="Response 1").click()
    save = page.get_by_role("button", name="Save and go on")
    save.wait_for()
    for height in (844, 600, 400):
        page.set_viewport_size({"width": 390, "height": height})
        assert save.bounding_box()["y"] > page.get_by_text("Broken response").bounding_box()["y"]
    page.get_by_label("Undecidable").check()
    expect(save).to_be_in_viewport()


def test_two_keys_audit_a_label_that_is_right_and_three_one_that_is_wrong(audit, open_page):
    user = factories.make_user()
    page = open_page(reverse("audit_blind", args=[audit.pk]), user=user)
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Which response is better?")
    assert "SECRET" not in page.content()
    press(page, "1")
    expect(heading).to_have_text("Is the label right?")
    assert "SECRET REASON" in page.content()
    press(page, "y")
    expect(heading).to_have_text("Which response is better?")
    press(page, "e")
    expect(heading).to_have_text("Is the label right?")
    open_item = AuditItem.objects.get(state="revealed")
    press(page, WRITTEN[(open_item.distilled + 1) % 3])
    expect(page.get_by_label("Missed a factual error")).to_be_focused()
    page.keyboard.press("t")
    expect(heading).to_have_text("Which response is better?")
    decided = AuditItem.objects.filter(state="decided").order_by("decided_at")
    assert list(decided.values_list("outcome", "cause", "auditor")) == [
        ("right", "", user.pk),
        ("wrong", "taste", user.pk),
    ]
    press(page, "u")
    expect(heading).to_have_text("Is the label right?")
    press(page, "k")
    page.keyboard.press("o")
    expect(page.get_by_label("Note")).to_be_focused()
    page.keyboard.type("undo 1 2 y")
    page.keyboard.press("Escape")
    page.keyboard.press("o")
    expect(heading).to_have_text("Which response is better?")
    changed = AuditItem.objects.get(outcome="broken")
    assert (changed.note, len(changed.history)) == ("undo 1 2 y", 1)
    assert 0.3 < changed.seconds < 30


def test_keys_that_a_person_has_changed_hold_here_too_but_before_them_those_of_this_page(audit, open_page):
    page = open_page(reverse("audit_own"), user=factories.make_user())
    own = "{ first: ['2', ''], second: ['1', ''], tie: ['d', ''], undo: ['z', ''] }"
    page.evaluate(f"localStorage.setItem('tiebreak-keys', JSON.stringify({own}))")
    page.goto(page.url.replace(reverse("audit_own"), reverse("audit_blind", args=[audit.pk])))
    heading = page.get_by_role("heading", level=1)
    assert page.locator(".verdicts kbd").all_inner_texts() == ["2", "D", "1"]
    press(page, "2")
    expect(heading).to_have_text("Is the label right?")
    assert page.locator(".audit-choices .badge").nth(1).inner_text() == "Response 1"
    # Undecidable has D on this page, so a tie keeps its 0.
    assert page.locator(".audit-outcomes label > span:first-child kbd").all_inner_texts() == ["2", "0", "1", "D", "K"]
    press(page, "d")
    expect(page.get_by_label("Missed a factual error")).to_be_focused()
    page.keyboard.press("t")
    expect(heading).to_have_text("Which response is better?")
    press(page, "u")
    page.wait_for_timeout(SETTLE)
    expect(heading).to_have_text("Which response is better?")
    press(page, "z")
    expect(heading).to_have_text("Is the label right?")
    assert page.get_by_role("radio", name="Undecidable").is_checked()


@pytest.mark.parametrize("look", list(LOOKS))
def test_the_revealed_label_is_fit_for_everybody(audit, open_page, look):
    page = open_page(reverse("audit_blind", args=[audit.pk]), user=factories.make_user(), **LOOKS[look])
    page.get_by_role("button", name="Tie").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Is the label right?")
    assert not violations(page)


def test_without_javascript_everything_is_decided_by_hand(audit, open_page):
    page = open_page(reverse("audit_own"), user=factories.make_user(), java_script_enabled=False)
    page.get_by_role("link", name="Start auditing").click()
    page.get_by_role("button", name="Response 2").click()
    page.get_by_role("button", name="Save and go on").click()
    page.get_by_role("radio", name="Undecidable").check()
    page.get_by_role("button", name="Save and go on").click()
    assert "Say why" in page.content()
    assert page.get_by_role("radio", name="Undecidable").is_checked()
    page.get_by_role("radio", name="A matter of taste").check()
    page.get_by_role("button", name="Save and go on").click()
    assert page.get_by_role("heading", level=1).text_content() == "Which response is better?"
    item = AuditItem.objects.get(state="decided")
    assert (item.outcome, item.cause) == ("undecidable", "taste")
