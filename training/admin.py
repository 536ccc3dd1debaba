"""Training in the admin: looked at here, launched by the same form as in the browser."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html

from jobs.admin import ReadOnly
from training.models import Checkpoint, Snapshot, TrainingRun


class Launched(ReadOnly):
    """“Add” leads to the form that launches it, which checks what is asked and says what it would take."""

    launch = ""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        return bool(request.user.may_research)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: object = None) -> HttpResponse:  # noqa: ARG002
        return redirect(self.launch)

    @admin.display(ordering="job__state")
    def state(self, row: Snapshot | TrainingRun) -> str:
        return row.job.get_state_display() if row.job else ""

    @admin.display(description="Page")
    def page(self, row: Snapshot | TrainingRun) -> str:
        return format_html('<a href="{}">Open</a>', row.get_absolute_url())


@admin.register(Snapshot)
class SnapshotAdmin(Launched, admin.ModelAdmin):
    launch = "snapshot_new"
    list_display = ["name", "purpose", "count", "held_out_count", "state", "page", "created_by", "created_at"]
    list_filter = ["purpose"]
    list_select_related = ["job", "created_by"]
    search_fields = ["name", "sha256"]


class CheckpointInline(ReadOnly, admin.TabularInline):
    model = Checkpoint
    fields = ["epoch", "step", "size", "held_out_loss", "judge", "generator"]


@admin.register(TrainingRun)
class TrainingRunAdmin(Launched, admin.ModelAdmin):
    launch = "training_new"
    list_display = ["name", "purpose", "snapshot", "base_model", "devices", "dry", "state", "page", "created_at"]
    list_filter = ["purpose", "dry", "job__state"]
    list_select_related = ["job", "snapshot"]
    search_fields = ["name", "base_model", "notes"]
    date_hierarchy = "created_at"
    inlines = [CheckpointInline]
