"""A reviewer adjudicates split pairs one after the other by keyboard alone."""

import pytest
from playwright.sync_api import expect

from annotation.models import Adjudication, Choice, Role
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1000, 700), (390, 844)])
def test_what_people_said_of_long_texts_is_seen_without_scrolling(open_page, width, height):
    dataset = factories.make_dataset(slug="long", labels_per_pair=2)
    pair = factories.make_pair(dataset=dataset, texts=("A long answer. " * 400, "Another long answer. " * 400))
    for choice in (Choice.FIRST, Choice.SECOND):
        factories.make_label(pair=pair, annotator=factories.make_user(), choice=choice)
    reviewer = factories.make_user(role=Role.REVIEWER)
    size = {"width": width, "height": height}
    page = open_page(f"/pairs/{pair.pk}/?kind=human_split&desk=on", user=reviewer, viewport=size)
    for label in pair.labels.all():
        seen = page.get_by_text(label.annotator.username).filter(visible=True).first.bounding_box()
        assert seen["y"] + seen["height"] <= height


def test_a_reviewer_adjudicates_by_keyboard(open_page):
    dataset = factories.make_dataset(slug="split", labels_per_pair=2)
    people = [factories.make_user() for _ in range(2)]
    pairs = [factories.make_pair(dataset=dataset, external_id=f"pair-{n}") for n in "ab"]
    for pair in pairs:
        for person, choice in zip(people, (Choice.FIRST, Choice.SECOND), strict=True):
            factories.make_label(pair=pair, annotator=person, choice=choice)
    page = open_page("/datasets/split/adjudication/", user=factories.make_user(role=Role.REVIEWER))
    page.get_by_role("link", name="Begin, names hidden").click()
    assert page.get_by_role("heading", level=1).text_content() == "Pair pair-a"
    assert people[0].username not in page.content()

    # Enter without a choice sends nothing: the browser says what is missing, at its place.
    page.wait_for_load_state()
    page.keyboard.press("Enter")
    expect(page.locator("input[name=choice]:focus")).to_have_count(1)
    page.keyboard.press("2")
    page.keyboard.press("t")
    page.keyboard.press("n")
    page.keyboard.type("f is no key here")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")

    page.get_by_role("heading", level=1, name="Pair pair-b").wait_for()
    page.keyboard.press("0")
    page.keyboard.press("g")
    page.keyboard.press("Enter")
    page.get_by_text("That was the last pair of the list.").wait_for()
    page.get_by_text("All of them are adjudicated.").wait_for()
    made = Adjudication.objects.order_by("pair").values_list("pair", "choice", "cause", "note")
    assert list(made) == [
        (pairs[0].pk, Choice.SECOND, "taste", "f is no key here"),
        (pairs[1].pk, Choice.TIE, "guideline", ""),
    ]
