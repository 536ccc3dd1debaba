"""The bell, the page of what one was told, and what of it costs a label nothing."""

import html

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotation.models import Notification, Role
from annotation.notifications import notify, unread_count
from tests import factories
from tests.annotation.label_page import HTMX, fields, signed_in

pytestmark = pytest.mark.django_db

PAGE = "/notifications/"


@pytest.fixture
def rita():
    return factories.make_user(role=Role.REVIEWER, username="rita", email="rita@example.org")


@pytest.fixture
def browser(rita):
    return signed_in(rita)


def tell(person, text="Look here", path="/datasets/chat/", times=1) -> Notification:
    for _ in range(times):
        notify(people=[person], text=text, path=path)
    return Notification.objects.first()


def asks_of_notifications(queries: CaptureQueriesContext) -> int:
    return sum("annotation_notification" in query["sql"] for query in queries)


def test_the_bell_counts_what_is_unread_on_every_page(rita, browser):
    assert "Notifications, none unread" in browser.get("/").text
    tell(rita, times=3)
    tell(factories.make_user())
    for page in ("/", "/judges/", PAGE):
        assert "Notifications, 3 unread" in browser.get(page).text
    tell(rita, times=120)
    assert "99+" in browser.get("/").text
    assert unread_count(rita.pk) == 100


def test_the_bell_is_one_question_that_an_index_answers(rita, browser):
    tell(rita)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        browser.get("/")
    assert asks_of_notifications(queries) == 1


def test_a_label_costs_no_question_about_notifications():
    annotator = factories.make_user()
    factories.make_dataset(slug="chat", pairs=3)
    browser = signed_in(annotator)
    tell(annotator)
    form = fields(browser.get("/label/chat/"))
    with CaptureQueriesContext(connection) as queries:
        answer = browser.post("/label/chat/", form | {"choice": "1"}, headers=HTMX)
    assert answer.status_code == 200
    assert asks_of_notifications(queries) == 0
    assert not any("annotation_rework" in query["sql"] for query in queries)


def test_opening_one_marks_it_and_leads_to_its_page(rita, browser):
    told = tell(rita, path="/pairs/5/#comment-3")
    assert "Look here" in browser.get(PAGE).text
    assert unread_count(rita.pk) == 1
    assert browser.post(reverse("notification_open", args=[told.pk])).url == "/pairs/5/#comment-3"
    assert unread_count(rita.pk) == 0


def test_one_or_all_are_marked_as_read(rita, browser):
    tell(rita, times=3)
    other = tell(factories.make_user())
    one = rita.notifications.first()
    assert browser.post(reverse("notifications_read"), {"notification": one.pk}).url == PAGE
    assert unread_count(rita.pk) == 2
    assert "All are marked as read" in browser.post(reverse("notifications_read"), follow=True).text
    assert unread_count(rita.pk) == 0
    assert unread_count(other.person_id) == 1


@pytest.mark.parametrize("wrong", ["other", "0", "x", "9" * 30])
def test_nobody_reads_what_others_were_told(rita, browser, wrong):
    others = tell(factories.make_user(), text="SECRET")
    assert "SECRET" not in browser.get(PAGE).text
    assert browser.post(reverse("notification_open", args=[others.pk])).status_code == 404
    said = str(others.pk) if wrong == "other" else wrong
    assert browser.post(reverse("notifications_read"), {"notification": said}).status_code == 404
    assert Notification.objects.get().read_at is None


def test_looking_changes_nothing(rita, browser):
    told = tell(rita)
    for name in ("notification_open", "notifications_read", "notification_mail"):
        assert browser.get(reverse(name, args=[told.pk] if name == "notification_open" else [])).status_code == 405
    browser.get(PAGE)
    assert unread_count(rita.pk) == 1


def test_what_is_told_is_one_line_of_text(rita, browser):
    tell(rita, text="<script>alert(1)</script>\nof pair\r\nx" + "y" * 400)
    told = rita.notifications.get()
    assert len(told.text) == 300
    assert "\n" not in told.text
    assert "<script>alert" not in browser.get(PAGE).text


def test_old_ones_stand_on_further_pages(rita, browser):
    tell(rita, times=31)
    assert "Page 1 of 2" in browser.get(PAGE).text
    assert len(browser.get(PAGE, {"page": 2}).context["page"].object_list) == 1


def test_mail_can_be_turned_off_and_on_and_what_waits_is_then_not_mailed(rita, browser, settings):
    settings.EMAIL_HOST = "mail.example.org"
    tell(rita)
    assert rita.notifications.get().mail_at
    assert "rita@example.org" in browser.get(PAGE).text
    assert "no e-mail any more" in browser.post(reverse("notification_mail"), follow=True).text
    rita.refresh_from_db()
    assert not rita.wants_mail
    assert rita.notifications.get().mail_at is None
    tell(rita, text="later")
    assert not rita.notifications.filter(mail_at__isnull=False).exists()
    assert "told here only" in html.unescape(browser.get(PAGE).text)
    browser.post(reverse("notification_mail"), {"wants_mail": "on"})
    rita.refresh_from_db()
    assert rita.wants_mail


def test_the_page_says_why_there_is_no_mail(browser, rita, settings):
    assert "sends no mail" in browser.get(PAGE).text
    settings.EMAIL_HOST = "mail.example.org"
    rita.email = ""
    rita.save()
    assert "has no e-mail address" in browser.get(PAGE).text
