"""Several workers at one run: who gets which pairs, what is taken over, and what a pause or an end means for them."""

import io
from functools import partial

import pytest
from django.urls import reverse

from annotation.models import Role
from jobs import lifecycle, processes
from jobs.crews import WorkIsOver
from jobs.errors import Cancelled, PermanentError
from jobs.models import Job
from jobs.running import Running, run_here, side_connection
from judging import work
from judging.backends import load_backend
from judging.importing import Verdicts
from judging.models import Chunk, JudgeRun, Verdict
from judging.runs import crews
from judging.runs.crews import RunCrew, helpers_of
from judging.runs.questions import pairs_beyond, settings_of
from judging.runs.starting import RunError, continue_run, pause_run, set_workers, start_run
from judging.runs.state import state_of
from tests.factories import make_dataset, make_judge, make_user

pytestmark = pytest.mark.django_db
VERDICTS = Chunk.Stage.VERDICTS


def shared(*, pairs: int = 100, workers: int = 2, **options: object) -> JudgeRun:
    judge = options.pop("judge", None) or make_judge()
    return start_run(judge=judge, dataset=make_dataset(pairs=pairs), workers=workers, send=False, **options)


def joined(run: JudgeRun, job: Job) -> RunCrew:
    """A worker that has claimed its job, in this process."""
    holder = processes.this_process()
    attempt = lifecycle.claim(attempt_id=job.attempts.get(state="queued").pk, holder=holder)
    with side_connection() as side:
        return RunCrew(Running(attempt=attempt, side=side), JudgeRun.objects.get(pk=run.pk))


def both(run: JudgeRun) -> tuple[RunCrew, RunCrew]:
    return joined(run, run.job), joined(run, helpers_of(run).get())


def take(crew: RunCrew, size: int = 10) -> Chunk | None:
    return crew.take(partial(pairs_beyond, crew.run), size=size, stage=VERDICTS)


def lost(crew: RunCrew) -> None:
    attempt = crew.running._job.attempts.get(number=crew.running.number)
    assert lifecycle.lose(attempt=attempt, error="killed")


def test_chunks_of_two_workers_never_overlap_and_are_all_pairs():
    run = shared(pairs=100)
    crew = both(run)
    chunks = []
    while chunk := take(crew[len(chunks) % 2]):
        chunks.append(chunk)
    pairs = list(run.dataset.pairs.order_by("pk").values_list("pk", flat=True))
    covered = [pk for chunk in chunks for pk in pairs if chunk.first <= pk <= chunk.last]
    assert covered == pairs
    assert [chunk.attempt_id for chunk in chunks[:2]] == [each.running.attempt_id for each in crew]


def test_chunks_become_smaller_towards_the_end_and_are_whole_before():
    run = shared(pairs=200)
    crew, _ = both(run)
    pairs = list(run.dataset.pairs.order_by("pk").values_list("pk", flat=True))
    sizes = []
    while chunk := take(crew, size=40):
        sizes.append(sum(chunk.first <= pk <= chunk.last for pk in pairs))
    assert sizes == [40, 40, 30, 22, 17, 16, 16, 16, 3]


def test_one_worker_alone_takes_whole_chunks_to_the_end():
    run = shared(pairs=25, workers=1)
    crew = joined(run, run.job)
    assert [take(crew).done for _ in range(3)] == [False] * 3
    assert take(crew) is None
    assert Chunk.objects.count() == 3


def test_what_a_lost_worker_had_is_taken_over_and_what_it_finished_is_not():
    run = shared()
    first, second = both(run)
    done, open_one = take(second), take(second)
    with second.running.writing():
        second.finish([done])
    own = take(first)
    assert not first.all_done(stage=VERDICTS)
    lost(second)
    taken = take(first)
    assert (taken.pk, taken.attempt_id) == (open_one.pk, first.running.attempt_id)
    assert take(first).first > own.last
    assert Chunk.objects.get(pk=done.pk).attempt_id == second.running.attempt_id


def test_nobody_takes_what_a_living_worker_has():
    run = shared(pairs=20)
    first, second = both(run)
    assert take(first)
    rest = take(second)
    assert take(second) is take(first) is None
    assert not second.all_done(stage=VERDICTS)
    assert not second.finds_work(partial(pairs_beyond, run), stage=VERDICTS)
    lost(first)
    assert second.finds_work(partial(pairs_beyond, run), stage=VERDICTS)
    assert take(second).last < rest.first


def test_a_worker_that_was_taken_for_dead_finishes_nothing_that_is_anothers():
    run = shared(pairs=20)
    first, second = both(run)
    chunk = take(second)
    lost(second)
    assert take(first).pk == chunk.pk
    second.finish([chunk])
    assert not Chunk.objects.get(pk=chunk.pk).done


def test_a_helper_ends_with_the_run():
    run = shared()
    first, second = both(run)
    take(second)
    lifecycle.cancel(job=run.job)
    with pytest.raises(WorkIsOver):
        take(second)
    with pytest.raises(WorkIsOver):
        second.check()
    assert take(first), "its own worker saves and looks for the cancel itself"


def test_helpers_are_called_by_the_name_of_their_work():
    assert f"{work.__name__}.{work.help_run.__name__}" == crews.HELP


def test_a_helper_does_its_share_of_the_work_and_leaves_the_end_to_the_run():
    run = shared(pairs=40, order="both")
    helper = helpers_of(run).get()
    run_here(job=helper, out=io.StringIO())
    assert Verdict.objects.filter(run=run).count() == 80
    run.job.refresh_from_db()
    assert run.job.state == Job.State.QUEUED
    run_here(job=run.job, out=io.StringIO())
    assert (Verdict.objects.filter(run=run).count(), run.job.state) == (80, Job.State.SUCCEEDED)


def test_the_second_pass_is_shared_as_well():
    run = shared(pairs=200, order="both", reasons="sample")
    run_here(job=helpers_of(run).get(), out=io.StringIO())
    written = Verdict.objects.filter(run=run).exclude(raw="").count()
    assert written > 10
    assert Chunk.objects.filter(run=run, stage=Chunk.Stage.REASONS, done=True).exists()
    run_here(job=run.job, out=io.StringIO())
    assert Verdict.objects.filter(run=run).exclude(raw="").count() == written


def test_helpers_that_nobody_took_are_dismissed_and_one_that_comes_late_loads_no_judge(monkeypatch):
    run = shared(pairs=5, workers=3)
    late, idle = helpers_of(run)
    lifecycle.claim(attempt_id=late.attempts.get().pk, holder=processes.this_process())
    run_here(job=run.job, out=io.StringIO())
    idle.refresh_from_db()
    assert (idle.state, idle.started_at) == (Job.State.CANCELLED, None)
    late.refresh_from_db()
    assert late.state == Job.State.RUNNING
    monkeypatch.setattr(work, "load_backend", None)
    with side_connection() as side:
        work.help_run(Running(attempt=late.attempts.get(), side=side))


def test_pausing_stops_all_and_going_on_brings_all_back():
    run = shared(pairs=60, workers=3)
    first, second = joined(run, run.job), joined(run, helpers_of(run).first())
    chunk = take(second)
    pause_run(run=run)
    states = dict(helpers_of(run).values_list("pk", "state"))
    assert sorted(states.values()) == ["cancelled", "cancelling"]
    with pytest.raises(Cancelled):
        second.running.progress(1, 2, "Judging")
    lifecycle.end_cancelled(attempt=first.running._job.attempts.get())
    with pytest.raises(RunError, match="still saving"):
        continue_run(run=run)
    lifecycle.end_cancelled(attempt=second.running._job.attempts.get())
    assert state_of(JudgeRun.objects.get(pk=run.pk)).is_paused
    gone_on = continue_run(run=run)
    assert (gone_on.job, gone_on.job.attempts.count()) == (run.job, 2)
    assert helpers_of(run).live().count() == 2
    assert not Chunk.objects.filter(pk=chunk.pk).exists()
    with pytest.raises(RunError, match="under way"):
        continue_run(run=run)


def test_pausing_what_is_over_says_so():
    run = shared(pairs=2, workers=1)
    run_here(job=run.job, out=io.StringIO())
    with pytest.raises(RunError, match="over already"):
        pause_run(run=run)


def test_a_checkpoint_that_differs_between_workers_is_found_out():
    run = shared()
    mine, other = JudgeRun.objects.get(pk=run.pk), JudgeRun.objects.get(pk=run.pk)
    work.keep_identity(mine, {"checkpoint": "a", "device": "H100"})
    work.keep_identity(other, {"checkpoint": "a", "device": "cpu"})
    third = JudgeRun.objects.get(pk=run.pk)
    assert third.frozen["identity"] == {"checkpoint": "a", "device": "H100"}
    stale = run  # Loaded before any of them.
    with pytest.raises(PermanentError, match="differ between workers"):
        work.keep_identity(stale, {"checkpoint": "b"})


def test_the_number_of_workers_is_checked():
    dataset = make_dataset(pairs=1)
    server = make_judge(backend="openai", model="m", parameters={"base_url": "http://127.0.0.1:1/v1"})
    with pytest.raises(RunError, match="higher 'concurrency'"):
        start_run(judge=server, dataset=dataset, workers=2)
    with pytest.raises(RunError, match="1 to 64"):
        start_run(judge=make_judge(), dataset=dataset, workers=0)
    run = start_run(judge=make_judge(), dataset=dataset, workers=3)
    set_workers(run=run, workers=1)
    assert JudgeRun.objects.get().workers == 1
    assert helpers_of(run).count() == 2


def test_a_dataset_is_judged_for_as_long_as_a_helper_is_at_it():
    run = shared()
    _, second = both(run)
    lifecycle.cancel(job=run.job)
    lifecycle.end_cancelled(attempt=run.job.attempts.get())
    assert Verdicts().is_judging(dataset=run.dataset)
    lost(second)
    lifecycle.cancel(job=helpers_of(run).get())
    assert not Verdicts().is_judging(dataset=run.dataset)


def test_each_worker_tells_how_far_the_whole_run_is():
    run = shared(pairs=40)
    first, second = both(run)
    saver = work._Saver(first, make_backend(run), done=0, total=40)
    other = run.dataset.pairs.first()
    Verdict.objects.create(run=run, pair=other, choice=1)
    saver.count()
    assert saver.done == 1
    second.running.progress(7, 40, "Judging")
    second.running.flush()
    told = state_of(JudgeRun.objects.get(pk=run.pk))
    assert (told.word, told.speaker.done) == ("Running", 7)
    lost(first)
    told = state_of(JudgeRun.objects.get(pk=run.pk))
    assert (told.word, told.speaker.done, told.is_live) == ("Running", 7, True)


def make_backend(run: JudgeRun):
    return load_backend(settings_of(run))


class TestPages:
    @pytest.fixture
    def researcher(self, client):
        user = make_user(role=Role.RESEARCHER)
        client.force_login(user)
        return user

    def test_the_form_asks_for_workers_and_the_page_lists_them(self, client, researcher):
        judge, dataset = make_judge(), make_dataset(pairs=3)
        given = {"judge": judge.pk, "dataset": dataset.slug, "order": "given", "reasons": "none", "workers": "3"}
        client.post(reverse("run_new"), given)
        run = JudgeRun.objects.get()
        assert (run.workers, helpers_of(run).count()) == (3, 2)
        page = client.get(run.get_absolute_url()).content.decode()
        assert [f"Worker {n}</a>" in page for n in (1, 2, 3, 4)] == [True, True, True, False]
        assert "workers=3" in page

    def test_pause_and_go_on(self, client, researcher):
        run = shared(pairs=4)
        page = client.get(run.get_absolute_url()).content.decode()
        assert "Pause</button>" in page
        client.post(reverse("run_pause", args=[run.pk]))
        page = client.get(run.get_absolute_url()).content.decode()
        assert "Paused</span>" in page
        assert "4 that have no verdict" in page
        client.post(reverse("run_continue", args=[run.pk]))
        run.job.refresh_from_db()
        assert run.job.state == Job.State.QUEUED
        assert helpers_of(run).live().count() == 1

    def test_the_progress_is_a_fragment_that_ends_with_the_run(self, client, researcher):
        run = shared(pairs=4)
        url, htmx = reverse("run_progress", args=[run.pk]), {"HX-Request": "true"}
        assert client.get(url).status_code == 302
        assert f'id="run-{run.pk}-progress"' in client.get(url, headers=htmx).content.decode()
        pause_run(run=run)
        assert client.get(url, headers=htmx).headers["HX-Refresh"] == "true"
