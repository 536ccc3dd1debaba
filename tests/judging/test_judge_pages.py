"""The pages of judges and runs: who sees them, what the forms say, and that looking changes nothing."""

import io
import re

import pytest
from django.urls import reverse

from annotation.models import Role
from jobs import lifecycle
from jobs.models import Job
from jobs.running import run_here
from judging.models import Judge, JudgeRun, Verdict
from judging.runs.starting import start_run
from tests.factories import make_dataset, make_judge, make_pair, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def researcher(client):
    user = make_user(role=Role.RESEARCHER)
    client.force_login(user)
    return user


@pytest.fixture
def finished():
    judge = make_judge(name="fake <b>one</b>", parameters={"invalid_share": 0.3, "failed_share": 0.2})
    run = start_run(judge=judge, dataset=make_dataset(pairs=30), order="both", send=False)
    run_here(job=run.job, out=io.StringIO())
    run.refresh_from_db()
    return run


def page(client, name: str, *args: object, status: int = 200) -> str:
    answer = client.get(reverse(name, args=args))
    assert answer.status_code == status
    return answer.content.decode()


@pytest.mark.parametrize(
    ("role", "name", "status"),
    [
        (Role.ANNOTATOR, "judges", 403),
        (Role.ANNOTATOR, "judge_new", 403),
        (Role.ANNOTATOR, "run_new", 403),
        (Role.REVIEWER, "judges", 200),
        (Role.REVIEWER, "judge_new", 403),
        (Role.REVIEWER, "run_new", 403),
        (Role.RESEARCHER, "judges", 200),
        (Role.RESEARCHER, "judge_new", 200),
        (Role.RESEARCHER, "run_new", 200),
        (Role.ADMINISTRATOR, "run_new", 200),
    ],
)
def test_who_sees_which_page(client, role, name, status):
    client.force_login(make_user(role=role))
    page(client, name, status=status)


def test_an_annotator_reaches_neither_a_judge_nor_a_run(client, finished):
    client.force_login(make_user())
    page(client, "run", finished.pk, status=403)
    page(client, "judge", finished.judge_id, status=403)


def test_a_reviewer_reads_a_run_but_cannot_carry_on_with_it(client, finished):
    client.force_login(make_user(role=Role.REVIEWER))
    text = page(client, "run", finished.pk)
    assert "Ask again" not in text
    assert client.post(reverse("run_retry_failed", args=[finished.pk])).status_code == 403


def test_names_are_shown_as_text(client, researcher, finished):
    for text in (page(client, "judges"), page(client, "run", finished.pk), page(client, "judge", finished.judge_id)):
        assert "<b>one</b>" not in text
        assert "&lt;b&gt;one" in text


def test_the_first_judge_is_made_and_run_in_the_browser(client, researcher):
    dataset = make_dataset(slug="trial", pairs=2)
    assert "Make one" in page(client, "judges")
    given = {"name": "Longer one", "backend": "baseline", "model": "longer"}
    made = client.post(reverse("judge_new"), given)
    judge = Judge.objects.get()
    assert made.url == reverse("judge", args=[judge.pk])
    assert (judge.created_by, judge.parameters) == (researcher, {})
    started = client.post(
        reverse("run_new"), {"judge": judge.pk, "dataset": "trial", "order": "given", "reasons": "none"}
    )
    run = JudgeRun.objects.get()
    assert started.url == reverse("run", args=[run.pk])
    assert (run.dataset, run.created_by, run.job.state) == (dataset, researcher, Job.State.QUEUED)
    assert "hx-get" in page(client, "run", run.pk)


def test_a_form_that_is_wrong_says_at_which_field(client, researcher):
    answer = client.post(
        reverse("judge_new"),
        {"name": "x", "backend": "openai", "model": "m", "parameters": '{"api_key": "sk-secret-thing"}'},
    )
    assert answer.status_code == 422
    assert "keys are never stored" in answer.content.decode()
    assert not Judge.objects.exists()


def test_parameters_that_are_no_json(client, researcher):
    answer = client.post(reverse("judge_new"), {"name": "x", "backend": "fake", "parameters": "{seed: 1}"})
    assert answer.status_code == 422


@pytest.mark.parametrize(("given", "opened"), [({}, "Local checkpoint"), ({"backend": "fake"}, "Fake")])
def test_what_the_chosen_kind_knows_stands_open(given, opened, client, researcher):
    page = client.post(reverse("judge_new"), given) if given else client.get(reverse("judge_new"))
    [summary] = re.findall(r"<details open>\s*<summary>(.*?)</summary>", page.content.decode())
    assert summary.startswith(opened)


def test_a_run_that_cannot_be_started_says_why(client, researcher):
    judge, dataset = make_judge(backend="baseline", model="longer"), make_dataset(pairs=1)
    given = {"judge": judge.pk, "dataset": dataset.slug, "order": "given", "reasons": "all"}
    answer = client.post(reverse("run_new"), given)
    assert answer.status_code == 422
    assert "gives no reasons" in answer.content.decode()


def test_a_double_click_starts_one_run(client, researcher):
    judge, dataset = make_judge(), make_dataset(pairs=1)
    given = {"judge": judge.pk, "dataset": dataset.slug, "order": "given", "reasons": "none"}
    client.post(reverse("run_new"), given)
    assert "under way already" in client.post(reverse("run_new"), given).content.decode()
    assert JudgeRun.objects.count() == 1


def test_the_form_is_filled_from_the_address(client, researcher):
    judge, dataset = make_judge(), make_dataset(slug="chosen", pairs=1)
    text = client.get(reverse("run_new"), {"judge": judge.pk, "dataset": dataset.slug}).content.decode()
    assert f'<option value="{judge.pk}" selected>' in text
    assert '<option value="chosen" selected>' in text


def test_an_imported_judge_is_not_offered(client, researcher):
    make_judge()
    Judge.objects.create(name="from a file", backend="imported")
    assert "from a file" not in page(client, "run_new")


def test_the_page_of_a_run_shows_its_counts_and_leads_to_the_pairs(client, researcher, finished):
    text = page(client, "run", finished.pk)
    slug = finished.dataset.slug
    assert f"/datasets/{slug}/leaderboard/" in text
    assert f"/datasets/{slug}/review/?kind=invalid&amp;run={finished.pk}" in text
    for choice in ("1", "2"):
        assert f"?run={finished.pk}&amp;verdict={choice}" in text
    failed = Verdict.objects.filter(run=finished, status="failed").count()
    assert f"Ask again for {failed} that failed" in text
    assert "First one shown" in text


def test_later_pairs_are_offered_and_judged(client, researcher, finished):
    make_pair(dataset=finished.dataset)
    assert "Judge 2 that came later" in page(client, "run", finished.pk)
    client.post(reverse("run_continue", args=[finished.pk]))
    finished.refresh_from_db()
    assert finished.job.state == Job.State.QUEUED


def test_failed_verdicts_can_be_asked_for_again(client, researcher, finished):
    client.post(reverse("run_retry_failed", args=[finished.pk]))
    assert not Verdict.objects.filter(run=finished, status="failed").exists()


@pytest.mark.parametrize("name", ["run_continue", "run_retry_failed"])
def test_get_changes_nothing(client, researcher, finished, name):
    before = Verdict.objects.count()
    page(client, name, finished.pk, status=405)
    assert Verdict.objects.count() == before


def test_a_failed_run_shows_its_error_and_how_to_go_on(client, researcher):
    run = start_run(judge=make_judge(), dataset=make_dataset(pairs=1))
    attempt = run.job.attempts.get()
    lifecycle.claim(attempt_id=attempt.pk, holder=lifecycle.Holder(host="h", boot_id="b", pid=1, started=1))
    attempt.refresh_from_db()
    lifecycle.fail(attempt=attempt, summary="The checkpoint lacks config.json.", error="", permanent=True)
    text = page(client, "run", run.pk)
    assert "The checkpoint lacks config.json." in text
    assert "Go on" in text


def test_a_run_of_imported_verdicts_has_no_job(client, researcher):
    pair = make_pair()
    judge = Judge.objects.create(name="from a file", backend="imported")
    run = JudgeRun.objects.create(judge=judge, dataset=pair.dataset)
    Verdict.objects.create(run=run, pair=pair, choice=1)
    text = page(client, "run", run.pk)
    assert "Progress" not in text
    assert "imported" in page(client, "judges")


class TestAdmin:
    def test_a_researcher_makes_a_judge(self, client, researcher):
        made = {"name": "Shorter", "backend": "baseline", "model": "shorter", "parameters": "{}"}
        answer = client.post("/admin/judging/judge/add/", made)
        assert answer.status_code == 302
        assert Judge.objects.get().created_by == researcher

    def test_a_judge_is_fixed_once_it_is_made(self, client, researcher):
        judge = make_judge(name="old name", parameters={"seed": 1})
        changed = {"name": "new name", "backend": "baseline", "model": "longer", "parameters": '{"seed": 2}'}
        client.post(f"/admin/judging/judge/{judge.pk}/change/", changed)
        judge.refresh_from_db()
        assert (judge.name, judge.backend, judge.parameters) == ("new name", "fake", {"seed": 1})

    def test_a_researcher_runs_judges_from_the_list(self, client, researcher):
        judges, dataset = [make_judge(), make_judge()], make_dataset(pairs=1)
        chosen = {"action": "start_runs", "_selected_action": [judge.pk for judge in judges]}
        asked = client.post("/admin/judging/judge/", chosen)
        assert asked.status_code == 200
        assert "Start the runs" in asked.content.decode()
        how = {"start": "1", "dataset": dataset.pk, "order": "both", "reasons": "none"}
        client.post("/admin/judging/judge/", chosen | how)
        assert set(JudgeRun.objects.values_list("judge", "order")) == {(judge.pk, "both") for judge in judges}

    def test_all_judges_of_all_pages_of_the_list_are_run_where_all_were_chosen(self, client, researcher):
        judges, dataset = [make_judge() for _ in range(3)], make_dataset(pairs=1)
        chosen = {"action": "start_runs", "_selected_action": [judges[0].pk], "select_across": "1"}
        asked = client.post("/admin/judging/judge/", chosen).content.decode()
        sent = dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)">', asked))
        how = {"start": "1", "dataset": dataset.pk, "order": "both", "reasons": "none"}
        client.post("/admin/judging/judge/", sent | how)
        assert JudgeRun.objects.count() == 3

    def test_the_form_of_a_new_judge_leads_to_the_list_of_parameters(self, client, researcher):
        assert f'<a href="{reverse("judge_new")}">' in client.get("/admin/judging/judge/add/").content.decode()

    def test_the_page_of_every_row_opens_for_a_researcher(self, client, researcher, finished):
        from django.contrib import admin

        opened = 0
        for model in admin.site._registry:
            row = model._default_manager.first()
            if row and model._meta.app_label in {"annotation", "jobs", "judging"} and model._meta.model_name != "user":
                name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
                assert client.get(reverse(name, args=[row.pk])).status_code == 200, model
                opened += 1
        assert opened >= 8

    @pytest.mark.parametrize("model", ["judge", "judgerun", "verdict"])
    def test_lists_open(self, client, researcher, finished, model):
        assert client.get(f"/admin/judging/{model}/").status_code == 200
        assert client.get(f"/admin/judging/{model}/?q=1").status_code == 200

    def test_every_list_of_the_corpus_opens_for_a_researcher_but_that_of_people(self, client, researcher, finished):
        from django.contrib import admin

        for model in admin.site._registry:
            if model._meta.app_label in {"annotation", "jobs"}:
                answer = client.get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"))
                assert answer.status_code == (403 if model._meta.model_name == "user" else 200), model

    def test_what_was_said_is_not_changed(self, client, researcher, finished):
        verdict = Verdict.objects.filter(run=finished).first()
        assert client.post(f"/admin/judging/verdict/{verdict.pk}/change/", {"choice": 1}).status_code == 403
        assert client.post(f"/admin/judging/verdict/{verdict.pk}/delete/", {"post": "yes"}).status_code == 403

    def test_a_judge_with_runs_is_not_deleted(self, client, researcher, finished):
        assert client.post(f"/admin/judging/judge/{finished.judge_id}/delete/", {"post": "yes"}).status_code == 403

    def test_an_annotator_and_a_reviewer_do_not_get_in(self, client):
        for role in (Role.ANNOTATOR, Role.REVIEWER):
            client.force_login(make_user(role=role))
            assert client.get("/admin/judging/judge/").status_code == 302

    def test_the_pages_of_datasets_and_people_open_for_the_administrator(self, client, finished):
        client.force_login(make_user(role=Role.ADMINISTRATOR))
        assert client.get(f"/admin/annotation/dataset/{finished.dataset_id}/change/").status_code == 200
        assert client.get("/admin/annotation/user/add/").status_code == 200
        assert client.get("/admin/annotation/dataset/add/").status_code == 200
