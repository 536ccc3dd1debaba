"""The funnel of a run's labels: what each filter marks, what is counted where, and the lists that numbers lead to."""

import io

import pytest
from django.urls import reverse

from annotation.models import Role
from jobs.errors import Cancelled
from jobs.models import Job
from jobs.running import Running, run_here
from judging import filtering
from judging.models import FilterMark, JudgeRun, Verdict
from tests import factories
from tests.judging.scored import make_judge

pytestmark = pytest.mark.django_db


@pytest.fixture
def made():
    """A run in both orders, and what each pair is there for."""
    dataset = factories.make_dataset(slug="distilled")
    run = JudgeRun.objects.create(judge=make_judge("gpt"), dataset=dataset, order=JudgeRun.Order.BOTH)
    pairs = {}

    def pair(name: str, *, texts=None, prompt=None, given=1, turned=1, status="ok", reason=""):
        number = len(pairs)
        texts = texts or (f"a{number}", f"b{number}")
        generators = (f"m{number}", f"n{number}")
        made = factories.make_pair(dataset=dataset, prompt=prompt, texts=texts, generators=generators)
        said = {"status": status, "raw": "I can't." if status != "ok" else "", "reason": reason}
        Verdict.objects.create(run=run, pair=made, choice=given if status == "ok" else None, **said)
        Verdict.objects.create(run=run, pair=made, swapped=True, choice=turned)
        pairs[name] = made
        return made

    prompt = factories.make_prompt()
    pair("good", reason="Response 1 is better because it is true.")
    for status in ("failed", "refused", "too_long", "invalid"):
        pair(status, status=status)
    pair("empty", texts=("", "something"))
    pair("identical", texts=("same", "same"))
    pair("first", prompt=prompt, texts=("x", "y"))
    pair("again", prompt=prompt, texts=("y", "x"))
    pair("conflict", turned=2)
    pair("contradiction", reason="Response 2 is better because it is true.")
    pair("both", turned=2, reason="Response 2 is better because it is true.")
    return run, pairs


@pytest.fixture
def researcher(client):
    user = factories.make_user(role=Role.RESEARCHER)
    client.force_login(user)
    return user


def filtered(run: JudgeRun) -> None:
    run_here(job=filtering.ask(run=run, by=factories.make_user(role=Role.RESEARCHER)), out=io.StringIO())


def marks(run: JudgeRun) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for name, pair in FilterMark.objects.filter(run=run).values_list("filter", "pair"):
        found.setdefault(name, set()).add(pair)
    return found


def test_each_filter_marks_its_own_pairs(made):
    run, pairs = made
    filtered(run)
    expected = {
        "failed": ["failed"],
        "refused": ["refused"],
        "too_long": ["too_long"],
        "unparseable": ["invalid"],
        "empty": ["empty"],
        "identical": ["identical"],
        "duplicate": ["again"],
        "conflict": ["conflict", "both"],
        "contradiction": ["contradiction", "both"],
    }
    assert marks(run) == {name: {pairs[each].pk for each in of} for name, of in expected.items()}
    words = dict(FilterMark.objects.filter(run=run).values_list("filter", "words"))
    assert words["refused"] == "I can't."
    assert words["duplicate"] == f"The same as pair {pairs['first'].pk}"
    assert words["empty"] == "Response 1 is empty."
    assert "response 2 is better" in words["contradiction"]


def test_a_pair_is_counted_where_the_first_filter_that_is_on_has_marked_it(made):
    run, _ = made
    filtered(run)
    funnel = filtering.funnel_of(run, list(filtering.FILTERS))
    assert (funnel.labels, funnel.left) == (12, 2)
    removed = {step.name: step.removed for step in funnel.steps}
    assert (removed["conflict"], removed["contradiction"]) == (2, 1)
    assert [step.left for step in funnel.steps] == [11, 10, 9, 8, 7, 6, 5, 3, 2]
    only = filtering.funnel_of(run, ["contradiction"])
    assert (only.left, only.steps[-1].removed, only.steps[-2].on) == (10, 2, False)
    assert filtering.funnel_of(run, []).left == 12


def test_filtering_anew_counts_what_is_there_now(made):
    run, pairs = made
    filtered(run)
    Verdict.objects.filter(run=run, pair=pairs["conflict"], swapped=True).update(choice=1)
    filtered(run)
    assert marks(run)["conflict"] == {pairs["both"].pk}


def test_a_cancelled_job_leaves_the_marks_of_before(made, monkeypatch):
    run, pairs = made
    filtered(run)
    before = marks(run)
    Verdict.objects.filter(run=run, pair=pairs["conflict"], swapped=True).update(choice=1)

    def cancelled(self):
        raise Cancelled

    monkeypatch.setattr(Running, "check", cancelled)
    job = filtering.ask(run=run, by=factories.make_user(role=Role.RESEARCHER))
    with pytest.raises(Cancelled):
        run_here(job=job, out=io.StringIO())
    assert marks(run) == before


def test_the_page_leads_to_the_pairs_of_each_filter(client, researcher, made):
    run, _ = made
    page = reverse("funnel", args=[run.pk])
    assert "not been filtered yet" in client.get(page).content.decode()
    assert client.post(reverse("run_filter", args=[run.pk])).url == page
    client.post(reverse("run_filter", args=[run.pk]))
    job = Job.objects.get(kind=filtering.WORK)
    assert f"job-{job.pk}-progress" in client.get(page).content.decode()
    run_here(job=job, out=io.StringIO())
    answer = client.get(page)
    assert answer.context["funnel"].left == 2
    for step in answer.context["funnel"].steps:
        link = reverse("review", args=["distilled"], query={"run": run.pk, "marked": step.name})
        assert link.replace("&", "&amp;") in answer.content.decode()
        counted = client.get(link.replace("/review/?", "/review/count/?")).content.decode().strip()
        assert counted == str(step.marked), step.name
        assert "marked:" in client.get(link).content.decode()
    some = client.get(page, {"chosen": 1, "on": ["conflict"]})
    assert some.context["funnel"].left == 10
    assert client.get(page, {"chosen": 1}).context["funnel"].left == 12


def test_what_is_no_filter_is_said(client, researcher, made):
    run, _ = made
    answer = client.get(reverse("funnel", args=[run.pk]), {"chosen": 1, "on": "luck"})
    assert answer.status_code == 400
    assert "There is no filter luck" in answer.content.decode()
    review = reverse("review", args=["distilled"])
    assert client.get(review, {"run": run.pk, "marked": "luck"}).status_code == 400
    assert "Choose the run" in client.get(review, {"marked": "conflict"}).content.decode()
