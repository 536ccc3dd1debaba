"""What people and models write, in a browser: nothing of it runs, and it reads from its own side."""

import pytest
from playwright.sync_api import expect

from annotation.models import Choice, Role
from tests import factories
from tests.browser.labelling import press_and_wait

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

EVIL = (
    "<script>window.__ran = 1</script><img src=x onerror='window.__ran = 2; alert(3)'>"
    "<svg onload='window.__ran = 4'></svg></textarea></div><iframe srcdoc='<b>bold</b>'></iframe>"
)
# What would be in the page if a part of it were taken for HTML.
TAKEN_FOR_HTML = "img[src=x], svg[onload], iframe, [onerror], script:not([src]):text('__ran')"


@pytest.fixture
def watched(open_page):
    """A page in which whatever is let in would run: not even our own policy stops it."""
    ran = []

    def opened(path, user):
        page = open_page("about:blank", user=user, bypass_csp=True)
        page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
        page.goto(path)
        return page

    yield opened
    assert not ran


def expect_only_text(page, *places):
    for place in places:
        expect(page.locator(place).first).to_contain_text("<script>window.__ran = 1</script>")
    page.wait_for_load_state("networkidle")
    assert page.locator(TAKEN_FOR_HTML).count() == 0
    assert page.evaluate("() => window.__ran") is None


def test_pasted_html_is_text_and_nothing_of_it_runs(watched):
    dataset = factories.make_dataset(slug="texts", labels_per_pair=2)
    prompt = factories.make_prompt(instruction=EVIL, given=EVIL)
    pair = factories.make_pair(dataset=dataset, prompt=prompt, texts=(EVIL, f"{EVIL} too"))
    factories.make_pair(dataset=dataset)
    page = watched("/label/texts/", factories.make_user())
    responses = [f"section[aria-labelledby=response-{n}] .text" for n in (1, 2)]
    expect_only_text(page, ".prompt .prose >> nth=0", ".prompt .prose >> nth=1", *responses)
    page.locator("#rationale").fill(EVIL)
    page.locator("#task").focus()
    assert press_and_wait(page, "1") == pair.pk
    page.keyboard.press("h")
    expect_only_text(page, "#decisions-list")
    page.goto(f"/label/texts/pair/{pair.pk}/?differences")
    expect(page.locator("#rationale")).to_have_value(EVIL)
    expect_only_text(page, *responses)

    factories.make_label(pair=pair, annotator=factories.make_user(), choice=Choice.TIE, rationale=EVIL)
    page = watched("/datasets/texts/review/?kind=human_split", factories.make_user(role=Role.REVIEWER))
    expect_only_text(page, "#list")
    places = ["#responses .text >> nth=0", "#responses .text >> nth=1"]
    places += [f"section[aria-labelledby=people-title] .text >> nth={n}" for n in (0, 1)]
    page.locator("#list a").first.click()
    page.wait_for_url(f"**/pairs/{pair.pk}/*")
    expect_only_text(page, *places)
    page.goto("/datasets/texts/adjudication/")
    page.get_by_role("link", name="Begin, names hidden").click()
    page.wait_for_url(f"**/pairs/{pair.pk}/*")
    expect_only_text(page, *places)


def direction(locator):
    return locator.evaluate("element => getComputedStyle(element).direction")


def test_text_runs_from_its_own_side(open_page):
    dataset = factories.make_dataset(slug="texts")
    sides = {"العربية من اليمين": "rtl", "From the left": "ltr"}
    factories.make_pair(dataset=dataset, texts=tuple(sides))
    for text in ("العربية", "עברית"):
        factories.make_guideline(dataset=dataset, text=text)
    page = open_page("/label/texts/", user=factories.make_user())
    for words, side in sides.items():
        response = page.locator(".response .text", has_text=words)
        assert direction(response) == direction(response.locator("p")) == side
    field = page.locator("#rationale")
    for words, side in [*sides.items(), ("עברית", "rtl")]:
        field.fill(words)
        assert direction(field) == side
    page.locator("#task").focus()
    pair = press_and_wait(page, "1")
    page.goto(f"/label/texts/pair/{pair}/")
    assert direction(page.locator("#rationale")) == "rtl"
    page.goto(f"/label/texts/pair/{pair}/?differences")
    assert {direction(page.locator(".response .text").nth(n)) for n in (0, 1)} == {"rtl", "ltr"}
    page = open_page(f"/pairs/{pair}/?diff=on", user=factories.make_user(role=Role.REVIEWER))
    assert [direction(page.locator("#responses .text").nth(n)) for n in (0, 1)] == ["rtl", "ltr"]
    assert direction(page.locator("section[aria-labelledby=people-title] .text")) == "rtl"
    page.goto("/datasets/texts/guidelines/changes/")
    assert [direction(page.locator(".changed-text").nth(n)) for n in (0, 1)] == ["rtl", "rtl"]
