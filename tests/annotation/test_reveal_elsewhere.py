"""The reveal beside all else that fixes or opens a decision: audits, adjudication, rework, control pairs, twins."""

import pytest
from django.urls import reverse

from annotation import rework
from annotation.adjudication import adjudicate
from annotation.assignment import claim_next
from annotation.controls import answer, set_control
from annotation.models import Adjudication, Choice, Control, ControlAnswer, Label, Pair, Role, Skip, Slot
from judging.audits import auditing
from judging.models import JudgeRun, Verdict
from tests import factories
from tests.annotation.label_page import fields, in_view
from tests.judging.audits.made import draw_sample

pytestmark = pytest.mark.django_db

PEER = "PEERS OWN WORDS"


@pytest.fixture
def dataset():
    return factories.make_dataset(slug="seen", reveals=True, labels_per_pair=2)


@pytest.fixture
def pair(dataset):
    """Labelled by a peer, who finds the second better."""
    pair = factories.make_pair(dataset=dataset)
    factories.make_label(pair=pair, annotator=factories.make_user(), choice=Choice.SECOND, rationale=PEER)
    return pair


@pytest.fixture
def label(pair, annotator):
    return factories.make_label(pair=pair, annotator=annotator, choice=Choice.FIRST, shown_swapped=True)


def audit_of(pair):
    run = JudgeRun.objects.create(judge=factories.make_judge(), dataset=pair.dataset)
    Verdict.objects.create(run=run, pair=pair, choice=Choice.FIRST)
    return draw_sample(run=run, dimensions=[], size=1, seed=0)


def audited(pair, user) -> None:
    item = auditing.claim_item(audit=audit_of(pair), user=user)
    auditing.choose_blind(item_id=item.pk, user=user, choice=Choice.FIRST, seconds=1.0)


def others(pair) -> str:
    return reverse("reveal_pair", args=[pair.dataset.slug, pair.pk])


def adjudicated(pair):
    by = factories.make_user(role=Role.REVIEWER)
    return adjudicate(pair=pair, choice=Choice.TIE, cause=Adjudication.Cause.TASTE, note="", by=by)


# ---- fixed by an audit or an adjudication


def test_of_a_label_that_an_audit_fixed_peers_appear_on_the_sides_that_were_seen(browser, annotator, pair, label):
    audited(pair, annotator)
    assert PEER not in browser.get(others(pair)).text
    response = browser.post(others(pair), follow=True)
    assert PEER in response.text
    assert [peer.side for peer in response.context["said"].peers] == ["1"]


def test_where_nothing_is_revealed_an_audit_reveals_no_peers(browser, annotator, dataset, pair, label):
    """The auditor has seen one judge's verdict; nobody said that they may see what peers said."""
    dataset.reveals = False
    dataset.save()
    audited(pair, annotator)
    label.refresh_from_db()
    assert label.audited_at
    assert label.revealed_at is None
    assert browser.get(others(pair)).status_code == 404
    assert browser.post(others(pair), {"choice": "1"}).status_code == 404


def test_of_a_label_that_an_adjudication_fixed_peers_appear_once_it_is_revealed(browser, pair, label):
    adjudicated(pair)
    assert PEER not in browser.get(others(pair)).text
    response = browser.post(others(pair), follow=True)
    assert PEER in response.text
    assert [peer.side for peer in response.context["said"].peers] == ["1"]


def test_an_imported_label_without_its_side_is_shown_on_the_sides_of_the_label_page(browser, annotator, pair):
    imported = factories.make_label(pair=pair, annotator=annotator, choice=Choice.FIRST, shown_swapped=None)
    Slot.objects.filter(pair=pair, annotator=annotator).update(swapped=True)
    page = browser.get(reverse("label_pair", args=["seen", pair.pk]))
    said = browser.post(others(pair), follow=True).context
    assert said["left"] == page.context["task"].shown.left == pair.response_2.text
    assert (said["said"].own, page.context["task"].chosen) == ("2", "2")
    browser.post(others(pair), {"choice": "1"})
    imported.refresh_from_db()
    assert imported.reconsideration.choice == Choice.SECOND


# ---- the same responses elsewhere


@pytest.fixture
def twin(pair):
    """The same two responses, the other way round, in another dataset."""
    other = factories.make_dataset(slug="elsewhere", labels_per_pair=2)
    both = {"response_1": pair.response_2, "response_2": pair.response_1}
    made = Pair.objects.create(dataset=other, prompt=pair.prompt, external_id="twin", **both)
    factories.make_slots(dataset=other)
    return made


def test_what_was_decided_elsewhere_of_the_same_responses_is_fixed_too(browser, annotator, pair, label, twin):
    there = factories.make_label(pair=twin, annotator=annotator, choice=Choice.SECOND)
    browser.post(others(pair))
    there.refresh_from_db()
    assert there.revealed_at


def test_the_same_responses_are_not_labelled_after_the_reveal(browser, annotator, pair, label, twin):
    page = reverse("label", args=["elsewhere"])
    form = fields(browser.get(page))
    assert int(form["pair"]) == twin.pk
    browser.post(others(pair))
    assert Skip.objects.get(annotator=annotator).pair == twin
    browser.post(page, {**form, "choice": "1"})
    assert not Label.objects.filter(pair=twin).exists()
    assert claim_next(user=annotator, dataset=twin.dataset) is None
    assert claim_next(user=factories.make_user(), dataset=twin.dataset) is not None


def test_who_has_seen_what_judges_said_does_not_audit_it(browser, annotator, pair, label):
    audit = audit_of(pair)
    assert auditing.open_items(audit=audit, user=annotator) == 1
    browser.post(others(pair))
    assert auditing.open_items(audit=audit, user=annotator) == 0
    assert auditing.claim_item(audit=audit, user=annotator) is None


# ---- sent back


def test_a_label_that_waits_and_is_then_revealed_is_asked_for_no_more(browser, annotator, pair, label):
    page = reverse("label_pair", args=["seen", pair.pk])
    adjudicated(pair)
    rework.send_back(label_id=label.pk, comment="Again?", by=factories.make_user(role=Role.REVIEWER))
    form = fields(browser.get(page))
    browser.post(others(pair))
    assert browser.post(page, {**form, "choice": "tie"}).status_code == 409
    assert not rework.keep(annotator=annotator, pair_id=pair.pk, guideline_id=None)
    label.refresh_from_db()
    assert (label.choice, label.revisions.count()) == (Choice.FIRST, 0)


# ---- control pairs


@pytest.fixture
def mixed(dataset):
    """Pairs to label, each labelled by one peer, and control pairs: a half with four labels, a half with none."""
    dataset.labels_per_pair = 4
    dataset.control_percent = 50
    dataset.save()
    peers = [factories.make_user() for _ in range(4)]
    for _ in range(6):
        factories.make_label(pair=factories.make_pair(dataset=dataset), annotator=peers[0])
    for number in range(6):
        pair = factories.make_pair(dataset=dataset)
        for peer in peers if number % 2 else ():
            factories.make_label(pair=pair, annotator=peer)
        control = set_control(pair=pair, use="mixed", choice=Choice.FIRST, explanation="", by=None)
        for peer in () if number % 2 else peers:
            answer(control=control, user=peer, attempt=1, choice=Choice.FIRST, swapped=False, seconds=1.0)
    return dataset


def test_at_control_pairs_as_many_peers_appear_as_at_the_pairs_beside_them(browser, mixed):
    """All labels of a team, or none at all, would tell what it is."""
    controls = set(Control.objects.values_list("pair", flat=True))
    numbers = {True: set(), False: set()}
    page = reverse("label", args=["seen"])
    while form := fields(browser.get(page)):
        browser.post(page, {**form, "choice": "1"})
    decided = {*Label.objects.filter(annotator__slots__isnull=False).values_list("pair", flat=True), *controls}
    for pk in decided:
        response = browser.post(reverse("reveal_pair", args=["seen", pk]), follow=True)
        if response.status_code == 200:
            numbers[pk in controls].add(len(response.context["said"].peers))
    assert numbers == {True: {1}, False: {1}}


def test_an_audit_fixes_the_answer_to_a_control_pair_as_it_fixes_a_label(browser, annotator, mixed):
    page = reverse("label", args=["seen"])
    while not (given := ControlAnswer.objects.filter(annotator=annotator).first()):
        browser.post(page, {**fields(browser.get(page)), "choice": "1"})
    pair = given.control.pair
    mixed.everyone_labels = False
    mixed.save()
    audited(pair, annotator)
    mixed.everyone_labels = True
    mixed.save()
    back = reverse("label_pair", args=["seen", pair.pk])
    response = browser.post(back, {**fields(browser.get(back)), "choice": "tie"})
    assert response.status_code == 409
    assert in_view(response) != pair.pk
    assert ControlAnswer.objects.filter(annotator=annotator, control=given.control).count() == 1
