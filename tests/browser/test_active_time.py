"""The time that a person is at work on a pair, by the browser's clock: not while they are away, or do nothing."""

from urllib.parse import parse_qs

import pytest

from tests import factories
from tests.browser.labelling import expect_next, make_label_dataset, pair_in_view

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SECOND, MINUTE = 1_000, 60_000
# Playwright lets every page think that it is in front: what a person does is said for them.
HIDE = "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true}); }"
FOCUS = "focus => { document.hasFocus = () => focus; dispatchEvent(new Event(focus ? 'focus' : 'blur')); }"
TURNED = "() => document.dispatchEvent(new Event('visibilitychange'))"


@pytest.fixture
def page(open_page):
    make_label_dataset()
    page = open_page("about:blank", user=factories.make_user())
    page.clock.install()
    page.goto("/label/test-set/")
    page.wait_for_load_state()
    return page


def counted(page, *, after) -> float:
    """Seconds that are counted while something is done; the clock runs on a little beside it."""
    before = float(page.evaluate("() => activeTime.seconds()"))
    after()
    return float(page.evaluate("() => activeTime.seconds()")) - before


def near(seconds):
    return pytest.approx(seconds, abs=3)


def test_time_is_counted_while_somebody_is_at_work(page):
    def work():
        for _ in range(5):
            page.clock.fast_forward(50 * SECOND)
            page.keyboard.press("Shift")
            page.clock.fast_forward(50 * SECOND)
            page.mouse.move(200, 200)
            page.mouse.move(210, 210)

    assert counted(page, after=work) == near(500)


def test_of_a_stretch_without_a_sign_of_anybody_one_minute_counts(page):
    def idle():
        page.clock.fast_forward(20 * MINUTE)
        page.keyboard.press("Shift")
        page.clock.fast_forward(20 * SECOND)

    assert counted(page, after=idle) == near(60 + 20)


def test_hidden_and_behind_another_window_no_time_counts(page):
    def away_and_back():
        page.clock.fast_forward(10 * SECOND)
        page.evaluate(HIDE, True)
        page.evaluate(TURNED)
        page.clock.fast_forward(40 * SECOND)
        page.evaluate(HIDE, False)
        page.evaluate(TURNED)
        page.clock.fast_forward(10 * SECOND)
        page.evaluate(FOCUS, False)
        # The mouse may pass over a window that is not in front.
        page.mouse.move(100, 100)
        page.clock.fast_forward(40 * SECOND)
        page.mouse.move(200, 200)
        page.clock.fast_forward(40 * SECOND)
        page.evaluate(FOCUS, True)
        page.clock.fast_forward(10 * SECOND)

    assert counted(page, after=away_and_back) == near(30)


def test_each_pair_begins_at_nought_and_its_time_is_sent_with_the_decision(page):
    page.clock.fast_forward(30 * SECOND)
    sent = []
    for key in "12":
        pair = pair_in_view(page)
        with page.expect_request(lambda request: request.method == "POST") as asked:
            page.keyboard.press(key)
        sent.append(float(parse_qs(asked.value.post_data)["seconds"][0]))
        page.clock.run_for(SECOND)
        expect_next(page, pair)
        page.clock.fast_forward(40 * SECOND)
    assert sent == [near(30), near(40)]
