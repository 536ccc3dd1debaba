"""What others said: never before the decision, and after it the decision is fixed."""

import pytest
from django.urls import reverse

from annotation.models import Choice, Label, LabelRevision, Reconsideration, Role
from judging.models import JudgeRun, Verdict
from tests import factories
from tests.annotation.label_page import fields, signed_in

pytestmark = pytest.mark.django_db

PEER, REASON = "PEERS OWN WORDS", "A JUDGES REASON"


@pytest.fixture
def dataset():
    return factories.make_dataset(slug="seen", reveals=True)


@pytest.fixture
def pair(dataset):
    """Labelled by a peer and judged."""
    pair = factories.make_pair(dataset=dataset, generators=("secret-x", "secret-y"))
    peer = factories.make_user(username="a-named-peer")
    factories.make_label(pair=pair, annotator=peer, choice=Choice.SECOND, rationale=PEER)
    run = JudgeRun.objects.create(judge=factories.make_judge(name="judge-j"), dataset=dataset)
    Verdict.objects.create(run=run, pair=pair, choice=Choice.FIRST, reason=REASON, p_1=0.7, p_2=0.2, p_tie=0.1)
    return pair


def others(pair) -> str:
    return reverse("reveal_pair", args=[pair.dataset.slug, pair.pk])


def labelled(pair, annotator, **more) -> Label:
    return factories.make_label(pair=pair, annotator=annotator, shown_swapped=False, **more)


def test_before_the_decision_there_is_nothing_of_others_at_any_address(browser, pair):
    page = reverse("label", args=["seen"])
    in_hand = browser.get(page)
    assert browser.get(others(pair)).status_code == 404
    assert browser.post(others(pair)).status_code == 404
    assert browser.post(others(pair), {"choice": "1"}).status_code == 404
    everything = in_hand.text + browser.get(reverse("label_pair", args=["seen", pair.pk]), follow=True).text
    assert PEER not in everything
    assert REASON not in everything
    assert not Label.objects.filter(revealed_at__isnull=False).exists()


def test_looking_at_the_question_reveals_nothing_and_locks_nothing(browser, pair, annotator):
    label = labelled(pair, annotator)
    text = browser.get(others(pair)).text
    assert PEER not in text
    assert REASON not in text
    label.refresh_from_db()
    assert label.revealed_at is None


def test_what_others_said_is_shown_once_the_decision_is_locked_without_names_of_people_or_models(
    browser, pair, annotator
):
    label = labelled(pair, annotator)
    text = browser.post(others(pair), follow=True).text
    assert PEER in text
    assert REASON in text
    assert "judge-j" in text
    for secret in ("a-named-peer", "secret-x", "secret-y"):
        assert secret not in text
    label.refresh_from_db()
    first = label.revealed_at
    assert first is not None
    browser.post(others(pair))
    label.refresh_from_db()
    assert label.revealed_at == first


def test_sides_are_those_that_the_annotator_saw(browser, pair, annotator):
    factories.make_label(pair=pair, annotator=annotator, choice=Choice.FIRST, shown_swapped=True)
    said = browser.post(others(pair), follow=True).context["said"]
    assert said.own == "2"
    assert [peer.side for peer in said.peers] == ["1"]
    assert [judge.side for judge in said.judges] == ["2"]
    assert "the other order" in said.judges[0].who


def test_a_revealed_label_does_not_change_any_more(browser, dataset, annotator):
    factories.make_pair(dataset=dataset)
    page = reverse("label", args=["seen"])
    form = fields(browser.get(page))
    browser.post(page, {**form, "choice": "1"})
    label = Label.objects.get(annotator=annotator)
    back = reverse("label_pair", args=["seen", label.pair_id])
    again = fields(browser.get(back))
    browser.post(others(label.pair))
    response = browser.post(back, {**again, "choice": "tie"})
    assert response.status_code == 409
    assert "your decision stays as it is" in response.text
    assert Label.objects.get(annotator=annotator).choice == label.choice
    assert not LabelRevision.objects.exists()


def test_a_change_of_mind_is_a_second_record_and_the_label_stays(browser, pair, annotator):
    label = factories.make_label(pair=pair, annotator=annotator, choice=Choice.FIRST, shown_swapped=True)
    assert browser.post(others(pair), {"choice": "1"}).status_code == 302
    assert not Reconsideration.objects.exists()  # That one only revealed: nobody reconsiders what they have not seen.
    browser.post(others(pair), {"choice": "1", "rationale": "They are right."})
    second = Reconsideration.objects.get(label=label)
    assert (second.choice, second.rationale) == (Choice.SECOND, "They are right.")
    label.refresh_from_db()
    assert label.choice == Choice.FIRST
    browser.post(others(pair), {"choice": "tie", "rationale": ""})
    assert Reconsideration.objects.get(label=label).choice == Choice.TIE


def test_an_answer_without_a_choice_is_asked_again_and_keeps_nothing(browser, pair, annotator):
    labelled(pair, annotator)
    browser.post(others(pair))
    assert "This field is required" in browser.post(others(pair), {"choice": ""}).text
    assert not Reconsideration.objects.exists()


def test_a_dataset_that_does_not_reveal_has_no_such_page(browser, pair, annotator, dataset):
    dataset.reveals = False
    dataset.save()
    labelled(pair, annotator)
    assert browser.get(others(pair)).status_code == 404
    assert browser.post(others(pair)).status_code == 404
    assert not Label.objects.filter(revealed_at__isnull=False).exists()


def test_nobody_sees_it_by_the_decision_of_somebody_else(pair, annotator):
    labelled(pair, annotator)
    for user in (factories.make_user(), factories.make_user(role=Role.REVIEWER)):
        assert signed_in(user).post(others(pair)).status_code in {403, 404}
