"""Guidelines: all revisions, what changed, a preview, whose labels are older, and another look at those."""

import html
import io

import pytest
from django.urls import reverse
from django.utils import timezone

from annotation import rework, rework_rounds
from annotation.models import Adjudication, Label, Notification, Rework, ReworkRound, Role
from jobs.models import Job
from jobs.running import run_here
from tests import factories

pytestmark = pytest.mark.django_db

PAGE, CHANGES, AGAIN = (reverse(name, args=["chat"]) for name in ("guidelines", "guideline_changes", "look_again"))


def text_of(response) -> str:
    return html.unescape(response.text)


@pytest.fixture
def reviewer(client):
    user = factories.make_user(role=Role.REVIEWER, username="rita")
    client.force_login(user)
    return user


@pytest.fixture
def people():
    return [factories.make_user(username=name) for name in ("anna", "ben")]


@pytest.fixture
def dataset(people):
    """Anna made 3 labels by revision 1, ben 2 by it and 1 by none; revision 2 is new, and anna has one label by it."""
    made = factories.make_dataset(slug="chat", labels_per_pair=2, pairs=4)
    first = factories.make_guideline(dataset=made, text="Be fair.\n\nPrefer **truth**.")
    second = factories.make_guideline(dataset=made, text="Be fair.\n\nPrefer *clarity* to truth.")
    pairs = list(made.pairs.order_by("pk"))
    by = {"anna": [first, first, first, second], "ben": [first, first, None]}
    for person in people:
        for pair, guideline in zip(pairs, by[person.username], strict=False):
            factories.make_label(pair=pair, annotator=person, guideline=guideline)
    return made


def asked(**more: object) -> dict[str, object]:
    return {"look": "on", "revisions": [0, 1]} | more


def test_each_revision_tells_its_labels_and_leads_to_their_pairs(client, reviewer, dataset):
    content = text_of(client.get(PAGE))
    assert "5 labels" in content
    assert "1 label " in content
    for query, pairs in (("guideline=1", 3), ("guideline=2", 1), ("guideline=none", 1)):
        assert f"/datasets/chat/review/?{query}" in content
        found = client.get(f"/datasets/chat/review/?{query}")
        assert len(found.context["rows"]) == pairs


def test_what_changed_between_two_revisions_is_marked(client, reviewer, dataset):
    content = text_of(client.get(CHANGES))
    assert "From revision 1 to revision 2" in content
    change = client.get(CHANGES, {"from": 2, "to": 1}).context["change"]
    assert "".join(piece.text for piece in change.new) == "Be fair.\n\nPrefer **truth**."
    assert [piece.text.strip() for piece in change.old if piece.only_here] == ["*clarity* to truth."]
    assert "say the same" in text_of(client.get(CHANGES, {"from": 1, "to": 1}))
    for wrong in ({"from": 7}, {"to": "x"}):
        assert client.get(CHANGES, wrong).status_code == 404


def test_one_revision_has_nothing_to_compare(client, reviewer):
    factories.make_guideline(dataset=factories.make_dataset(slug="chat"))
    assert client.get(CHANGES).url == PAGE


def test_a_preview_saves_nothing_and_shows_safe_text(client, dataset):
    client.force_login(factories.make_user(role=Role.RESEARCHER))
    said = {"text": "Be **kind** <script>alert(1)</script>", "preview": "on"}
    for headers in ({}, {"HX-Request": "true"}):
        answer = client.post(PAGE, said, headers=headers)
        assert "<strong>kind</strong>" in answer.text
        assert "<script>alert" not in answer.text
        assert ("<html" in answer.text) is not bool(headers)
    assert dataset.guidelines.count() == 2


def test_a_reviewer_reads_guidelines_and_writes_none(client, reviewer, dataset):
    assert "Save as revision" not in text_of(client.get(PAGE))
    assert client.post(PAGE, {"text": "mine"}).status_code == 403
    assert dataset.guidelines.count() == 2


def test_before_anything_is_sent_it_is_said_how_many_and_to_whom(client, reviewer, dataset, people):
    page = client.get(AGAIN, asked())
    assert page.context["people"] == [(people[0], 3), (people[1], 3)]
    assert "6 labels would go back to 2 annotators" in text_of(page)
    assert client.get(AGAIN, asked(revisions=[0])).context["people"] == [(people[1], 1)]
    assert client.get(AGAIN, asked(annotators=[people[0].pk])).context["people"] == [(people[0], 3)]
    assert client.get(AGAIN, asked(sample=4)).context["total"] == 4
    assert not Rework.objects.exists()
    for wrong in (
        asked(revisions=[]),
        asked(revisions=[2]),
        asked(revisions=[9]),
        asked(annotators=[0]),
        asked(sample=0),
    ):
        assert client.get(AGAIN, wrong).status_code == 422


def test_confirmed_they_go_back_and_each_annotator_is_told_once(client, reviewer, dataset, people):
    answer = client.post(AGAIN, asked(told=6, seed=5, comment="Clarity first"))
    assert answer.url == reverse("reworks", args=["chat"])
    made = ReworkRound.objects.get()
    assert (made.guideline.number, made.revisions, made.seed, made.sent_by) == (2, [0, 1], 5, reviewer)
    assert Rework.objects.filter(round=made, reason="guideline", comment="Clarity first").count() == 6
    assert set(Rework.objects.values_list("label")) == set(Label.objects.exclude(guideline__number=2).values_list("pk"))
    for person in people:
        assert "3 of your pairs" in Notification.objects.get(person=person).text
    assert "nothing to send back" not in text_of(client.get(AGAIN))
    assert client.get(AGAIN, asked()).context["total"] == 0


def test_the_sample_that_was_counted_is_the_sample_that_is_sent(client, reviewer, dataset, people):
    page = client.get(AGAIN, asked(sample=3))
    told = dict(page.context["people"])
    client.post(AGAIN, asked(sample=3, seed=page.context["seed"], told=3))
    for person in people:
        assert Rework.objects.filter(label__annotator=person).count() == told.get(person, 0)


def test_where_it_would_be_others_now_nothing_is_sent(client, reviewer, dataset):
    answer = client.post(AGAIN, asked(told=5, seed=1))
    assert "It would be 6 labels now, not 5: nothing was sent" in text_of(answer)
    assert client.post(AGAIN, asked(told=6, seed=1)).status_code == 302
    assert "nothing was sent" in text_of(client.post(AGAIN, asked(told=6, seed=1)))
    assert Rework.objects.count() == 6


@pytest.mark.parametrize("seen", ["revealed_at", "audited_at"])
def test_what_is_decided_seen_waiting_or_of_nobody_here_does_not_go_back(client, reviewer, dataset, people, seen):
    labels = list(Label.objects.filter(annotator=people[0]).order_by("pk"))
    Adjudication.objects.create(pair=labels[0].pair, choice=1, cause="taste", by=reviewer)
    Label.objects.filter(pk=labels[1].pk).update(**{seen: timezone.now()})
    rework.send_back(label_id=labels[2].pk, comment="?", by=reviewer)
    people[1].is_active = False
    people[1].save()
    assert client.get(AGAIN, asked()).context["people"] == []
    people[1].is_active = True
    people[1].save()
    assert client.get(AGAIN, asked()).context["people"] == [(people[1], 2)]
    dataset.everyone_labels = False
    dataset.save()
    dataset.annotators.set([people[0]])
    assert client.get(AGAIN, asked()).context["people"] == []


@pytest.mark.django_db(transaction=True)
def test_very_many_go_back_by_a_job_which_does_it_once(client, reviewer, dataset, monkeypatch):
    monkeypatch.setattr(rework_rounds, "AT_ONCE", 3)
    answer = client.post(AGAIN, asked(told=6, seed=1))
    job = Job.objects.get()
    assert answer.url == job.get_absolute_url()
    assert not Rework.objects.exists()
    run_here(job=job, out=io.StringIO())
    assert Rework.objects.count() == 6
    # An attempt that comes after one that was lost behind its last write.
    Job.objects.filter(pk=job.pk).update(state=Job.State.QUEUED, finished_at=None)
    job.attempts.update(state="queued", finished_at=None)
    Rework.objects.filter(label__annotator__username="anna").update(done_at=timezone.now(), outcome="withdrawn")
    run_here(job=Job.objects.get(), out=io.StringIO())
    assert Rework.objects.count() == 6
    assert Notification.objects.count() == 2


def test_the_sender_hears_of_a_round_when_its_last_label_is_decided(client, reviewer, dataset, people):
    client.post(AGAIN, asked(told=6, seed=1))
    newest = dataset.guidelines.first()
    labels = list(Label.objects.exclude(guideline=newest))
    for number, label in enumerate(labels, start=1):
        assert rework.keep(annotator=label.annotator, pair_id=label.pair_id, guideline_id=newest.pk)
        assert Notification.objects.filter(person=reviewer).exists() is (number == len(labels))
    told = Notification.objects.get(person=reviewer)
    page = client.get(told.path)
    assert page.context["counts"].kept == 6
    # All labels are of the newest revision now, so there is nothing to send.
    assert "nothing to send back" in text_of(client.get(AGAIN))
