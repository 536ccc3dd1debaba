"""Who labels a dataset and how much: pools, quotas, and people who come and go on the way."""

import pytest
from django.urls import reverse

from annotation.assignment import claim_next
from annotation.dataset_settings import raise_labels_per_pair
from annotation.labeling import Decision, record_label
from annotation.models import Choice, Dataset, Label, LateDecision, Quota, Role, Skip, Slot
from annotation.pools import Stop, quota_of, set_pool, set_quotas, stop_for
from annotation.progress import own_progress
from annotation.settings_assignment import OrderSection, PeopleSection
from annotation.views import dataset_settings
from tests import factories
from tests.annotation.label_page import HTMX, fields, in_view, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def annotator():
    return factories.make_user(username="anna")


def label_next(user, dataset):
    slot = claim_next(user=user, dataset=dataset)
    if slot is None:
        return False
    decision = Decision(choice=Choice.FIRST, swapped=slot.swapped)
    return record_label(user=user, dataset=dataset, pair_id=slot.pair_id, decision=decision)


def test_a_quota_ends_with_its_last_label(annotator):
    dataset = factories.make_dataset(pairs=5, quota=2)
    assert [label_next(annotator, dataset) for _ in range(4)] == [True, True, False, False]
    assert Label.objects.count() == 2
    assert stop_for(user=annotator, dataset=dataset) == Stop.QUOTA
    assert label_next(factories.make_user(), dataset)


def test_progress_goes_up_to_the_quota(annotator):
    dataset = factories.make_dataset(pairs=5, quota=2)
    assert own_progress(user=annotator, dataset=dataset).available == 2
    label_next(annotator, dataset)
    progress = own_progress(user=annotator, dataset=dataset)
    assert (progress.done, progress.available) == (1, 2)


def test_the_quota_of_one_person_goes_before_that_of_all(annotator):
    dataset = factories.make_dataset(pairs=5, quota=1)
    other = factories.make_user()
    set_quotas(dataset=dataset, labels={annotator: 3})
    assert (quota_of(user=annotator, dataset=dataset), quota_of(user=other, dataset=dataset)) == (3, 1)
    assert [label_next(annotator, dataset) for _ in range(4)] == [True, True, True, False]
    assert [label_next(other, dataset) for _ in range(2)] == [True, False]
    set_quotas(dataset=dataset, labels={other: 2})
    assert list(Quota.objects.values_list("annotator", "labels")) == [(other.pk, 2)]
    assert label_next(other, dataset)


def test_a_quota_that_is_lowered_on_the_way_lets_the_open_pair_be_decided(annotator):
    dataset = factories.make_dataset(pairs=5, quota=3)
    label_next(annotator, dataset)
    slot = claim_next(user=annotator, dataset=dataset)
    Dataset.objects.update(quota=1)
    dataset.refresh_from_db()
    decision = Decision(choice=Choice.TIE, swapped=slot.swapped)
    assert record_label(user=annotator, dataset=dataset, pair_id=slot.pair_id, decision=decision)
    assert claim_next(user=annotator, dataset=dataset) is None


def test_who_is_taken_out_keeps_labels_and_loses_the_claim(annotator):
    dataset = factories.make_dataset(pairs=5)
    label_next(annotator, dataset)
    slot = claim_next(user=annotator, dataset=dataset)
    stays = factories.make_user()
    kept = claim_next(user=stays, dataset=dataset)
    set_pool(dataset=dataset, everyone=False, annotators=[stays])
    slot.refresh_from_db()
    assert (slot.state, slot.annotator) == (Slot.State.FREE, None)
    assert Slot.objects.get(pk=kept.pk).annotator == stays
    assert Label.objects.filter(annotator=annotator).count() == 1
    assert stop_for(user=annotator, dataset=dataset) == Stop.REMOVED
    assert stop_for(user=factories.make_user(), dataset=dataset) is None
    set_pool(dataset=dataset, everyone=False, annotators=[stays, annotator])
    assert stop_for(user=annotator, dataset=dataset) is None
    assert label_next(annotator, dataset)


def test_people_and_quotas_are_set_on_the_page(annotator):
    dataset = factories.make_dataset(pairs=1)
    data = {"annotators": [annotator.pk], "quota": "50", "quotas": "anna 200\n\n"}
    form = PeopleSection(data, instance=dataset)
    assert form.is_valid(), form.errors
    form.store()
    dataset.refresh_from_db()
    assert (dataset.everyone_labels, dataset.quota, list(dataset.annotators.all())) == (False, 50, [annotator])
    assert quota_of(user=annotator, dataset=dataset) == 200
    assert PeopleSection(instance=dataset).initial["quotas"] == "anna 200"


@pytest.mark.parametrize(
    ("quotas", "word"),
    [("anna", "Line 1"), ("anna 5\nbob 3", "Line 2: no annotator is called"), ("anna 5\nanna 6", "has a quota above"),
     ("anna -5", "Line 1"), ("rita 5", "no annotator is called")],
)  # fmt: skip
def test_quotas_that_are_none_are_told_by_line(annotator, quotas, word):
    factories.make_user(username="rita", role=Role.REVIEWER)
    form = PeopleSection({"everyone_labels": "on", "quotas": quotas}, instance=factories.make_dataset())
    assert not form.is_valid()
    assert word in str(form.errors["quotas"])


def test_every_line_of_quotas_that_is_wrong_is_told(annotator):
    quotas = "anna\nanna 5\nbob 3\nanna 6"
    form = PeopleSection({"everyone_labels": "on", "quotas": quotas}, instance=factories.make_dataset())
    assert not form.is_valid()
    assert [error.split(":")[0] for error in form.errors["quotas"]] == ["Line 1", "Line 3", "Line 4"]


@pytest.mark.parametrize(
    ("field", "value"), [("claim_minutes", "0"), ("claim_minutes", "9999"), ("labels_on_split", "10")]
)
def test_numbers_out_of_range_are_told(field, value):
    data = {"pair_order": "plain", "labels_on_split": "0", "claim_minutes": "30", field: value}
    form = OrderSection(data, instance=factories.make_dataset())
    assert not form.is_valid()
    assert "Choose" in str(form.errors[field])


def test_a_new_order_is_made_at_once_or_by_a_job(monkeypatch, django_capture_on_commit_callbacks):
    dataset = factories.make_dataset(pairs=3, labels_per_pair=2)
    data = {"pair_order": "fewest", "labels_on_split": "1", "claim_minutes": "30"}
    form = OrderSection(data, instance=dataset)
    assert form.is_valid(), form.errors
    with django_capture_on_commit_callbacks(execute=True):
        form.store()
    assert form.job is None
    assert sorted(Slot.objects.values_list("rank", flat=True)) == [0, 0, 0, 1, 1, 1]
    monkeypatch.setattr("annotation.dataset_settings.AT_ONCE", 2)
    form = OrderSection(data | {"pair_order": "plain"}, instance=Dataset.objects.get())
    assert form.is_valid()
    form.store()
    assert form.job.kind == "annotation.dataset_settings.arrange"


def page_of(dataset):
    return reverse("label", args=[dataset.slug])


def test_a_quota_reached_in_the_middle_is_told_kindly_with_whom_to_ask(annotator):
    factories.make_user(role=Role.RESEARCHER, username="rosa")
    dataset = factories.make_dataset(pairs=3, quota=1)
    browser = signed_in(annotator)
    shown = browser.get(page_of(dataset))
    answer = browser.post(page_of(dataset), fields(shown) | {"choice": "1"}, headers=HTMX)
    assert Label.objects.count() == 1
    assert "all the labels" in answer.text
    assert "ask rosa" in answer.text
    assert not Slot.objects.claimed_by(annotator).exists()
    Dataset.objects.update(quota=2)
    assert in_view(browser.get(page_of(dataset)))


def test_a_decision_that_comes_late_does_not_go_beyond_the_quota(annotator):
    """A first tab is left until its claim is gone; the quota is then filled in a second one."""
    dataset = factories.make_dataset(pairs=3, quota=1)
    browser = signed_in(annotator)
    first_tab = fields(browser.get(page_of(dataset)))
    Slot.objects.claimed_by(annotator).set_free()
    Skip.objects.create(pair_id=first_tab["pair"], annotator=annotator)
    browser.post(page_of(dataset), fields(browser.get(page_of(dataset))) | {"choice": "1"})
    Skip.objects.all().delete()
    answer = browser.post(page_of(dataset), first_tab | {"choice": "2", "rationale": "Thought over"}, follow=True)
    assert "as many labels as you were asked for" in answer.text
    assert Label.objects.count() == 1
    assert LateDecision.objects.get().pair_id == int(first_tab["pair"])


def test_who_is_taken_out_with_a_pair_in_view_is_told_and_nothing_is_lost(annotator):
    dataset = factories.make_dataset(pairs=3)
    browser = signed_in(annotator)
    shown = browser.get(page_of(dataset))
    decided = fields(shown) | {"choice": "1"}
    browser.post(page_of(dataset), decided)
    shown = browser.get(page_of(dataset))
    set_pool(dataset=dataset, everyone=False, annotators=[])
    answer = browser.post(page_of(dataset), fields(shown) | {"choice": "2"}, follow=True)
    assert "You no longer label" in answer.text
    assert LateDecision.objects.count() == 1
    assert Label.objects.count() == 1
    answer = browser.get(page_of(dataset), follow=True)
    assert "All labels that you gave are kept" in answer.text


def test_progress_is_counted_again_when_there_is_more_than_was_counted(annotator):
    dataset = factories.make_dataset(pairs=2, labels_per_pair=1)
    for pair in dataset.pairs.all():
        factories.make_label(pair=pair, annotator=factories.make_user())
    factories.make_pair(dataset=dataset)
    browser = signed_in(annotator)
    browser.post(page_of(dataset), fields(browser.get(page_of(dataset))) | {"choice": "1"})
    assert "Nothing left" in browser.get(page_of(dataset)).text
    raise_labels_per_pair(dataset=dataset, labels_per_pair=2, by=None)
    assert "<strong>1</strong> of 3 done" in browser.get(page_of(dataset)).text


@pytest.mark.django_db(transaction=True)
def test_two_researchers_who_raise_at_the_same_time_both_get_an_answer(monkeypatch):
    dataset = factories.make_dataset(slug="both", pairs=1, labels_per_pair=2)
    browser = signed_in(factories.make_user(role=Role.RESEARCHER))

    # Between this one's form and its storing the other one stores.
    def raise_after_another(**given):
        raise_labels_per_pair(dataset=dataset, labels_per_pair=5, by=None)
        return raise_labels_per_pair(**given)

    monkeypatch.setattr(dataset_settings, "raise_labels_per_pair", raise_after_another)
    answer = browser.post(reverse("labels_per_pair", args=["both"]), {"labels_per_pair": 3}, follow=True)
    assert answer.status_code == 200
    assert "already wants 5 labels a pair" in answer.text
    assert Slot.objects.count() == 5
