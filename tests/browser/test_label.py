"""The label page as a person at a keyboard, or with a thumb, meets it."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from annotation.labeling import in_other_terms
from annotation.models import Choice, Flag, Label, LabelRevision, Skip
from tests import factories
from tests.browser.labelling import pair_in_view, press, press_and_wait, shown_choice

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(
    ("key", "choice"),
    [("1", 1), ("a", 1), ("A", 1), ("2", 2), ("b", 2), ("0", 0), ("e", 0)],
)
def test_each_key_decides(label_page, key, choice):
    assert shown_choice(press_and_wait(label_page, key)) == choice


def test_a_dataset_is_labelled_by_keyboard_alone(label_page, dataset):
    decided = [press_and_wait(label_page, key) for key in "120a"]
    label_page.keyboard.press("2")
    expect(label_page.get_by_role("heading", level=1)).to_have_text("Nothing left to label here")
    assert [shown_choice(pair) for pair in decided] == [1, 2, 0, 1]
    assert Label.objects.count() == 5
    assert all(0 < label.seconds < 30 for label in Label.objects.all())


def test_the_chosen_button_shows_for_a_moment_and_the_next_pair_comes_right_after(label_page):
    """350 ms of the choice by the browser's own clock. How soon the next pair follows is measured in benchmarks/."""
    label_page.evaluate("""() => {
      const times = window.times = {};
      addEventListener("keydown", () => { times.key = performance.now(); }, true);
      const old = document.querySelector("#task").dataset.pair;
      new MutationObserver(() => {
        if (document.querySelector(".verdict.chosen")) times.chosen ??= performance.now();
        const task = document.querySelector("#task");
        if (task && task.dataset.pair !== old) requestAnimationFrame(() => { times.next ??= performance.now(); });
      }).observe(document.body, {subtree: true, childList: true, attributes: true});
    }""")
    press_and_wait(label_page, "1")
    label_page.wait_for_function("() => window.times.next")
    times = label_page.evaluate("() => window.times")
    assert times["key"] <= times["chosen"] < times["next"]
    assert times["next"] - times["key"] >= 340


def test_keys_rest_while_a_person_types(label_page):
    pair = pair_in_view(label_page)
    label_page.keyboard.press("r")
    label_page.keyboard.type("12 about a sub-bed? fus")
    label_page.keyboard.press("Backspace")
    expect(label_page.locator("#rationale")).to_have_value("12 about a sub-bed? fu")
    assert pair_in_view(label_page) == pair
    assert not Label.objects.exists()
    label_page.keyboard.press("Escape")
    press_and_wait(label_page, "1")
    assert Label.objects.get().rationale == "12 about a sub-bed? fu"


def test_keys_rest_while_a_save_is_under_way(label_page):
    pair = pair_in_view(label_page)
    label_page.route("**/label/test-set/", lambda route: (label_page.wait_for_timeout(300), route.continue_()))
    for key in ("1", "2", "0", "u"):
        label_page.keyboard.press(key)
    label_page.wait_for_function("pair => document.querySelector('#task').dataset.pair !== pair", arg=str(pair))
    assert Label.objects.count() == 1
    assert shown_choice(pair) == Choice.FIRST
    assert not LabelRevision.objects.exists()


def test_a_double_click_is_one_label(label_page):
    pair = pair_in_view(label_page)
    label_page.get_by_role("button", name="Response 2").dblclick()
    label_page.wait_for_function("pair => document.querySelector('#task').dataset.pair !== pair", arg=str(pair))
    label_page.wait_for_timeout(500)
    assert Label.objects.count() == 1
    assert pair_in_view(label_page) != pair


@pytest.mark.parametrize("key", ["Backspace", "Control+1", "Alt+2", "Meta+a", "3", "Enter", "Delete"])
def test_other_keys_do_nothing(label_page, key):
    pair = pair_in_view(label_page)
    label_page.locator("#single-keys").focus()
    label_page.keyboard.press(key)
    label_page.wait_for_timeout(300)
    assert pair_in_view(label_page) == pair
    assert not Label.objects.exists()


def test_a_click_on_a_text_decides_nothing(label_page):
    label_page.locator(".response .prose").first.click()
    label_page.wait_for_timeout(300)
    assert not Label.objects.exists()


def test_undo_opens_the_last_decision_and_a_new_one_replaces_it(label_page):
    pair = press_and_wait(label_page, "1")
    label_page.keyboard.press("u")
    label_page.wait_for_url(f"**/pair/{pair}/")
    expect(label_page.get_by_text("You have decided this pair")).to_be_visible()
    expect(label_page.get_by_role("button", name="Response 1", pressed=True)).to_be_visible()
    assert shown_choice(pair) == Choice.FIRST
    press_and_wait(label_page, "0")
    assert shown_choice(pair) == Choice.TIE
    assert LabelRevision.objects.count() == 1
    assert label_page.url.endswith("/label/test-set/")


def test_arrows_walk_through_the_last_decisions(label_page):
    first, second = press_and_wait(label_page, "1"), press_and_wait(label_page, "2")
    waiting = pair_in_view(label_page)
    for key, pair in [("ArrowLeft", second), ("ArrowLeft", first), ("ArrowRight", second), ("ArrowRight", waiting)]:
        press(label_page, key)
        expect(label_page.locator("#task")).to_have_attribute("data-pair", str(pair))
    assert not LabelRevision.objects.exists()


def test_skip_with_a_reason_by_keyboard(label_page):
    pair = pair_in_view(label_page)
    label_page.keyboard.press("s")
    label_page.keyboard.press("ArrowDown")
    label_page.keyboard.press("Space")
    label_page.keyboard.press("Enter")
    label_page.wait_for_function("pair => document.querySelector('#task').dataset.pair !== pair", arg=str(pair))
    assert Skip.objects.get().reason == "I don't read this language"
    assert not Label.objects.exists()


def test_a_reason_to_skip_has_a_number_that_decides_nothing(label_page):
    pair = pair_in_view(label_page)
    for key in ("s", "2", "a", "3"):
        label_page.keyboard.press(key)
    expect(label_page.get_by_label("A text is missing or broken")).to_be_checked()
    assert pair_in_view(label_page) == pair
    label_page.keyboard.press("Enter")
    label_page.wait_for_function("pair => document.querySelector('#task').dataset.pair !== pair", arg=str(pair))
    assert Skip.objects.get().reason == "A text is missing or broken"
    assert not Label.objects.exists()


def test_something_else_leads_to_the_field_that_says_what(label_page):
    label_page.keyboard.press("s")
    label_page.keyboard.press("5")
    expect(label_page.locator("#note")).to_be_focused()
    label_page.keyboard.type("12 pages")
    label_page.keyboard.press("Enter")
    label_page.wait_for_function("() => !document.querySelector('#skip').open")
    assert Skip.objects.get().reason.endswith("12 pages")


def test_flag_by_key_goes_with_the_label(label_page):
    label_page.keyboard.press("f")
    label_page.keyboard.press("3")
    press_and_wait(label_page, "1")
    assert Label.objects.get().flag == Flag.EXPERT


def test_the_question_mark_lists_the_keys(label_page):
    label_page.keyboard.press("?")
    dialog = label_page.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    label_page.keyboard.press("1")
    label_page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    label_page.keyboard.press("?")
    expect(dialog).to_be_visible()
    label_page.keyboard.press("?")
    expect(dialog).to_be_hidden()
    assert not Label.objects.exists()


def test_everything_that_can_be_asked_is_answered_by_keyboard(open_page, annotator, dataset):
    dataset.aspects, dataset.asks_confidence = ["correctness", "clarity"], True
    dataset.rationale, dataset.rationale_characters = "required", 10
    dataset.save()
    page = open_page("/label/test-set/", user=annotator)
    pair = pair_in_view(page)
    for key in "c1b3":
        page.keyboard.press(key)
    page.keyboard.press("1")
    expect(page.locator("#rationale")).to_be_focused()
    expect(page.locator("#draft-word")).to_contain_text("Say why first")
    page.keyboard.type("It is right.")
    page.keyboard.press("Control+Enter")
    page.wait_for_function("pair => document.querySelector('#task').dataset.pair !== pair", arg=str(pair))
    label = Label.objects.get()
    assert label.rationale == "It is right."
    assert label.confidence == 3
    aspects = {
        name: in_other_terms(Choice(choice), swapped=label.shown_swapped) for name, choice in label.aspects.items()
    }
    assert aspects == {"correctness": Choice.FIRST, "clarity": Choice.SECOND}
    assert shown_choice(pair) == Choice.FIRST


def test_keys_are_changed_and_a_conflict_is_told(open_page, annotator, dataset):
    page = open_page("/keys/", user=annotator)
    page.get_by_role("button", name="A tie, key: 0").click()
    page.keyboard.press("s")
    expect(page.get_by_text("S is taken: “Pass the pair on, with a reason”")).to_be_visible()
    page.keyboard.press("9")
    expect(page.get_by_role("button", name="A tie, key: 9")).to_be_focused()
    page.goto("/label/test-set/")
    expect(page.locator(".choice-tie kbd")).to_have_text("9")
    pair = pair_in_view(page)
    page.keyboard.press("0")
    assert shown_choice(press_and_wait(page, "9")) == Choice.TIE
    assert Label.objects.get().pair_id == pair
    page.goto("/keys/")
    page.get_by_role("button", name="Reset all").click()
    expect(page.get_by_role("button", name="A tie, key: 0")).to_be_visible()


def test_differences_are_marked_and_the_last_decisions_listed_by_key(label_page):
    press_and_wait(label_page, "1")
    label_page.keyboard.press("h")
    expect(label_page.locator("#decisions-list li")).to_have_count(1)
    label_page.keyboard.press("d")
    expect(label_page.locator(".text.marked").first).to_be_visible()
    label_page.locator("#task").focus()
    label_page.keyboard.press("d")
    expect(label_page.locator(".text.marked")).to_have_count(0)
    label_page.locator("#decisions-list a").click()
    expect(label_page.get_by_text("You have decided this pair")).to_be_visible()


def test_what_was_swapped_in_answers_the_very_next_key(label_page):
    """Else its links would be followed as plain ones, and the page would be loaded anew."""
    label_page.evaluate("""() => {
      window.stayed = true;
      const quick = () => setTimeout(() => document.getElementById("compare").click());
      document.addEventListener("htmx:afterSwap", quick, {once: true});
    }""")
    label_page.keyboard.press("d")
    label_page.wait_for_timeout(1000)
    assert label_page.evaluate("() => window.stayed")
    expect(label_page.locator("#compare")).to_have_text(re.compile("^Mark differences"))


@pytest.mark.parametrize("box", ["flag-box", "skip"])
def test_what_a_click_opens_is_not_behind_the_verdicts(label_page, box):
    label_page.set_viewport_size({"width": 1280, "height": 640})
    label_page.locator(f"#{box} > summary").click()
    last = label_page.locator(f"#{box} input:not([type=hidden]), #{box} button").last
    expect(last).to_be_in_viewport()
    in_front = label_page.evaluate(
        """box => {
          const last = [...document.querySelectorAll(`#${box} input:not([type=hidden]), #${box} button`)].at(-1);
          const { left, top, width, height } = last.getBoundingClientRect();
          return last.contains(document.elementFromPoint(left + width / 2, top + height / 2));
        }""",
        box,
    )
    assert in_front


def test_long_responses_scroll_together_and_the_verdicts_stay_in_view(open_page, annotator, dataset):
    dataset.pairs.all().delete()
    factories.make_pair(dataset=dataset, texts=("word " * 4000, "other " * 2000))
    page = open_page("/label/test-set/", user=annotator, viewport={"width": 1366, "height": 650})
    expect(page.get_by_role("button", name="Tie")).to_be_in_viewport(ratio=1)
    texts = page.locator(".response > .text")
    texts.first.evaluate("text => text.scrollTop = text.scrollHeight")
    at_end = "text => text.scrollTop + text.clientHeight >= text.scrollHeight - 2"
    page.wait_for_function(f"() => ({at_end})(document.querySelectorAll('.response > .text')[1])")
    page.keyboard.press("l")
    texts.first.evaluate("text => text.scrollTop = 0")
    page.wait_for_timeout(200)
    assert texts.nth(1).evaluate(at_end)


def test_everything_works_without_javascript(open_page, annotator, dataset):
    page = open_page("/label/test-set/", user=annotator, java_script_enabled=False)
    page.locator("#rationale").fill("Plain form")
    page.locator("#flag-box summary").click()
    page.get_by_label("Needs an expert").check()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Choose 1, 2 or tie.")).to_be_visible()
    expect(page.locator("#rationale")).to_have_value("Plain form")
    assert not Label.objects.exists()
    page.get_by_role("button", name="Response 2").click()
    label = Label.objects.get()
    assert (label.rationale, label.flag) == ("Plain form", "expert")
    page.get_by_role("link", name="Undo").click()
    page.get_by_role("button", name="Tie").click()
    expect(page.get_by_text("Your new decision is saved")).to_be_visible()
    assert LabelRevision.objects.count() == 1
    page.get_by_text("Skip this pair").click()
    page.get_by_label("A text is missing or broken").check()
    page.get_by_role("button", name="Skip").click()
    assert Skip.objects.count() == 1
    page.locator("#guidelines summary").click()
    expect(page.get_by_text("then what is clear")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1366, 850), (375, 812)])
def test_axe_finds_nothing(open_page, annotator, dataset, scheme, size):
    page = open_page(
        "/label/test-set/",
        user=annotator,
        color_scheme=scheme,
        viewport={"width": size[0], "height": size[1]},
        reduced_motion="reduce",
    )
    for prepare in (lambda: None, lambda: page.keyboard.press("s"), lambda: page.keyboard.press("?")):
        prepare()
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()
    page.keyboard.press("Escape")
    page.locator("#task").focus()
    pair = press_and_wait(page, "1")
    page.goto(f"/label/test-set/pair/{pair}/")
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"


def test_the_next_pair_is_announced_with_how_many_are_done(label_page):
    """The focus goes to the task, which a screen reader then names: what is asked, and how far one is."""
    press_and_wait(label_page, "1")
    task = label_page.get_by_role("region", name="Which response is better?")
    expect(task).to_be_focused()
    expect(task).to_have_accessible_description("test-set: 1 of 5 done")


def test_keys_can_be_turned_off_for_those_who_would_press_them_unasked(label_page):
    """WCAG 2.1.4: speech input types letters."""
    pair = pair_in_view(label_page)
    label_page.get_by_label("Use single keys").uncheck()
    label_page.locator("#task").focus()
    for key in ("1", "f", "s", "?"):
        label_page.keyboard.press(key)
    label_page.wait_for_timeout(300)
    assert pair_in_view(label_page) == pair
    assert not Label.objects.exists()
    label_page.reload()
    label_page.locator("#task").focus()
    label_page.keyboard.press("1")
    label_page.wait_for_timeout(300)
    assert not Label.objects.exists()
    label_page.get_by_label("Use single keys").check()
    label_page.locator("#task").focus()
    press_and_wait(label_page, "1")
