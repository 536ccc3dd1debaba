"""Removing a dataset: nothing of another one goes, and no work of people by accident."""

import io

import pytest
from django.urls import reverse

from annotation import removal
from annotation.models import Comment, Dataset, Label, LabelRevision, Pair, Prompt, Response, Role, Slot, Split
from annotation.removal import BusyError, contents_of, remove
from jobs.errors import PermanentError
from jobs.lifecycle import enqueue
from jobs.models import Job
from jobs.running import run_here
from judging.models import Audit, JudgeRun, Verdict
from tests import factories
from tests.annotation.importing import pair_row, run_import
from tests.judging.audits.made import draw_sample, make_distilled
from tests.judging.scored import make_judge, make_scored_dataset, make_verdict

pytestmark = pytest.mark.django_db


@pytest.fixture
def researcher(client):
    user = factories.make_user(role=Role.RESEARCHER)
    client.force_login(user)
    return user


def run(job: Job) -> None:
    run_here(job=job, out=io.StringIO())


def counts() -> list[int]:
    models = (Dataset, Pair, Prompt, Response, Slot, Label, LabelRevision, Split, Comment, JudgeRun, Verdict)
    return [model.objects.count() for model in models]


def test_a_dataset_goes_with_all_of_it_and_nothing_of_another(researcher, monkeypatch):
    monkeypatch.setattr(removal, "AT_ONCE", 3)
    kept, _ = make_scored_dataset("kept")
    shared = kept.pairs.first().prompt
    before = counts()
    gone, _ = make_scored_dataset("gone")
    factories.make_pair(dataset=gone, prompt=shared)
    factories.make_guideline(dataset=gone)
    pair = gone.pairs.first()
    pair.comments.create(author=researcher, text="hm")
    pair.labels.first().revisions.create(choice=1, decided_at=gone.created_at)
    run(remove(dataset=gone, known=contents_of(gone), by=researcher))
    # The responses that the other dataset's prompt had got stay with it.
    before[3] += 2
    assert counts() == before
    assert Dataset.objects.get() == kept


def test_what_auditors_decided_is_named_and_goes_too(client, researcher):
    made = make_distilled(pairs=3)
    audit = draw_sample(run=made.run, dimensions=[], size=2, seed=0)
    audit.items.update(
        state="decided", outcome="right", auditor=researcher, blind_choice=1, decided_at=audit.created_at
    )
    known = contents_of(made.dataset)
    assert (known.remarks, known.is_work_of_people) == (2, True)
    page = client.get(reverse("dataset_remove", args=[made.dataset.slug])).content.decode()
    assert "2 adjudications, comments and decisions about audited labels" in page
    run(remove(dataset=made.dataset, known=known, by=researcher))
    assert not Audit.objects.exists()


def test_the_imports_of_a_removed_dataset_are_still_told(client, researcher):
    source = run_import([pair_row()], dataset="gone")
    dataset = Dataset.objects.get()
    run(remove(dataset=dataset, known=contents_of(dataset), by=researcher))
    assert client.get(source.get_absolute_url()).status_code == 200
    assert client.get(reverse("imports")).status_code == 200
    assert run_import([pair_row()], dataset="gone").summary["pairs"]["new"] == 1


def test_its_name_has_to_be_typed(client, researcher):
    dataset = factories.make_dataset(slug="wrong-file", pairs=2)
    url = reverse("dataset_remove", args=["wrong-file"])
    assert "2 pairs" in client.get(url).content.decode()
    for typed in ("", "wrong-fil", "WRONG-FILE"):
        answer = client.post(url, {"slug": typed, "labels": 0, "remarks": 0})
        assert answer.context["form"].errors["slug"]
    assert not Job.objects.exists()
    answer = client.post(url, {"slug": "wrong-file", "labels": 0, "remarks": 0})
    job = Job.objects.get()
    assert answer.url == job.get_absolute_url()
    dataset.refresh_from_db()
    assert not Dataset.objects.labelled_by(factories.make_user()).exists()
    run(job)
    assert not Dataset.objects.exists()
    assert client.get(answer.url).status_code == 200


def test_labels_of_people_are_spelt_out_and_have_to_be_given_up(client, researcher):
    make_scored_dataset("scored")
    url = reverse("dataset_remove", args=["scored"])
    content = client.get(url).content.decode()
    assert "24 labels of 3 people" in content
    typed = {"slug": "scored", "labels": 24, "remarks": 0}
    answer = client.post(url, typed)
    assert "their work is to be lost" in answer.content.decode()
    assert not Job.objects.exists()
    client.post(url, typed | {"people_too": "on"})
    run(Job.objects.get())
    assert not Label.objects.exists()


def test_what_people_said_since_the_numbers_were_read_is_not_lost(client, researcher):
    dataset, _ = make_scored_dataset("scored")
    known = contents_of(dataset)
    pair = factories.make_pair(dataset=dataset)
    factories.make_label(pair=pair, annotator=factories.make_user())
    with pytest.raises(BusyError, match="meanwhile"):
        remove(dataset=dataset, known=known, by=researcher)
    answer = client.post(
        reverse("dataset_remove", args=["scored"]),
        {"slug": "scored", "labels": known.labels, "remarks": 0, "people_too": "on"},
        follow=True,
    )
    assert "Nothing was removed" in answer.content.decode()
    assert "25 labels" in answer.content.decode()
    dataset.refresh_from_db()
    assert dataset.everyone_labels


def test_nothing_is_removed_under_a_run_or_an_import(researcher):
    dataset = factories.make_dataset(pairs=1)
    job = enqueue(kind="tests.nowhere", title="A run", subject_id=1)
    run_of = JudgeRun.objects.create(judge=make_judge(), dataset=dataset, job=job)
    make_verdict(run_of, dataset.pairs.get(), 1)
    with pytest.raises(BusyError, match="judge is running"):
        remove(dataset=dataset, known=contents_of(dataset), by=researcher)
    Job.objects.filter(pk=job.pk).update(state=Job.State.CANCELLED, finished_at=job.created_at)
    removing = remove(dataset=dataset, known=contents_of(dataset), by=researcher)
    # Begun between the question and the work.
    Job.objects.filter(pk=job.pk).update(state=Job.State.RUNNING, finished_at=None)
    with pytest.raises(PermanentError, match="judge is running"):
        run(removing)
    assert Verdict.objects.exists()


def test_who_is_no_researcher_removes_nothing(client):
    factories.make_dataset(slug="d")
    client.force_login(factories.make_user(role=Role.REVIEWER))
    assert (
        client.post(reverse("dataset_remove", args=["d"]), {"slug": "d", "labels": 0, "remarks": 0}).status_code == 403
    )
