"""Labels: stored once, in the pair's own terms, with what they said before."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import IntegrityError, connection
from django.utils import timezone

from annotation import progress
from annotation.assignment import NoClaimError, claim_next
from annotation.labeling import Decision, change_label, in_other_terms, record_label
from annotation.mixing import beside
from annotation.models import Choice, Label, LabelRevision, Slot
from annotation.progress import own_progress
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def annotator():
    return factories.make_user()


@pytest.fixture
def dataset():
    return factories.make_dataset(pairs=4, labels_per_pair=2)


def decide(slot, user, choice=Choice.FIRST, **fields):
    decision = Decision(choice=choice, swapped=slot.swapped, **fields)
    return record_label(user=user, dataset=slot.dataset, pair_id=slot.pair_id, decision=decision)


@pytest.mark.parametrize(
    ("shown", "swapped", "stored"),
    [
        (Choice.FIRST, False, Choice.FIRST),
        (Choice.SECOND, False, Choice.SECOND),
        (Choice.TIE, False, Choice.TIE),
        (Choice.FIRST, True, Choice.SECOND),
        (Choice.SECOND, True, Choice.FIRST),
        (Choice.TIE, True, Choice.TIE),
    ],
)
def test_a_label_is_stored_in_the_pairs_own_terms(annotator, dataset, shown, swapped, stored):
    slot = claim_next(user=annotator, dataset=dataset)
    slot.swapped = swapped
    slot.save()
    decide(slot, annotator, shown)
    label = Label.objects.get()
    assert (label.choice, label.shown_swapped) == (stored, swapped)
    assert in_other_terms(Choice(label.choice), swapped=swapped) == shown


def test_a_label_keeps_all_that_was_said_and_fills_its_slot(annotator, dataset):
    guideline = factories.make_guideline(dataset=dataset)
    slot = claim_next(user=annotator, dataset=dataset)
    decide(slot, annotator, rationale="Clearer.", flag="expert", seconds=12.5, guideline_id=guideline.pk)
    label = Label.objects.get()
    assert (label.pair, label.annotator, label.rationale) == (slot.pair, annotator, "Clearer.")
    assert (label.flag, label.seconds, label.guideline) == ("expert", 12.5, guideline)
    slot.refresh_from_db()
    assert slot.state == Slot.State.DONE


def test_the_same_decision_twice_is_one_label_and_the_first_stands(annotator, dataset):
    slot = claim_next(user=annotator, dataset=dataset)
    assert decide(slot, annotator, Choice.FIRST) is True
    assert decide(slot, annotator, Choice.TIE) is False
    assert Label.objects.get().choice == in_other_terms(Choice.FIRST, swapped=slot.swapped)
    assert not LabelRevision.objects.exists()


def test_a_claim_that_ran_out_but_that_nobody_took_is_still_good(annotator, dataset):
    slot = claim_next(user=annotator, dataset=dataset)
    Slot.objects.filter(pk=slot.pk).update(expires_at=timezone.now() - timedelta(hours=1))
    assert decide(slot, annotator) is True


def test_a_label_for_anothers_slot_is_refused_and_nothing_is_stored(annotator, dataset):
    slot = claim_next(user=annotator, dataset=dataset)
    with pytest.raises(NoClaimError):
        decide(slot, factories.make_user())
    assert not Label.objects.exists()


def test_a_label_for_a_claim_that_somebody_else_took_over_is_refused(annotator, dataset):
    slot = claim_next(user=annotator, dataset=dataset)
    Slot.objects.filter(pk=slot.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    other = factories.make_user()
    assert claim_next(user=other, dataset=dataset).pk == slot.pk
    with pytest.raises(NoClaimError):
        decide(slot, annotator)
    assert decide(slot, other) is True
    assert Label.objects.get().annotator == other


def test_a_pair_of_another_dataset_is_refused(annotator, dataset):
    slot = claim_next(user=annotator, dataset=dataset)
    with pytest.raises(NoClaimError):
        record_label(
            user=annotator,
            dataset=factories.make_dataset(),
            pair_id=slot.pair_id,
            decision=Decision(choice=Choice.TIE, swapped=False),
        )


def test_the_database_itself_refuses_a_label_without_a_slot(annotator, dataset):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(IntegrityError, match="label_has_slot"):
        Label.objects.create(pair=dataset.pairs.first(), annotator=annotator, choice=Choice.TIE)


def test_a_changed_label_keeps_what_it_said_before(annotator, dataset):
    slot = claim_next(user=annotator, dataset=dataset)
    decide(slot, annotator, Choice.FIRST, rationale="a", seconds=3)
    first = Label.objects.get()
    change_label(
        user=annotator,
        dataset=dataset,
        pair_id=slot.pair_id,
        decision=Decision(choice=Choice.TIE, swapped=slot.swapped, rationale="b", seconds=5),
    )
    label, revision = Label.objects.get(), LabelRevision.objects.get()
    assert (label.choice, label.rationale, label.seconds) == (Choice.TIE, "b", 5)
    assert (revision.choice, revision.rationale, revision.seconds) == (first.choice, "a", 3)
    assert revision.decided_at == first.changed_at
    assert label.changed_at > first.changed_at
    assert label.created_at == first.created_at


def test_the_same_decision_again_makes_no_revision(annotator, dataset):
    slot = claim_next(user=annotator, dataset=dataset)
    decide(slot, annotator, Choice.FIRST)
    again = Decision(choice=Choice.FIRST, swapped=slot.swapped, seconds=99)
    change_label(user=annotator, dataset=dataset, pair_id=slot.pair_id, decision=again)
    assert not LabelRevision.objects.exists()
    assert Label.objects.get().seconds is None


def test_nobody_changes_anothers_label(annotator, dataset):
    slot = claim_next(user=annotator, dataset=dataset)
    decide(slot, annotator)
    with pytest.raises(NoClaimError):
        change_label(
            user=factories.make_user(),
            dataset=dataset,
            pair_id=slot.pair_id,
            decision=Decision(choice=Choice.TIE, swapped=False),
        )


def test_earlier_decisions_are_walked_in_the_order_in_which_they_were_taken(annotator, dataset):
    slots = []
    for _ in range(3):
        slots.append(claim_next(user=annotator, dataset=dataset))
        decide(slots[-1], annotator)
    one, two, three = slots
    assert beside(user=annotator, dataset=dataset, slot=one) == (None, two.pair_id)
    assert beside(user=annotator, dataset=dataset, slot=two) == (one.pair_id, three.pair_id)
    assert beside(user=annotator, dataset=dataset, slot=three) == (two.pair_id, None)


def test_before_an_imported_label_comes_the_latest_decision(annotator, dataset):
    slot = claim_next(user=annotator, dataset=dataset)
    decide(slot, annotator)
    imported = factories.make_label(pair=dataset.pairs.last(), annotator=annotator)
    own = Slot.objects.get(pair=imported.pair, annotator=annotator)
    assert beside(user=annotator, dataset=dataset, slot=own) == (slot.pair_id, None)


def test_progress_counts_what_is_done_and_what_is_open(annotator, dataset):
    assert (p := own_progress(user=annotator, dataset=dataset)).done == 0
    assert (p.available, p.latest) == (4, None)
    slot = claim_next(user=annotator, dataset=dataset)
    assert own_progress(user=annotator, dataset=dataset).done == 0
    decide(slot, annotator)
    p = own_progress(user=annotator, dataset=dataset)
    assert (p.done, p.available, p.latest) == (1, 4, slot.pair_id)


def test_progress_leaves_out_pairs_that_others_filled_and_counts_imported_labels(annotator, dataset):
    first, second, *_ = dataset.pairs.order_by("pk")
    factories.make_label(pair=first, annotator=annotator)
    for _ in range(2):
        factories.make_label(pair=second, annotator=factories.make_user())
    p = own_progress(user=annotator, dataset=dataset)
    assert (p.done, p.available, p.latest) == (1, 3, None)


def test_progress_is_the_same_whether_counted_anew_or_from_an_earlier_count(annotator, dataset):
    own_progress(user=annotator, dataset=dataset)
    for _ in range(3):
        decide(claim_next(user=annotator, dataset=dataset), annotator)
    kept = own_progress(user=annotator, dataset=dataset)
    cache.clear()
    assert own_progress(user=annotator, dataset=dataset) == kept


def test_however_many_labels_follow_a_count_only_the_newest_are_read_and_none_is_lost(annotator, monkeypatch):
    read = []
    really = progress._labelled_since
    monkeypatch.setattr(progress, "_labelled_since", lambda *given: read.append(really(*given)) or read[-1])
    dataset = factories.make_dataset(pairs=60, labels_per_pair=1)
    for done in range(51):
        p = own_progress(user=annotator, dataset=dataset)
        assert (p.done, p.available) == (done, 60)
        slot = claim_next(user=annotator, dataset=dataset)
        assert p.latest != slot.pair_id
        decide(slot, annotator)
    assert 1 < max(len(newest) for newest in read) <= 10
