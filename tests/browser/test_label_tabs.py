"""Two tabs of one person: what was decided in the one is told in the other."""

import pytest
from playwright.sync_api import expect

from annotation.models import Label
from tests import factories
from tests.browser.labelling import make_label_dataset, pair_in_view, press_and_wait

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_pair_that_was_decided_in_another_tab_is_told_and_no_other(open_page):
    make_label_dataset()
    first = open_page("/label/test-set/", user=factories.make_user())
    second = first.context.new_page()
    second.goto("/label/test-set/")
    told = second.get_by_text("You have decided this pair in another tab.")
    pair = pair_in_view(first)
    assert pair_in_view(second) == pair
    second.locator("#rationale").fill("Written in the second tab")
    press_and_wait(first, "1")
    expect(told).to_have_count(1)
    # Nothing that is written here goes to the pair any more, and the person is told.
    expect(second.locator("#draft-word")).to_contain_text("You have decided this pair since")

    # The second goes on with the pair that is open now; the first decides the one after: no business of the second.
    second.reload()
    press_and_wait(second, "2")
    first.reload()
    second.goto(f"/label/test-set/pair/{pair}/")
    press_and_wait(first, "1")
    second.wait_for_timeout(300)
    expect(told).to_have_count(0)
    assert Label.objects.count() == 3
