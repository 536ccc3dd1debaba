"""What is written and not sent: on two devices, over a reload, by a server that does not take it."""

import pytest
from playwright.sync_api import expect

from annotation.models import Draft, Label
from tests.browser.labelling import pair_in_view, press_and_wait

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LABEL, DRAFT = "/label/test-set/", "**/label/test-set/draft/"


def write(page, words):
    """Say why, and wait until the server has it."""
    page.locator("#rationale").fill(words)
    expect(page.locator("#draft-word")).to_have_text("Draft saved.")


def expect_words(page, words):
    expect(page.locator("#rationale")).to_have_value(words)


def test_what_was_written_later_on_another_device_stands(open_page, label_page, annotator):
    pair = pair_in_view(label_page)
    write(label_page, "On the desk")
    phone = open_page(LABEL, user=annotator)
    expect_words(phone, "On the desk")
    write(phone, "On the phone")
    label_page.reload()
    expect_words(label_page, "On the phone")
    write(label_page, "At the desk again")

    # A decision is later than what was begun before it.
    phone.reload()
    expect_words(phone, "At the desk again")
    phone.locator("#rationale").fill("Decided")
    phone.locator("#task").focus()
    press_and_wait(phone, "1")
    label_page.goto(f"{LABEL}pair/{pair}/")
    expect_words(label_page, "Decided")
    assert label_page.evaluate("() => localStorage.length") == 0


def test_words_that_were_never_sent_outlive_a_decision_on_another_device(open_page, label_page, annotator):
    pair = pair_in_view(label_page)
    label_page.route(DRAFT, lambda route: route.abort())
    label_page.locator("#rationale").fill("Begun, and never sent")
    expect(label_page.locator("#draft-word")).to_contain_text("can't be reached")
    phone = open_page(LABEL, user=annotator)
    phone.locator("#rationale").fill("Decided")
    phone.locator("#task").focus()
    press_and_wait(phone, "1")
    label_page.unroute(DRAFT)
    label_page.goto(f"{LABEL}pair/{pair}/")
    expect_words(label_page, "Decided\n\nBegun, and never sent")
    expect(label_page.locator("#draft-word")).to_contain_text("is back. Draft saved.")
    assert Label.objects.get().rationale == "Decided"


def test_words_that_never_left_one_device_stand_beside_those_of_another(open_page, label_page, annotator):
    label_page.route(DRAFT, lambda route: route.abort())
    label_page.locator("#rationale").fill("In the tunnel")
    expect(label_page.locator("#draft-word")).to_contain_text("can't be reached")
    write(open_page(LABEL, user=annotator), "On the phone")
    label_page.unroute(DRAFT)
    label_page.reload()
    expect_words(label_page, "On the phone\n\nIn the tunnel")
    expect(label_page.locator("#draft-word")).to_contain_text("Draft saved.")
    assert Draft.objects.get().fields == {"rationale": "On the phone\n\nIn the tunnel"}


def test_what_the_browser_kept_goes_to_the_server_without_a_further_key(label_page):
    label_page.locator("#rationale").fill("Half a thought")
    label_page.reload()
    expect_words(label_page, "Half a thought")
    expect(label_page.locator("#draft-word")).to_have_text(
        "What you had begun to say about this pair is back. Draft saved."
    )
    assert Draft.objects.get().fields == {"rationale": "Half a thought"}

    # Taken back and not told yet, it stays taken back.
    label_page.locator("#rationale").fill("")
    label_page.reload()
    expect(label_page.locator("#draft-word")).to_have_text("Draft saved.")
    expect_words(label_page, "")
    assert not Draft.objects.exists()


def test_a_lost_answer_makes_nobody_another_device(label_page):
    def arrive_and_lose_the_answer(route):
        route.fetch()
        route.abort()

    label_page.route(DRAFT, arrive_and_lose_the_answer)
    label_page.locator("#rationale").fill("It arrived")
    expect(label_page.locator("#draft-word")).to_contain_text("can't be reached")
    assert Draft.objects.get().fields == {"rationale": "It arrived"}
    label_page.unroute(DRAFT)
    label_page.route(DRAFT, lambda route: route.abort())
    with label_page.expect_event("requestfailed"):
        label_page.locator("#rationale").fill("This did not")
    label_page.unroute(DRAFT)
    label_page.reload()
    expect_words(label_page, "This did not")


def test_a_copy_that_an_earlier_version_kept_is_taken_up(label_page):
    write(label_page, "Half a thought")
    label_page.evaluate("""() => {
      const [name] = Object.keys(localStorage).filter((each) => each.startsWith("tiebreak-draft:"));
      const copy = JSON.parse(localStorage.getItem(name));
      Object.assign(copy, { fields: { rationale: "A whole one" }, posted: { rationale: "Half a thought" } });
      localStorage.setItem(name, JSON.stringify({ ...copy, saved: "", told: false }));
    }""")
    label_page.reload()
    expect_words(label_page, "A whole one")
    expect(label_page.locator("#draft-word")).to_contain_text("Draft saved.")
    assert Draft.objects.get().fields == {"rationale": "A whole one"}


def test_blanks_around_the_words_are_nothing_to_bring_back(label_page):
    write(label_page, "Half a thought ")
    label_page.reload()
    expect_words(label_page, "Half a thought ")
    # The server's word for what it kept; the browser has nothing to add to it.
    expect(label_page.locator("#draft-word")).to_have_text("What you had begun to say is back.")


def test_a_draft_on_its_way_is_called_back_when_the_pair_is_decided(label_page):
    held, called_back, said = [], [], []
    label_page.expose_function("heard", lambda words: said.append(words))
    label_page.evaluate(
        "() => new MutationObserver(() => heard(document.querySelector('#draft-word')?.textContent ?? ''))"
        ".observe(document.querySelector('#draft-word'), {childList: true})"
    )
    label_page.route(DRAFT, lambda route: held.append(route))
    label_page.on("requestfailed", lambda request: called_back.append(request.url))
    with label_page.expect_request(DRAFT):
        label_page.locator("#rationale").fill("Half")
    label_page.locator("#rationale").fill("Whole")
    label_page.locator("#task").focus()
    press_and_wait(label_page, "1")
    assert [url.endswith("/draft/") for url in called_back] == [True]
    assert said == []
    assert Label.objects.get().rationale == "Whole"
    assert not Draft.objects.exists()


def answering(status, asked):
    """What answers so, or with no status not at all, and counts how often it was asked."""

    def answer(route):
        asked.append(status)
        if status:
            route.fulfill(status=status)
        else:
            route.abort()

    return answer


def test_what_the_server_does_not_take_is_told_and_tried_again_only_where_that_may_help(open_page, annotator, dataset):
    page = open_page("about:blank", user=annotator)
    page.clock.install()
    page.goto(LABEL)
    asked = []
    line, field = page.locator("#draft-word"), page.locator("#rationale")
    for status, told, tries in [
        (404, "This dataset is gone, or no longer yours", 1),
        (413, "more than the server takes", 1),
        (422, "does not take this as it is", 1),
        (412, "You have decided this pair since", 1),
        (423, "You may not label this dataset at the moment", 1),
        (418, "does not take this (418)", 1),
        (429, "could not save this yet (429)", 2),
        (503, "could not save this yet (503)", 2),
        (None, "The server can't be reached", 2),
    ]:
        asked.clear()
        page.route(DRAFT, answering(status, asked))
        field.fill(f"For {status}")
        page.clock.fast_forward(2_000)
        expect(line).to_contain_text(told)
        page.clock.fast_forward(20_000)
        page.wait_for_timeout(200)
        assert len(asked) == tries, status
        page.unroute(DRAFT)
    page.clock.fast_forward(20_000)
    expect(line).to_have_text("Draft saved.")
    assert Draft.objects.get().fields == {"rationale": "For None"}
