"""What a reviewer's word about somebody does: a pause, and labels that are left out of gold."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.urls import reverse

from annotation import onboarding, rework
from annotation.adjudication_queue import adjudicate_unanimous
from annotation.controls import set_control
from annotation.left_out import ids_left_out
from annotation.models import (
    Adjudication,
    Choice,
    Control,
    Dataset,
    Draft,
    Label,
    LateDecision,
    Rework,
    Role,
    Slot,
    Standing,
)
from annotation.pools import set_pool
from judging.dataset_page import numbers_of
from tests import factories
from tests.annotation.label_page import fields, signed_in

pytestmark = pytest.mark.django_db
PAGE = reverse("label", args=["plain"])


@pytest.fixture
def reviewer():
    return factories.make_user(role=Role.REVIEWER)


@pytest.fixture
def dataset():
    """One that asks for no qualification and has no control pairs."""
    return factories.make_dataset(slug="plain", pairs=3)


@pytest.fixture
def say(reviewer, annotator, dataset):
    team = signed_in(reviewer)

    def say_it(action: str) -> None:
        change = reverse("standing_change", args=["plain", annotator.pk])
        assert team.post(change, {"action": action, "note": f"Please {action}."}).status_code == 302

    return say_it


def test_a_pause_holds_in_a_dataset_that_asks_for_no_qualification(annotator, say):
    browser = signed_in(annotator)
    assert fields(browser.get(PAGE))
    say("pause")
    text = browser.get(PAGE).text
    assert "is paused" in text
    assert "Please pause." in text
    assert not fields(browser.get(PAGE))
    assert not Slot.objects.filter(state=Slot.State.CLAIMED).exists()
    say("go_on")
    assert fields(browser.get(PAGE))


def test_what_a_paused_person_sends_from_an_open_page_is_kept_and_counts_for_nothing(annotator, say):
    browser = signed_in(annotator)
    form = fields(browser.get(PAGE))
    say("pause")
    page = browser.post(PAGE, {**form, "choice": "1", "rationale": "It is right."}, follow=True)
    assert "You may not label this dataset at the moment" in page.text
    assert not Label.objects.exists()
    kept = LateDecision.objects.get()
    assert (kept.pair_id, kept.annotator, kept.rationale) == (int(form["pair"]), annotator, "It is right.")


def test_a_pair_that_was_taken_as_the_pause_came_is_not_labelled_either(annotator, say, dataset):
    browser = signed_in(annotator)
    form = fields(browser.get(PAGE))
    say("pause")
    Slot.objects.filter(pair=form["pair"], number=1).update(
        state=Slot.State.CLAIMED, annotator=annotator, claimed_at=dataset.created_at, expires_at="2100-01-01T00:00Z"
    )
    browser.post(PAGE, {**form, "choice": "1"})
    assert not Label.objects.exists()
    assert LateDecision.objects.count() == 1
    assert not Slot.objects.exclude(state=Slot.State.FREE).exists()


def test_of_what_is_sent_while_paused_the_latest_is_kept_and_the_words_are_there_when_the_pair_is(annotator, say):
    browser = signed_in(annotator)
    form = fields(browser.get(PAGE))
    for words in ("First words.", "Second words."):
        say("pause")
        browser.post(PAGE, {**form, "choice": "2", "rationale": words})
        assert LateDecision.objects.get().rationale == words
        say("go_on")
        page = browser.get(PAGE)
        assert fields(page)["pair"] == form["pair"]
        assert words in page.text
    browser.post(PAGE, {**fields(page), "choice": "1", "rationale": "Third."})
    assert (Label.objects.get().rationale, Draft.objects.count()) == ("Third.", 0)


def test_who_is_taken_off_and_sends_less_than_is_asked_for_by_now_is_told_kindly(annotator, dataset):
    browser = signed_in(annotator)
    browser.post(PAGE, {**fields(browser.get(PAGE)), "choice": "1"})
    form = fields(browser.get(PAGE))
    Dataset.objects.update(everyone_labels=False, rationale="required")
    page = browser.post(PAGE, {**form, "choice": "1"}, follow=True)
    assert "You no longer label" in page.text
    assert not LateDecision.objects.exists()


def test_a_paused_person_is_not_invited_to_look_at_what_came_back(annotator, say, reviewer):
    browser = signed_in(annotator)
    form = fields(browser.get(PAGE))
    browser.post(PAGE, {**form, "choice": "1"})
    rework.send_back(label_id=Label.objects.get().pk, comment="Please look again.", by=reviewer)
    assert "1 to look at again" in browser.get(reverse("home")).text
    say("pause")
    assert "to look at again" not in browser.get(reverse("home")).text
    text = browser.get(reverse("rework", args=["plain"])).text
    assert "these pairs wait until you may" in text
    assert "Look at the first" not in text
    assert browser.get(reverse("label_pair", args=["plain", form["pair"]])).url == PAGE


def test_reviewers_are_told_of_a_round_that_was_not_passed(annotator, reviewer):
    gated = factories.make_dataset(pass_percent=75)
    control = set_control(
        pair=factories.make_pair(dataset=gated), use="qualification", choice=Choice.FIRST, explanation="", by=reviewer
    )
    onboarding.answer_qualification(user=annotator, control=control, choice=Choice.TIE, swapped=False, seconds=1)
    assert "did not pass the qualification round" in reviewer.notifications.get().text


def test_how_far_a_dataset_is_counts_labels_that_are_left_out_of_gold(annotator, dataset):
    Dataset.objects.update(labels_per_pair=2)
    dataset.refresh_from_db()
    for pair in dataset.pairs.all()[:2]:
        factories.make_label(pair=pair, annotator=annotator)
    factories.make_label(pair=dataset.pairs.first(), annotator=factories.make_user())
    before = numbers_of(dataset=dataset, wait=True)
    Standing.objects.create(dataset=dataset, annotator=annotator, left_out=True)
    after = numbers_of(dataset=dataset, wait=True)
    assert (before.labels, before.fully_labelled) == (after.labels, after.fully_labelled) == (3, 1)
    assert (sum(before.choices), sum(after.choices)) == (3, 1)


def test_the_same_decision_again_after_a_pause_changes_nothing(annotator, say):
    browser = signed_in(annotator)
    form = fields(browser.get(PAGE))
    browser.post(PAGE, {**form, "choice": "1"})
    say("pause")
    browser.post(PAGE, {**form, "choice": "2"})
    assert Label.objects.count() == 1
    assert not LateDecision.objects.exists()


def test_an_earlier_decision_stands_while_its_annotator_is_paused_and_what_they_wrote_is_a_draft(annotator, say):
    browser = signed_in(annotator)
    form = fields(browser.get(PAGE))
    browser.post(PAGE, {**form, "choice": "1"})
    before = Label.objects.values().get()
    at = reverse("label_pair", args=["plain", form["pair"]])
    again = fields(browser.get(at))
    say("pause")
    answer = browser.post(at, {**again, "choice": "2", "rationale": "On second thoughts."})
    assert answer.status_code == 409
    assert "your earlier decision of that pair stands" in answer.text
    assert Label.objects.values().get() == before
    assert Draft.objects.get().fields["rationale"] == "On second thoughts."


def test_what_looks_at_a_standing_of_before_changes_nothing_else_of_it(annotator, dataset, reviewer):
    """A reviewer leaves the labels out while what follows from control pairs is found out."""
    Standing.objects.create(dataset=dataset, annotator=annotator)
    read_before = Standing.objects.get()
    onboarding.leave_out(standing=Standing.objects.get(), note="Out.", by=reviewer)
    onboarding.pause(standing=read_before, note="Wrong.", by=None)
    found = Standing.objects.get()
    assert (found.state, found.note, found.left_out, found.left_out_note) == ("paused", "Wrong.", True, "Out.")


def test_a_paused_person_keeps_no_label_that_came_back_and_is_shown_nothing(annotator, say, dataset, reviewer):
    Dataset.objects.update(reveals=True)
    browser = signed_in(annotator)
    form = fields(browser.get(PAGE))
    browser.post(PAGE, {**form, "choice": "1"})
    label = Label.objects.get()
    rework.send_back(label_id=label.pk, comment="Please look again.", by=reviewer)
    showing = fields(browser.get(reverse("label_pair", args=["plain", label.pair_id])))["showing"]
    say("pause")
    for name, said in [("rework_keep", {"showing": showing}), ("reveal_pair", {})]:
        page = browser.post(reverse(name, args=["plain", label.pair_id]), said, follow=True)
        assert "so nothing was changed" in page.text, name
    label.refresh_from_db()
    assert label.revealed_at is None
    assert Rework.objects.open().count() == 1


@pytest.mark.parametrize(("first", "second"), [("pause", "leave_out"), ("leave_out", "pause")])
def test_a_pause_and_labels_left_out_of_gold_do_not_end_each_other(annotator, say, dataset, first, second):
    factories.make_label(annotator=annotator, pair=dataset.pairs.first())
    say(first)
    say(second)
    text = signed_in(annotator).get(PAGE).text
    assert "is paused" in text
    assert "Please pause." in text
    assert ids_left_out(dataset) == [annotator.pk]
    say("go_on")
    assert ids_left_out(dataset) == [annotator.pk]
    assert fields(signed_in(annotator).get(PAGE))
    assert "Please leave_out." in signed_in(annotator).get(reverse("onboarding", args=["plain"])).text
    say("count_again")
    assert ids_left_out(dataset) == []


def test_people_who_are_not_asked_to_label_any_more_are_marked_so(annotator, say, dataset, reviewer):
    factories.make_label(annotator=annotator, pair=dataset.pairs.first())
    say("pause")
    say("go_on")
    page = reverse("standings", args=["plain"])
    assert "Not asked to label" not in signed_in(reviewer).get(page).text
    set_pool(dataset=dataset, everyone=False, annotators=[])
    text = signed_in(reviewer).get(page).text
    assert "Qualified" in text
    assert text.count("Not asked to label") == 1


def test_who_did_not_qualify_still_may_not_label_when_their_labels_are_left_out(annotator, reviewer):
    gated = factories.make_dataset(pairs=2, pass_percent=75)
    pair = factories.make_pair(dataset=gated)
    set_control(pair=pair, use=Control.Use.QUALIFICATION, choice=Choice.FIRST, explanation="", by=reviewer)
    failed = Standing.objects.create(dataset=gated, annotator=annotator, state=Standing.State.FAILED)
    onboarding.leave_out(standing=failed, note="", by=reviewer)
    assert onboarding.barrier(user=annotator, dataset=gated).state == Standing.State.FAILED


def test_bulk_adjudication_takes_labels_that_are_left_out_as_not_given(reviewer):
    dataset = factories.make_dataset(labels_per_pair=2, labels_on_split=1)
    one, two, out = (factories.make_user() for _ in range(3))
    agreed, thin, saved = (factories.make_pair(dataset=dataset) for _ in range(3))
    for pair, person, choice in [
        (agreed, one, Choice.FIRST),
        (agreed, two, Choice.FIRST),
        (thin, one, Choice.FIRST),
        (thin, out, Choice.FIRST),
        (saved, one, Choice.SECOND),
        (saved, out, Choice.FIRST),
        (saved, two, Choice.SECOND),
    ]:
        factories.make_label(pair=pair, annotator=person, choice=choice)
    Standing.objects.create(dataset=dataset, annotator=out, left_out=True)
    assert adjudicate_unanimous(dataset=dataset, by=reviewer) == 2
    decided = set(Adjudication.objects.values_list("pair", "choice"))
    assert decided == {(agreed.pk, Choice.FIRST), (saved.pk, Choice.SECOND)}


@pytest.mark.django_db(transaction=True)
def test_standings_of_before_are_parted_and_joined_again():
    dataset = factories.make_dataset()
    before = ["qualified", "learning", "failed", "paused"]
    made = [
        Standing.objects.create(
            dataset=dataset, annotator=factories.make_user(), state=state, note="n", left_out=True, left_out_note="out"
        )
        for state in before
    ]
    latest = MigrationExecutor(connection).loader.graph.leaf_nodes("annotation")
    try:
        MigrationExecutor(connection).migrate([("annotation", "0020_control_pairs_want_no_labels")])
        with connection.cursor() as cursor:
            cursor.execute("SELECT state, note FROM annotation_standing ORDER BY id")
            assert cursor.fetchall() == [*[("excluded", "out")] * 3, ("paused", "n")]
    finally:
        MigrationExecutor(connection).migrate(latest)
    fields = ("state", "note", "left_out", "left_out_note")
    after = Standing.objects.filter(pk__in=[each.pk for each in made]).order_by("pk").values_list(*fields)
    assert list(after) == [*[("qualified", "", True, "out")] * 3, ("paused", "n", False, "")]
