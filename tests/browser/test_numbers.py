"""The leaderboard and the dataset page in a browser: charts, light and dark, narrow, from no other host."""

import re
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from playwright.sync_api import expect

from annotation.models import Role
from judging.scores import leaderboard
from tests import factories
from tests.judging.scored import make_scored_dataset

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGES = {"/datasets/scored/leaderboard/?policy=paper": 3, "/datasets/scored/": 1}


@pytest.fixture
def researcher():
    cache.clear()
    make_scored_dataset()
    return factories.make_user(role=Role.RESEARCHER)


def draw_charts(page, expected: int) -> None:
    charts = page.locator(".chart")
    expect(charts).to_have_count(expected)
    for chart in charts.all():
        chart.scroll_into_view_if_needed()
        expect(chart.locator("svg.main-svg").first).to_be_visible(timeout=30_000)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 375, "height": 812}}])
def test_pages_are_accessible_fit_their_window_and_draw_their_charts(open_page, researcher, path, options):
    page = open_page(path, user=researcher, **options)
    draw_charts(page, PAGES[path])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


def test_all_columns_of_the_leaderboard_fit_a_usual_window(open_page, researcher):
    page = open_page(
        "/datasets/scored/leaderboard/?policy=paper", user=researcher, viewport={"width": 1280, "height": 800}
    )
    region = page.get_by_role("region", name="Leaderboard, table")
    expect(region).to_have_attribute("tabindex", "0")
    assert region.evaluate("region => region.scrollWidth <= region.clientWidth")
    # Where they don't, what goes on beyond the edge fades.
    fades = "region => getComputedStyle(region).maskImage !== 'none'"
    assert not region.evaluate(fades)
    page.set_viewport_size({"width": 375, "height": 812})
    assert region.evaluate(fades)


def test_charts_load_late_and_from_our_own_host_alone(open_page, researcher, live_server):
    asked = []
    page = open_page("/accounts/login/", user=researcher, viewport={"width": 1200, "height": 300})
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/datasets/scored/leaderboard/?policy=paper")
    assert not [url for url in asked if "plotly" in url]
    draw_charts(page, 3)
    assert len([url for url in asked if "plotly" in url]) == 1
    assert {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))} == {
        urlsplit(live_server.url).netloc
    }


def test_charts_follow_when_the_light_changes(open_page, researcher):
    page = open_page("/datasets/scored/", user=researcher)
    draw_charts(page, 1)
    colour = "getComputedStyle(document.querySelector('.chart .xtick text')).fill"
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"before => {colour} !== before", arg=light)


def test_a_cell_of_the_confusion_opens_its_pairs(open_page, researcher):
    page = open_page("/datasets/scored/leaderboard/?policy=paper", user=researcher)
    page.get_by_role("link", name="2 pairs, gold 1, verdict tie").click()
    page.wait_for_url(re.compile(r"/datasets/scored/review/.*gold=1&verdict=tie"))
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_numbers_of_a_large_dataset_arrive_after_the_page_with_their_charts(open_page, researcher, monkeypatch):
    monkeypatch.setattr(leaderboard, "AT_ONCE", 3)
    page = open_page("/datasets/scored/leaderboard/?policy=paper", user=researcher)
    expect(page.get_by_role("heading", name="Judges, baselines and people")).to_be_visible()
    draw_charts(page, 3)


def test_everything_but_the_charts_is_there_without_javascript(open_page, researcher):
    page = open_page("/datasets/scored/leaderboard/?policy=paper", user=researcher, java_script_enabled=False)
    expect(page.get_by_role("row", name="longer response baseline")).to_be_visible()
    page.get_by_text("Choose other rules").click()
    page.get_by_label("An invalid verdict is").select_option("out")
    page.get_by_role("button", name="Show under these rules").click()
    expect(page.get_by_role("heading", name="Policy: majority.out.out.tie")).to_be_visible()
