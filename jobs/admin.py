"""Jobs and attempts to look at; the one thing to do to them here is to cancel."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from jobs import lifecycle
from jobs.models import Attempt, Job


class ReadOnly:
    """Rows that the code alone writes."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        return False


class AttemptInline(ReadOnly, admin.TabularInline):
    model = Attempt
    fields = ["number", "state", "host", "pid", "exit_code", "started_at", "beat_at", "finished_at", "error"]
    show_change_link = True


@admin.register(Job)
class JobAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["title", "kind", "queue", "state", "attempt_number", "done", "total", "created_by", "created_at"]
    list_filter = ["state", "queue", "kind"]
    list_select_related = ["created_by"]
    search_fields = ["title", "kind", "error"]
    date_hierarchy = "created_at"
    inlines = [AttemptInline]
    actions = ["cancel"]

    @admin.action(description="Cancel selected jobs", permissions=["view"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        allowed = [job for job in queryset if job.may_be_steered_by(request.user)]
        cancelled = sum(lifecycle.cancel(job=job) for job in allowed)
        messages.success(request, f"{cancelled} of {queryset.count()} jobs are being cancelled; the others were over.")


@admin.register(Attempt)
class AttemptAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["job", "number", "state", "host", "pid", "exit_code", "started_at", "beat_at", "finished_at"]
    list_filter = ["state", "host"]
    list_select_related = ["job"]
    search_fields = ["job__title", "error"]
