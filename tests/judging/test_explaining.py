"""Reasons in a second pass and on demand: of which verdicts, kept as they come, never of another checkpoint."""

import io
import zlib

import pytest
from django.urls import reverse

from annotation.models import Choice, Role
from jobs.errors import PermanentError
from jobs.models import Job
from jobs.running import run_here
from judging import explaining
from judging.backends.fake import Fake
from judging.models import JudgeRun, Verdict
from judging.runs.reasons import owed
from judging.runs.starting import RunError, continue_run, start_run
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def dataset():
    return factories.make_dataset(pairs=60)


def run_of(dataset, *, reasons: str, order: str = "given", **parameters: object) -> JudgeRun:
    judge = factories.make_judge(parameters=parameters)
    run = start_run(judge=judge, dataset=dataset, reasons=reasons, order=order, send=False)
    run_here(job=run.job, out=io.StringIO())
    return run


def explained(run: JudgeRun) -> set[int]:
    return set(Verdict.objects.filter(run=run).exclude(raw="").values_list("pair", flat=True))


def test_a_sample_is_about_a_tenth_of_the_pairs_and_always_the_same(dataset):
    run, again = run_of(dataset, reasons="sample"), run_of(dataset, reasons="sample")
    pairs = dataset.pairs.values_list("pk", flat=True)
    assert explained(run) == {pair for pair in pairs if zlib.crc32(str(pair).encode()) % 100 < 10}
    assert explained(run) == explained(again)
    assert 0 < len(explained(run)) < 20
    for verdict in Verdict.objects.filter(run=run).exclude(raw=""):
        assert verdict.reason.startswith("fake: scores")
        assert verdict.reference
    assert not Verdict.objects.filter(run=run, raw="").exclude(reason="").exists()


def test_disagreements_are_with_people_or_of_the_two_orders(dataset):
    plain = run_of(dataset, reasons="none", order="both", position_bias=0.2)
    said: dict[int, set[int]] = {}
    for verdict in Verdict.objects.filter(run=plain):
        said.setdefault(verdict.pair_id, set()).add(verdict.choice)
    contradicting = {pair for pair, choices in said.items() if len(choices) > 1}
    agreeing = [pair for pair in said if pair not in contradicting]
    assert len(contradicting) > 3
    assert len(agreeing) > 6
    people = [factories.make_user() for _ in range(2)]
    for number, pair in enumerate(agreeing[:6]):
        (choice,) = said[pair]
        gold = Choice(choice) if number % 2 else Choice((choice + 1) % 3)
        for person in people:
            factories.make_label(pair=dataset.pairs.get(pk=pair), annotator=person, choice=gold)
    run = run_of(dataset, reasons="disagreements", order="both", position_bias=0.2)
    assert explained(run) == contradicting | {pair for number, pair in enumerate(agreeing[:6]) if number % 2 == 0}


def test_a_second_pass_that_broke_off_goes_on_with_what_is_missing(dataset, monkeypatch):
    judge = factories.make_judge()
    run = start_run(judge=judge, dataset=dataset, reasons="sample", send=False)
    whole = Fake.explain

    def broken(self, decided):
        yield from list(whole(self, decided))[:2]
        raise PermanentError("Broken.")

    monkeypatch.setattr(Fake, "explain", broken)
    with pytest.raises(PermanentError):
        run_here(job=run.job, out=io.StringIO())
    first = Verdict.objects.filter(run=run).exclude(raw="")
    assert first.count() == 2
    assert Verdict.objects.filter(run=run).count() == 60
    asked = []

    def told(self, decided):
        asked.extend(question.pair_id for question, _ in decided)
        yield from whole(self, decided)

    monkeypatch.setattr(Fake, "explain", told)
    before = set(first.values_list("pair", flat=True))
    run.refresh_from_db()
    carried_on = continue_run(run=run, send=False)
    run_here(job=carried_on.job, out=io.StringIO())
    assert not before & set(asked)
    assert len(explained(run)) == len(asked) + 2
    assert not owed(run)
    with pytest.raises(RunError):
        continue_run(run=carried_on)


def test_what_gives_no_reason_later_is_refused(dataset):
    judge = factories.make_judge(name="server", backend="openai", model="m", template="json@1")
    with pytest.raises(RunError, match="all reasons or none"):
        start_run(judge=judge, dataset=dataset, reasons="sample", send=False)


def test_a_checkpoint_read_as_the_paper_does_gives_its_reasons_with_its_verdicts_or_not_at_all(dataset):
    judge = factories.make_judge(name="exact", backend="transformers", model="/x", parameters={"mode": "exact"})
    with pytest.raises(RunError, match="all reasons or none"):
        start_run(judge=judge, dataset=dataset, reasons="disagreements", send=False)


@pytest.fixture
def reviewer(client):
    user = factories.make_user(role=Role.REVIEWER)
    client.force_login(user)
    return user


def test_a_reviewer_has_one_reason_written_and_meets_it_on_the_page(client, reviewer, dataset):
    run = run_of(dataset, reasons="none")
    verdict = Verdict.objects.filter(run=run).first()
    page = reverse("pair", args=[verdict.pair_id])
    assert "Have the reason written" in client.get(page).content.decode()
    ask = reverse("verdict_reason", args=[verdict.pk])
    assert client.post(ask, {"next": f"{page}?diff=on"}).url == f"{page}?diff=on"
    client.post(ask)
    job = Job.objects.get(kind=explaining.WORK)
    assert (job.subject_id, job.created_by_id) == (verdict.pk, reviewer.pk)
    page_now = client.get(page).content.decode()
    assert f"job-{job.pk}-progress" in page_now
    assert "Have the reason written" not in page_now
    run_here(job=job, out=io.StringIO())
    verdict.refresh_from_db()
    assert verdict.reason.startswith("fake: scores")
    assert verdict.reason in client.get(page).content.decode()
    client.post(ask)
    assert Job.objects.filter(kind=explaining.WORK).count() == 1


def test_a_reason_of_another_checkpoint_is_not_written(dataset):
    run = run_of(dataset, reasons="none")
    run.frozen["identity"] = {"checkpoint": "another"}
    run.save()
    verdict = Verdict.objects.filter(run=run).first()
    job = explaining.ask_reason(verdict=verdict, by=factories.make_user(role=Role.REVIEWER))
    with pytest.raises(PermanentError, match="has changed"):
        run_here(job=job, out=io.StringIO())
    verdict.refresh_from_db()
    assert verdict.raw == ""


def test_a_verdict_that_was_replaced_meanwhile_gets_no_reason_of_the_old_one(dataset, monkeypatch):
    run = run_of(dataset, reasons="none")
    verdict = Verdict.objects.filter(run=run).first()
    job = explaining.ask_reason(verdict=verdict, by=factories.make_user(role=Role.REVIEWER))
    whole = Fake.explain

    def replaced(self, decided):
        Verdict.objects.filter(pk=verdict.pk).update(choice=(verdict.choice + 1) % 3)
        yield from whole(self, decided)

    monkeypatch.setattr(Fake, "explain", replaced)
    run_here(job=job, out=io.StringIO())
    verdict.refresh_from_db()
    assert verdict.reason == ""


def test_what_the_judge_saw_otherwise_is_said(client, reviewer, dataset):
    run = run_of(dataset, reasons="none")
    verdict = Verdict.objects.filter(run=run).first()
    verdict.altered = {"shortened_to": 1200, "escaped": ["### Evaluation:"]}
    verdict.save()
    page = client.get(reverse("pair", args=[verdict.pair_id])).content.decode()
    assert "first 1,200 characters" in page
    assert "<code>### Evaluation:</code>" in page
