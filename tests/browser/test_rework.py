"""A label goes back and comes again, played by both sides; and somebody is mentioned by keyboard."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from annotation.models import Comment, Label, Notification, Rework, Role
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def rita():
    return factories.make_user(role=Role.REVIEWER, username="rita")


def test_a_label_goes_back_and_its_annotator_decides_again(open_page, rita):
    anna = factories.make_user(username="anna")
    dataset = factories.make_dataset(slug="chat", labels_per_pair=1)
    labels = [
        factories.make_label(pair=factories.make_pair(dataset=dataset), annotator=anna, shown_swapped=False)
        for _ in range(2)
    ]
    for label in labels:
        review = open_page(reverse("pair", args=[label.pair_id]), user=rita)
        review.get_by_text("Send back to anna").click()
        review.get_by_label("What should they look at again?").fill("Is it **true**?")
        review.get_by_role("button", name="Send back").click()
        expect(review.get_by_role("button", name="Withdraw")).to_be_visible()
    page = open_page("/", user=anna)
    expect(page.get_by_role("link", name="Notifications, 2 unread")).to_be_visible()
    page.get_by_role("link", name="2 to look at again in chat").click()
    page.get_by_role("link", name="Look at the first").click()
    expect(page.get_by_role("heading", name="A reviewer asks you to look again")).to_be_visible()
    page.wait_for_load_state()
    page.keyboard.press("2")
    page.wait_for_url(f"**{reverse('label_pair', args=['chat', labels[1].pair_id])}")
    page.get_by_role("button", name="Keep my label").click()
    expect(page.get_by_text("you have decided all of it")).to_be_visible()
    assert list(Rework.objects.values_list("outcome", flat=True)) == ["changed", "kept"]
    assert list(Label.objects.order_by("pk").values_list("choice", flat=True)) == [2, 1]
    bell = open_page("/notifications/", user=rita)
    bell.get_by_role("button", name="Unread: anna kept their label").click()
    bell.wait_for_url(f"**{reverse('pair', args=[labels[1].pair_id])}")
    expect(bell.get_by_role("link", name="Notifications, 1 unread")).to_be_visible()


def test_somebody_is_mentioned_by_keyboard(open_page, rita):
    people = [factories.make_user(role=Role.REVIEWER, username=name) for name in ("sam", "samuel", "tom")]
    factories.make_user(username="sandra")
    page = open_page(reverse("pair", args=[factories.make_pair().pk]), user=rita)
    field = page.get_by_label("Comment", exact=True)
    field.press_sequentially("Look @sa")
    expect(page.get_by_role("option")).to_have_text(["@sam", "@samuel"])
    field.press("ArrowDown")
    expect(page.get_by_role("option", name="@samuel")).to_have_attribute("aria-selected", "true")
    field.press("Enter")
    expect(page.get_by_role("option")).to_have_count(0)
    field.press_sequentially("and @to")
    page.get_by_role("option", name="@tom").click()
    expect(field).to_have_value("Look @samuel and @tom ")
    field.press_sequentially("please @s")
    field.press("Escape")
    expect(page.get_by_role("option")).to_have_count(0)
    page.get_by_role("button", name="Comment").click()
    expect(page.get_by_text("Told: samuel, tom.")).to_be_visible()
    assert Comment.objects.get().text == "Look @samuel and @tom please @s"
    assert set(Notification.objects.values_list("person", flat=True)) == {people[1].pk, people[2].pk}
