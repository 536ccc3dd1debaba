"""Practising by the keys that the annotator has chosen for the label page."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from annotation.controls import set_control
from annotation.models import Choice, ControlAnswer, Role
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(open_page):
    dataset = factories.make_dataset(slug="way", pairs=1, pass_percent=75)
    researcher = factories.make_user(role=Role.RESEARCHER)
    for use in ("practice", "qualification"):
        pair = factories.make_pair(dataset=dataset)
        set_control(pair=pair, use=use, choice=Choice.TIE, explanation="", by=researcher)
    return open_page(reverse("practice", args=["way"]), user=factories.make_user())


def test_keys_that_were_changed_hold_here_too(page):
    page.evaluate("localStorage.setItem('tiebreak-keys', JSON.stringify({ first: ['0', ''], tie: ['1', ''] }))")
    page.reload()
    expect(page.get_by_role("button", name="Tie").locator("kbd")).to_have_text("1")
    page.keyboard.press("1")
    expect(page.get_by_role("heading", name="Right")).to_be_visible()
    assert ControlAnswer.objects.get().choice == Choice.TIE


def test_single_keys_that_are_turned_off_answer_nothing(page):
    page.evaluate("localStorage.setItem('tiebreak-single-keys', 'off')")
    page.reload()
    page.keyboard.press("1")
    page.wait_for_timeout(300)
    assert not ControlAnswer.objects.exists()
