"""The review list and one pair, at a keyboard."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.sessions.models import Session
from playwright.sync_api import expect

from annotation.models import Adjudication, Comment, Role
from tests import factories
from tests.judging.scored import make_scored_dataset

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def reviewer():
    return factories.make_user(role=Role.REVIEWER)


@pytest.fixture
def pairs():
    dataset, _ = make_scored_dataset()
    return list(dataset.pairs.order_by("pk"))


def assert_no_axe_violations(page) -> None:
    found = Axe().run(page).response["violations"]
    assert not found, [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


def test_a_list_is_read_with_j_k_and_enter(open_page, reviewer, pairs):
    page = open_page("/datasets/scored/review/?kind=human_split", user=reviewer)
    expect(page.locator("#count")).to_have_text("3")
    for key in "jjk":
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    # Three say three things of the sixth; of the second and the fourth two agree.
    page.wait_for_url(f"**/pairs/{pairs[5].pk}/?kind=human_split")
    page.keyboard.press("j")
    page.wait_for_url(f"**/pairs/{pairs[1].pk}/?kind=human_split")
    page.keyboard.press("k")
    page.wait_for_url(f"**/pairs/{pairs[5].pk}/?kind=human_split")
    page.keyboard.press("u")
    page.wait_for_url("**/datasets/scored/review/?kind=human_split&after=*")


def test_d_marks_the_differences_and_takes_the_marks_away(open_page, reviewer, pairs):
    page = open_page(f"/pairs/{pairs[0].pk}/", user=reviewer)
    page.keyboard.press("d")
    expect(page.locator("#responses del")).to_have_count(1)
    assert_no_axe_violations(page)
    page.keyboard.press("j")
    expect(page).not_to_have_url(re.compile(f"/pairs/{pairs[0].pk}/"))
    expect(page.locator("#responses del"), "marked here too").to_have_count(1)
    page.keyboard.press("d")
    expect(page.locator("#responses del")).to_have_count(0)


def test_adjudicating_renews_gold_without_leaving_the_page(open_page, reviewer, pairs):
    page = open_page(f"/pairs/{pairs[0].pk}/?kind=", user=reviewer)
    form = page.locator("#adjudication")
    form.get_by_role("button", name="Adjudicate").click()
    # The browser itself asks for what is required.
    assert not Adjudication.objects.exists()
    form.get_by_role("radio", name="Tie").check()
    form.get_by_role("radio", name="A matter of taste").check()
    form.get_by_role("button", name="Adjudicate").click()
    expect(form.get_by_role("status")).to_have_text("Adjudicated: Tie.")
    expect(page.locator("#gold h2")).to_contain_text("Tie")
    assert Adjudication.objects.get().by == reviewer


def test_keys_do_nothing_while_a_comment_is_written(open_page, reviewer, pairs):
    page = open_page(f"/pairs/{pairs[0].pk}/", user=reviewer)
    page.get_by_role("textbox", name="Comment").press_sequentially("jkdu?")
    page.locator("#comments").get_by_role("button", name="Comment").click()
    expect(page.locator("#comments .comment")).to_contain_text("jkdu?")
    assert Comment.objects.get().text == "jkdu?"


def test_help_opens_with_a_question_mark(open_page, reviewer, pairs):
    page = open_page(f"/pairs/{pairs[0].pk}/", user=reviewer)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_filters_and_adjudication_work_without_javascript(open_page, reviewer, pairs):
    page = open_page("/datasets/scored/review/", user=reviewer, java_script_enabled=False)
    page.get_by_label("Show").select_option("human_split")
    page.get_by_role("button", name="Show").click()
    page.locator("#list a").first.click()
    page.get_by_role("radio", name="2", exact=True).check()
    page.get_by_role("radio", name="A rater's mistake").check()
    page.locator("#adjudication").get_by_role("button", name="Adjudicate").click()
    expect(page.locator("#messages")).to_contain_text("Adjudicated: 2.")
    assert "kind=human_split" in page.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1440])
def test_both_pages_are_accessible_and_fit(open_page, reviewer, pairs, scheme, width):
    for path in ("/datasets/scored/review/?gold=1", f"/pairs/{pairs[1].pk}/?gold=1", "/datasets/scored/review/?run=x"):
        page = open_page(path, user=reviewer, color_scheme=scheme, viewport={"width": width, "height": 812})
        assert_no_axe_violations(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        expect(page.get_by_role("heading", level=1)).to_have_count(1)


def test_a_session_that_ran_out_while_a_comment_was_written_costs_nothing_but_a_sign_in(open_page, reviewer, pairs):
    page = open_page(f"/pairs/{pairs[0].pk}/", user=reviewer)
    page.get_by_role("textbox", name="Comment").fill("A long thought")
    Session.objects.all().delete()
    page.locator("#comments").get_by_role("button", name="Comment").click()
    page.get_by_label("Username").fill(reviewer.username)
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("textbox", name="Comment")).to_have_value("A long thought")
    expect(page.locator("#messages")).to_contain_text("was not saved")
    page.locator("#comments").get_by_role("button", name="Comment").click()
    expect(page.locator("#comments .comment")).to_contain_text("A long thought")
    assert Comment.objects.count() == 1


@pytest.mark.parametrize(("status", "words"), [(403, "reload the page"), (500, "could not save this (500)")])
def test_a_comment_that_was_not_taken_says_what_to_do(open_page, reviewer, pairs, status, words):
    page = open_page(f"/pairs/{pairs[0].pk}/", user=reviewer)
    page.route("**/comment/*", lambda route: route.fulfill(status=status, body="no"))
    page.get_by_role("textbox", name="Comment").fill("A long thought")
    page.locator("#comments").get_by_role("button", name="Comment").click()
    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.get_by_role("textbox", name="Comment")).to_have_value("A long thought")


def test_keys_can_be_turned_off(open_page, reviewer, pairs):
    page = open_page(f"/pairs/{pairs[0].pk}/", user=reviewer)
    page.keyboard.press("?")
    page.get_by_label("Use single keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    page.keyboard.press("?")
    page.wait_for_timeout(300)
    expect(page.locator("#responses del")).to_have_count(0)
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


@pytest.mark.parametrize("width", [1280, 900, 390])
def test_the_order_is_read_whole(open_page, reviewer, pairs, width):
    page = open_page("/datasets/scored/review/", user=reviewer, viewport={"width": width, "height": 800})
    order = page.get_by_label("Order")
    given = order.bounding_box()["width"]
    wanted = order.evaluate("order => { order.style.width = 'max-content'; return order.offsetWidth; }")
    assert given >= wanted
