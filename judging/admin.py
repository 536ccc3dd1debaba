"""Judges, runs and verdicts in the admin. A judge is made and run here too; what it said is only looked at."""

from collections.abc import Iterator

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html

from annotation.models import Dataset
from jobs.admin import ReadOnly
from jobs.crews import MOST_WORKERS
from judging.judge_forms import JudgeForm
from judging.judges import create_judge
from judging.models import Judge, JudgeRun, PromptTemplate, Verdict
from judging.runs.starting import RunError, continue_run, start_run


class AdminJudgeForm(JudgeForm):
    def __init__(self, *args: object, **options: object):
        super().__init__(*args, **options)
        self.fields["parameters"].help_text = format_html(
            'A JSON object. What each kind of judge knows is listed on the page <a href="{}">New judge</a>.',
            reverse("judge_new"),
        )


class StartRunsForm(forms.Form):
    """What the action asks for before it starts a run of each selected judge."""

    dataset = forms.ModelChoiceField(Dataset.objects.all())
    order = forms.ChoiceField(choices=JudgeRun.Order, initial=JudgeRun.Order.BOTH)
    reasons = forms.ChoiceField(choices=JudgeRun.Reasons, initial=JudgeRun.Reasons.NONE)
    workers = forms.IntegerField(initial=1, min_value=1, max_value=MOST_WORKERS, required=False)

    def clean_workers(self) -> int:
        return self.cleaned_data["workers"] or 1


class TemplateFilter(admin.AllValuesFieldListFilter):
    def choices(self, changelist: ChangeList) -> Iterator[dict[str, object]]:
        """A judge without a template has a choice with words, too."""
        for choice in super().choices(changelist):
            yield choice | {"display": choice["display"] or "none"}


@admin.register(Judge)
class JudgeAdmin(admin.ModelAdmin):
    """A judge is fixed once it is made: only its name may change, and it goes only while it has no runs."""

    form = AdminJudgeForm
    list_display = ["name", "backend", "model", "template", "n_runs", "created_by", "created_at"]
    list_filter = ["backend", ("template", TemplateFilter)]
    list_select_related = ["created_by"]
    search_fields = ["name", "model"]
    date_hierarchy = "created_at"
    readonly_fields = ["fingerprint", "created_by", "created_at"]
    actions = ["start_runs"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Judge]:  # noqa: ARG002
        return Judge.objects.with_runs()

    @admin.display(description="Runs", ordering="n_runs")
    def n_runs(self, judge: Judge) -> int:
        return judge.n_runs

    def get_form(self, request: HttpRequest, obj: Judge | None = None, **options: object) -> type[forms.ModelForm]:
        if obj is not None:
            options["form"] = forms.ModelForm
        return super().get_form(request, obj, **options)

    def get_fields(self, request: HttpRequest, obj: Judge | None = None) -> list[str]:  # noqa: ARG002
        settings = ["name", "backend", "model", "revision", "template", "parameters"]
        return settings + (list(self.readonly_fields) if obj else [])

    def get_readonly_fields(self, request: HttpRequest, obj: Judge | None = None) -> list[str]:  # noqa: ARG002
        fixed = ["backend", "model", "revision", "template", "parameters"] if obj else []
        return [*fixed, *self.readonly_fields]

    def save_model(self, request: HttpRequest, obj: Judge, form: forms.ModelForm, change: bool) -> None:
        if change:
            obj.save(update_fields=["name"])
            return
        obj.pk = create_judge(**form.cleaned_data, created_by=request.user).pk

    def has_delete_permission(self, request: HttpRequest, obj: Judge | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or not obj.runs.exists())

    @admin.action(description="Run selected judges on a dataset", permissions=["change"])
    def start_runs(self, request: HttpRequest, queryset: QuerySet[Judge]) -> HttpResponse | None:
        form = StartRunsForm(request.POST if "start" in request.POST else None)
        if form.is_valid():
            self._start(request, list(queryset), form.cleaned_data)
            return None
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        context = self.admin_site.each_context(request) | {
            "title": "Run judges on a dataset",
            "form": form,
            "judges": queryset,
            "chosen": chosen,
            "across": request.POST.get("select_across", "0"),
            "opts": self.opts,
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return render(request, "admin/judging/start_runs.html", context)

    def _start(self, request: HttpRequest, judges: list[Judge], how: dict) -> None:
        for judge in judges:
            try:
                run = start_run(judge=judge, created_by=request.user, **how)
            except RunError as error:
                messages.error(request, f"{judge}: {error}")
            else:
                link = format_html('<a href="{}">Run {}</a> of {} is queued.', run.get_absolute_url(), run.pk, judge)
                messages.success(request, link)


@admin.register(PromptTemplate)
class PromptTemplateAdmin(ReadOnly, admin.ModelAdmin):
    """To look at: a version is written on the pages of judges, with its preview, and never changes."""

    list_display = ["__str__", "kind", "answer", "about", "page", "created_by", "created_at"]
    list_filter = ["kind", "answer"]
    list_select_related = ["created_by"]
    search_fields = ["name", "about"]
    date_hierarchy = "created_at"

    @admin.display(description="Page")
    def page(self, template: PromptTemplate) -> str:
        return format_html('<a href="{}">Open</a>', template.get_absolute_url())


@admin.register(JudgeRun)
class JudgeRunAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["pk", "judge", "dataset", "order", "reasons", "state", "done", "page", "created_by", "created_at"]
    list_filter = ["job__state", "order", "reasons", "judge", "dataset"]
    list_select_related = ["judge", "dataset", "job", "created_by"]
    search_fields = ["judge__name", "dataset__slug"]
    date_hierarchy = "created_at"
    actions = ["carry_on"]

    @admin.display(ordering="job__state")
    def state(self, run: JudgeRun) -> str:
        return run.job.get_state_display() if run.job else "Imported"

    @admin.display(description="Progress")
    def done(self, run: JudgeRun) -> str:
        return run.job.progress.counts_in_words if run.job else ""

    @admin.display(description="Page")
    def page(self, run: JudgeRun) -> str:
        return format_html('<a href="{}">Open</a>', run.get_absolute_url())

    @admin.action(description="Judge the pairs that have no verdict yet", permissions=["view"])
    def carry_on(self, request: HttpRequest, queryset: QuerySet[JudgeRun]) -> None:
        if not request.user.may_research:
            raise PermissionDenied
        for run in queryset:
            try:
                continue_run(run=run, created_by=request.user)
            except RunError as error:
                messages.warning(request, f"Run {run.pk}: {error}")
            else:
                messages.success(request, f"Run {run.pk} goes on.")


@admin.register(Verdict)
class VerdictAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["pk", "run", "pair_id", "swapped", "choice", "status", "p_1", "p_2", "p_tie", "created_at"]
    list_filter = ["status", "choice", "swapped", "run__judge"]
    list_select_related = ["run__judge", "run__dataset"]
    search_fields = ["=pair__external_id", "=run__pk"]
    search_help_text = "A pair's id in its file, or a run's number."
    # A count over all verdicts for every page is more than anybody wants to know.
    show_full_result_count = False
    ordering = ["-pk"]
