"""An annotator who would change a label of a pair that a reviewer has decided since is told so, and nothing changes."""

from datetime import timedelta

import pytest
from django.urls import reverse

from annotation.adjudication import AdjudicatedError, adjudicate, check_open
from annotation.models import Adjudication, Choice, Label, LabelRevision, Pair, Role
from annotation.rework import send_back
from tests import factories
from tests.annotation.label_page import HTMX, fields, in_view

pytestmark = pytest.mark.django_db


@pytest.fixture
def back(browser, page, dataset):
    """The address under which the annotator's first decision, a 1 on the left, opens again."""
    form = fields(browser.get(page))
    browser.post(page, {**form, "choice": "1", "rationale": "first"})
    return reverse("label_pair", args=[dataset.slug, form["pair"]])


@pytest.fixture
def adjudicated(back):
    pair = Pair.objects.get(labels__isnull=False)
    by = factories.make_user(role=Role.REVIEWER)
    return adjudicate(pair=pair, choice=Choice.TIE, cause=Adjudication.Cause.TASTE, note="", by=by)


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_undo_after_a_reviewer_decided_is_answered_and_changes_nothing(browser, back, adjudicated, headers):
    before = Label.objects.get()
    form = fields(browser.get(back))
    response = browser.post(back, {**form, "choice": "2", "rationale": "second"}, headers=headers)
    assert response.status_code == 409
    assert "A reviewer has decided that pair since" in response.text
    # What the reviewer decided is not told.
    assert "taste" not in response.text.lower()
    assert in_view(response) != before.pair_id
    after = Label.objects.get()
    assert (after.choice, after.rationale, after.changed_at) == (before.choice, "first", before.changed_at)
    assert not LabelRevision.objects.exists()


def test_a_decision_that_opens_again_says_that_a_reviewer_has_decided_since(browser, back, adjudicated):
    text = browser.get(back).text
    assert "so your label stays as it is" in text
    assert "That stands until you decide again" not in text
    assert text.count('disabled aria-pressed="') == 3
    assert "taste" not in text.lower()
    send_back(label_id=Label.objects.get().pk, comment="?", by=adjudicated.by)
    text = browser.get(back).text
    assert "so your label stays as it is" not in text
    assert "disabled aria-pressed" not in text


def test_the_same_decision_again_is_no_change_and_no_error(browser, back, adjudicated):
    form = fields(browser.get(back))
    assert browser.post(back, {**form, "choice": "1", "rationale": "first"}).status_code == 302


def test_a_label_that_a_reviewer_sends_back_is_open_again(annotator, adjudicated):
    label = Label.objects.get()
    about = {"pair_id": label.pair_id, "decided_at": label.changed_at}
    with pytest.raises(AdjudicatedError):
        check_open(annotator=annotator, **about)
    send_back(label_id=label.pk, comment="?", by=adjudicated.by)
    check_open(annotator=annotator, **about)
    with pytest.raises(AdjudicatedError):
        check_open(annotator=factories.make_user(), **about)


def test_what_was_adjudicated_before_its_annotator_decided_is_open_and_so_tells_no_control_pair(
    browser, back, adjudicated
):
    Adjudication.objects.update(created_at=Label.objects.get().changed_at - timedelta(days=1))
    text = browser.get(back).text
    assert "so your label stays as it is" not in text
    assert "disabled aria-pressed" not in text
    browser.post(back, {**fields(browser.get(back)), "choice": "2", "rationale": "second"})
    assert Label.objects.get().rationale == "second"
