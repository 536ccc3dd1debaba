"""Labels that go back: sent with a comment, seen as they were seen, decided again or kept, and still blind."""

import html
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from django.db import connections, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation import rework
from annotation.labeling import in_other_terms
from annotation.models import Adjudication, Choice, Label, LabelRevision, Notification, Rework, Role
from tests import factories
from tests.annotation.label_page import HTMX, fields, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def reviewer():
    return factories.make_user(role=Role.REVIEWER, username="rita")


@pytest.fixture
def annotator():
    return factories.make_user(username="anna")


@pytest.fixture
def dataset():
    return factories.make_dataset(slug="chat", labels_per_pair=2)


@pytest.fixture
def label(dataset, annotator):
    """Response 2 stood left when anna preferred the right one, which is response 1."""
    pair = factories.make_pair(dataset=dataset, texts=("ONE", "TWO"), generators=("secret-model-x", "secret-model-y"))
    made = factories.make_label(pair=pair, annotator=annotator, shown_swapped=True, rationale="own words")
    peer = factories.make_user(username="secret-peer")
    factories.make_label(pair=pair, annotator=peer, choice=Choice.SECOND, rationale="SECRET RATIONALE")
    return made


def sent(label: Label, reviewer, comment: str = "Is the second fact true?") -> Rework:
    return rework.send_back(label_id=label.pk, comment=comment, by=reviewer)


def pair_page(label: Label) -> str:
    return reverse("label_pair", args=[label.pair.dataset.slug, label.pair_id])


def keep_page(label: Label) -> str:
    return reverse("rework_keep", args=[label.pair.dataset.slug, label.pair_id])


def text_of(response) -> str:
    return html.unescape(response.text)


def test_who_is_asked_to_look_again_is_not_offered_what_others_said(annotator, reviewer, dataset, label):
    """Whoever has seen it can't decide again."""
    dataset.reveals = True
    dataset.save()
    offer = reverse("reveal_pair", args=[dataset.slug, label.pair_id])
    assert offer in signed_in(annotator).get(pair_page(label)).text
    sent(label, reviewer)
    assert offer not in signed_in(annotator).get(pair_page(label)).text


def test_a_reviewer_sends_a_label_back_from_the_page_of_the_pair(client, reviewer, annotator, label):
    client.force_login(reviewer)
    page = reverse("pair", args=[label.pair_id])
    assert "Send back" in text_of(client.get(page))
    address = reverse("send_back", args=[label.pk])
    answer = client.post(f"{address}?kind=human_split", {"comment": "Is it\r\ntrue?"})
    assert answer.url == f"{page}?kind=human_split"
    content = text_of(client.get(page))
    assert "You will be told" in content
    assert "Withdraw" in content
    made = Rework.objects.get()
    assert (made.label, made.comment, made.sent_by, made.choice_before) == (label, "Is it\ntrue?", reviewer, 1)
    told = Notification.objects.get(person=annotator)
    assert told.path == "/label/chat/rework/"
    assert "rita" not in told.text


def test_the_annotator_finds_it_where_they_look(reviewer, annotator, label):
    sent(label, reviewer)
    browser = signed_in(annotator)
    assert "1 to look at again" in text_of(browser.get(reverse("home")))
    assert "1 of your pairs came back" in text_of(browser.get(reverse("label", args=["chat"])))
    queue = text_of(browser.get(reverse("rework", args=["chat"])))
    assert "Is the second fact true?" in queue
    assert "response 2 is better" in queue  # In the terms of what she saw: response 1 stood right.


def test_the_pair_comes_as_it_was_seen_with_the_own_decision_and_the_comment(reviewer, annotator, label):
    sent(label, reviewer)
    for slot_swapped in (True, False):
        label.pair.slots.filter(annotator=annotator).update(swapped=slot_swapped)
        content = text_of(signed_in(annotator).get(pair_page(label)))
        assert content.index("TWO") < content.index("ONE")
        assert "Is the second fact true?" in content
        assert "own words" in content
        assert "response 2 is better" in content


def test_nothing_of_peers_models_or_the_sender_comes_along(reviewer, annotator, label):
    sent(label, reviewer)
    Adjudication.objects.create(pair=label.pair, choice=2, cause="mistake", by=reviewer, note="SECRET NOTE")
    factories.make_guideline(dataset=label.pair.dataset)
    browser = signed_in(annotator)
    received = "".join(
        browser.get(page, headers=headers).text
        for page in ("/", "/notifications/", "/label/chat/rework/", "/label/chat/", pair_page(label))
        for headers in ({}, HTMX)
    )
    for secret in ("secret-peer", "SECRET RATIONALE", "secret-model", "SECRET NOTE", "rita", "djudicat"):
        assert secret not in received


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_decided_again_it_is_over_and_the_history_tells(reviewer, annotator, label, headers):
    open_one = sent(label, reviewer)
    browser = signed_in(annotator)
    shown = browser.get(pair_page(label))
    answer = browser.post(pair_page(label), fields(shown) | {"choice": "1", "rationale": "new"}, headers=headers)
    assert (answer.headers.get("HX-Redirect") or answer.url) == "/label/chat/rework/"
    label.refresh_from_db()
    open_one.refresh_from_db()
    assert label.choice == in_other_terms(Choice.FIRST, swapped=True) == Choice.SECOND
    assert (open_one.outcome, open_one.choice_before, open_one.choice_after) == ("changed", 1, 2)
    assert LabelRevision.objects.get(label=label).choice == Choice.FIRST
    assert "you have decided all of it" in text_of(browser.get("/label/chat/rework/"))
    told = Notification.objects.get(person=reviewer)
    assert "anna changed their label" in told.text
    assert told.path == reverse("pair", args=[label.pair_id])


@pytest.mark.parametrize("by", ["the button", "the same decision"])
def test_kept_it_is_over_and_the_label_knows_the_guidelines_that_were_read(reviewer, annotator, label, by):
    newer = factories.make_guideline(dataset=label.pair.dataset)
    open_one = sent(label, reviewer)
    browser = signed_in(annotator)
    form = fields(browser.get(pair_page(label)))
    if by == "the button":
        assert browser.post(keep_page(label), {"showing": form["showing"]}).url == "/label/chat/rework/"
    else:
        browser.post(pair_page(label), form | {"choice": "2", "rationale": "own words"})
    open_one.refresh_from_db()
    label.refresh_from_db()
    assert (open_one.outcome, open_one.choice_after, open_one.guideline_before) == ("kept", 1, None)
    assert (label.choice, label.guideline) == (1, newer)
    assert not LabelRevision.objects.exists()
    assert "anna kept their label" in Notification.objects.get(person=reviewer).text


def unread(annotator) -> int:
    return Notification.objects.unread().filter(person=annotator).count()


def test_what_was_told_of_it_is_read_once_nothing_waits_any_more(reviewer, annotator, dataset, label):
    other = factories.make_label(pair=factories.make_pair(dataset=dataset), annotator=annotator)
    sent(label, reviewer)
    withdrawn = sent(other, reviewer)
    assert unread(annotator) == 2
    browser = signed_in(annotator)
    browser.post(keep_page(label), {"showing": fields(browser.get(pair_page(label)))["showing"]})
    assert unread(annotator) == 2
    assert rework.withdraw(rework=withdrawn)
    assert unread(annotator) == 0


def test_one_after_the_other(reviewer, annotator, dataset, label):
    second = factories.make_label(pair=factories.make_pair(dataset=dataset), annotator=annotator)
    sent(label, reviewer)
    sent(second, reviewer)
    browser = signed_in(annotator)
    shown = fields(browser.get(pair_page(label)))
    assert browser.post(keep_page(label), {"showing": shown["showing"]}).url == pair_page(second)


def test_keeping_twice_or_what_was_withdrawn_changes_nothing(reviewer, annotator, label, client):
    browser = signed_in(annotator)
    open_one = sent(label, reviewer)
    shown = fields(browser.get(pair_page(label)))
    client.force_login(reviewer)
    client.post(reverse("rework_withdraw", args=[open_one.pk]))
    answer = browser.post(keep_page(label), {"showing": shown["showing"]}, follow=True)
    assert "did not wait for you any more" in text_of(answer)
    open_one.refresh_from_db()
    assert (open_one.outcome, open_one.choice_after) == ("withdrawn", None)
    assert "decided already" in text_of(client.post(reverse("rework_withdraw", args=[open_one.pk]), follow=True))
    assert sent(label, reviewer).pk != open_one.pk


def test_nobody_keeps_a_label_of_somebody_else_or_without_having_it_before_them(reviewer, annotator, label):
    sent(label, reviewer)
    showing = fields(signed_in(annotator).get(pair_page(label)))["showing"]
    other = factories.make_user()
    assert signed_in(other).post(keep_page(label), {"showing": showing}).status_code == 404
    assert signed_in(annotator).post(keep_page(label), {"showing": "made up"}).status_code == 404
    assert signed_in(annotator).post(keep_page(label)).url == pair_page(label)
    assert not Rework.objects.exclude(done_at=None).exists()


def test_a_double_click_sends_once_and_another_word_waits_for_the_first(reviewer, label):
    assert sent(label, reviewer) == sent(label, reviewer)
    with pytest.raises(rework.CannotGoBackError, match="already"):
        sent(label, reviewer, "something else")
    assert Notification.objects.count() == 1


@pytest.mark.parametrize("seen", ["revealed_at", "audited_at"])
def test_a_label_whose_annotator_has_seen_what_others_or_a_judge_said_stays(client, reviewer, annotator, label, seen):
    open_one = sent(label, reviewer)
    Label.objects.filter(pk=label.pk).update(**{seen: timezone.now()})
    assert not rework.open_rework(annotator=annotator, pair_id=label.pair_id)
    assert "Nothing waits" in text_of(signed_in(annotator).get("/label/chat/rework/"))
    client.force_login(reviewer)
    assert "would not be blind" in text_of(client.get(reverse("pair", args=[label.pair_id])))
    assert "Overtaken" in text_of(client.get(reverse("reworks", args=["chat"])))
    rework.withdraw(rework=open_one)
    with pytest.raises(rework.CannotGoBackError, match="not be blind"):
        sent(label, reviewer)


def test_a_label_of_somebody_who_is_not_here_any_more_stays(reviewer, annotator, dataset, label):
    dataset.everyone_labels = False
    dataset.save()
    with pytest.raises(rework.CannotGoBackError, match="does not label"):
        sent(label, reviewer)
    annotator.is_active = False
    annotator.save()
    with pytest.raises(rework.CannotGoBackError, match="cannot sign in"):
        sent(label, reviewer)


@pytest.mark.parametrize(("comment", "says"), [(" ", "Say what to look at"), ("x" * 2001, "at most 2000")])
def test_nothing_is_sent_without_a_word_or_with_too_many(client, reviewer, label, comment, says):
    client.force_login(reviewer)
    answer = client.post(reverse("send_back", args=[label.pk]), {"comment": comment}, follow=True)
    assert says in text_of(answer)
    assert not Rework.objects.exists()


def test_what_a_reviewer_writes_is_text(reviewer, annotator, label):
    sent(label, reviewer, "<script>alert(1)</script> **look**")
    for page in ("/label/chat/rework/", pair_page(label)):
        content = signed_in(annotator).get(page).text
        assert "<script>alert" not in content
        assert "<strong>look</strong>" in content


def test_reviewers_read_what_became_of_all(client, reviewer, annotator, dataset, label):
    labels = [
        label,
        *(factories.make_label(pair=factories.make_pair(dataset=dataset), annotator=annotator) for _ in "ab"),
    ]
    for each in labels:
        sent(each, reviewer)
    rework.keep(annotator=annotator, pair_id=labels[1].pair_id, guideline_id=None)
    rework.withdraw(rework=labels[2].reworks.get())
    client.force_login(reviewer)
    for state, pairs in (("open", [label]), ("kept", [labels[1]]), ("withdrawn", [labels[2]]), ("", labels)):
        page = client.get(reverse("reworks", args=["chat"]), {"state": state})
        assert {row.label for row in page.context["page"]} == set(pairs)
    counts = page.context["counts"]
    assert (counts.open, counts.kept, counts.withdrawn, counts.changed, counts.overtaken) == (1, 1, 1, 0, 0)
    for wrong in ({"state": "lost"}, {"round": "x"}, {"round": "1"}):
        assert client.get(reverse("reworks", args=["chat"]), wrong).status_code == 404


def test_an_annotator_sends_nothing_back_and_reads_no_list(annotator, label):
    browser = signed_in(annotator)
    assert browser.post(reverse("send_back", args=[label.pk]), {"comment": "x"}).status_code == 403
    assert browser.get(reverse("reworks", args=["chat"])).status_code == 403
    assert Client().get("/label/chat/rework/").status_code == 302


@pytest.mark.django_db(transaction=True)
def test_a_label_that_is_revealed_in_the_moment_of_keeping_it_is_not_kept(reviewer, annotator, dataset, label):
    sent(label, reviewer)
    newest = factories.make_guideline(dataset=dataset)

    def keep() -> bool:
        try:
            return rework.keep(annotator=annotator, pair_id=label.pair_id, guideline_id=newest.pk)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Label.objects.filter(pk=label.pk).update(revealed_at=timezone.now())
            kept = pool.submit(keep)
            wait([kept], timeout=0.5)  # It waits for this transaction, in which the label is revealed.
        assert not kept.result(timeout=10)
    label.refresh_from_db()
    assert label.guideline is None
    assert Rework.objects.get().outcome == ""


def test_a_mail_server_that_is_down_keeps_no_label_from_going_back(client, reviewer, annotator, label, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    annotator.email = "anna@example.org"
    annotator.save()
    client.force_login(reviewer)
    address = reverse("send_back", args=[label.pk])
    answer = client.post(address, {"comment": "Is it true?"}, follow=True)
    assert "You will be told" in text_of(answer)
    assert Notification.objects.get(person=annotator).mail_at is not None
    assert "Is it true?" in text_of(signed_in(annotator).get(reverse("rework", args=["chat"])))
