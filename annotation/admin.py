"""The corpus and the people in the admin. Settings are changed here; what people decided is only looked at.

Researchers see all but people, who are the administrator's: annotation.roles.RoleBackend says so.
"""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from annotation.models import (
    Adjudication,
    Comment,
    Dataset,
    Generator,
    Guideline,
    Import,
    ImportProblem,
    Label,
    LabelRevision,
    Pair,
    Prompt,
    Response,
    Role,
    Skip,
    Slot,
    User,
)
from jobs.admin import ReadOnly

admin.site.site_header = admin.site.site_title = "Tiebreak"
admin.site.index_title = "Data and judges"
admin.site.unregister(Group)  # A role says what a person may do (annotation/roles.py).
BEGINNING = 100


def beginning(text: str) -> str:
    return text if len(text) <= BEGINNING else f"{text[:BEGINNING]} ..."


class Large(admin.ModelAdmin):
    """Tables of hundreds of thousands of rows: no count of all of them for every page."""

    show_full_result_count = False
    list_per_page = 50


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    """One role a person; what it allows is in the code, so groups and single permissions are not offered."""

    list_display = ["username", "role", "first_name", "last_name", "email", "is_active", "last_login"]
    list_filter = ["role", "is_active"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Person", {"fields": ["first_name", "last_name", "email"]}),
        ("Access", {"fields": ["role", "is_active"]}),
        ("Dates", {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [
        (None, {"classes": ["wide"], "fields": ["username", "role", "usable_password", "password1", "password2"]})
    ]
    filter_horizontal = []

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:  # noqa: ARG002
        """People who left are made inactive: their labels stay theirs."""
        return False


class GuidelineInline(ReadOnly, admin.StackedInline):
    """Revisions are numbered and kept; the dataset's page adds the next one."""

    model = Guideline
    extra = 0
    fields = readonly_fields = ["number", "text", "created_by", "created_at"]


@admin.register(Dataset)
class DatasetAdmin(admin.ModelAdmin):
    list_display = ["slug", "purpose", "labels_per_pair", "everyone_labels", "n_pairs", "page", "created_at"]
    list_filter = ["purpose", "everyone_labels"]
    search_fields = ["slug"]
    filter_horizontal = ["annotators"]
    inlines = [GuidelineInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dataset]:
        return super().get_queryset(request).annotate(n_pairs=Count("pairs"))

    @admin.display(description="Pairs", ordering="n_pairs")
    def n_pairs(self, dataset: Dataset) -> int:
        return dataset.n_pairs

    @admin.display(description="Page")
    def page(self, dataset: Dataset) -> str:
        return format_html('<a href="{}">Open</a>', reverse("dataset", args=[dataset.slug]))

    def get_readonly_fields(self, request: HttpRequest, obj: Dataset | None = None) -> list[str]:  # noqa: ARG002
        """Each pair has its slots, so the number of labels is raised on the dataset's page, which makes them."""
        return ["labels_per_pair"] if obj else []

    def formfield_for_manytomany(self, db_field, request: HttpRequest, **options: object):
        if db_field.name == "annotators":
            options["queryset"] = User.objects.filter(role=Role.ANNOTATOR).order_by("username")
        return super().formfield_for_manytomany(db_field, request, **options)


@admin.register(Guideline)
class GuidelineAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["dataset", "number", "created_by", "created_at"]
    list_filter = ["dataset"]
    list_select_related = ["dataset", "created_by"]
    search_fields = ["text"]


@admin.register(Prompt)
class PromptAdmin(ReadOnly, Large):
    list_display = ["pk", "shown_instruction", "source"]
    search_fields = ["instruction", "source"]
    ordering = ["-pk"]

    @admin.display(description="Instruction")
    def shown_instruction(self, prompt: Prompt) -> str:
        return beginning(prompt.instruction)


@admin.register(Generator)
class GeneratorAdmin(admin.ModelAdmin):
    list_display = ["name"]
    search_fields = ["name"]


@admin.register(Response)
class ResponseAdmin(ReadOnly, Large):
    list_display = ["pk", "generator", "shown_text"]
    list_filter = ["generator"]
    list_select_related = ["generator"]
    search_fields = ["text"]
    ordering = ["-pk"]

    @admin.display(description="Text")
    def shown_text(self, response: Response) -> str:
        return beginning(response.text)


@admin.register(Pair)
class PairAdmin(ReadOnly, Large):
    list_display = ["external_id", "dataset", "instruction", "first", "second", "page"]
    list_filter = ["dataset"]
    list_select_related = ["dataset", "prompt", "response_1__generator", "response_2__generator"]
    search_fields = ["=external_id", "prompt__instruction"]
    ordering = ["-pk"]

    @admin.display
    def instruction(self, pair: Pair) -> str:
        return beginning(pair.prompt.instruction)

    @admin.display(description="Response 1 by")
    def first(self, pair: Pair) -> object:
        return pair.response_1.generator

    @admin.display(description="Response 2 by")
    def second(self, pair: Pair) -> object:
        return pair.response_2.generator

    @admin.display(description="Page")
    def page(self, pair: Pair) -> str:
        return format_html('<a href="{}">Open</a>', reverse("pair", args=[pair.pk]))


@admin.register(Slot)
class SlotAdmin(ReadOnly, Large):
    list_display = ["pair_id", "dataset", "number", "state", "annotator", "swapped", "claimed_at", "expires_at"]
    list_filter = ["state", "dataset"]
    list_select_related = ["dataset", "annotator"]
    search_fields = ["=pair__external_id", "annotator__username"]
    ordering = ["-pk"]


@admin.register(Skip)
class SkipAdmin(ReadOnly, Large):
    list_display = ["pair", "annotator", "reason", "created_at"]
    list_filter = ["annotator"]
    list_select_related = ["pair__dataset", "annotator"]
    search_fields = ["reason", "=pair__external_id"]
    date_hierarchy = "created_at"


class LabelRevisionInline(ReadOnly, admin.StackedInline):
    model = LabelRevision


@admin.register(Label)
class LabelAdmin(ReadOnly, Large):
    list_display = ["pair", "annotator", "choice", "shown_swapped", "flag", "seconds", "created_at", "changed_at"]
    list_filter = ["choice", "flag", "pair__dataset", "annotator"]
    list_select_related = ["pair__dataset", "annotator"]
    search_fields = ["=pair__external_id", "annotator__username", "rationale"]
    date_hierarchy = "created_at"
    inlines = [LabelRevisionInline]


@admin.register(Adjudication)
class AdjudicationAdmin(ReadOnly, Large):
    list_display = ["pair", "choice", "cause", "by", "created_at"]
    list_filter = ["choice", "cause", "by"]
    list_select_related = ["pair__dataset", "by"]
    search_fields = ["=pair__external_id", "note"]
    date_hierarchy = "created_at"


@admin.register(Comment)
class CommentAdmin(ReadOnly, Large):
    list_display = ["pair", "author", "shown_text", "created_at"]
    list_filter = ["author"]
    list_select_related = ["pair__dataset", "author"]
    search_fields = ["text", "=pair__external_id"]
    date_hierarchy = "created_at"

    @admin.display(description="Text")
    def shown_text(self, comment: Comment) -> str:
        return beginning(comment.text)


@admin.register(Import)
class ImportAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["file_name", "dataset_slug", "state", "page", "created_by", "created_at"]
    list_filter = ["job__state", "dataset"]
    list_select_related = ["job", "created_by"]
    search_fields = ["file_name", "dataset_slug"]
    date_hierarchy = "created_at"

    @admin.display(ordering="job__state")
    def state(self, source: Import) -> str:
        return source.job.get_state_display() if source.job else ""

    @admin.display(description="Page")
    def page(self, source: Import) -> str:
        return format_html('<a href="{}">Open</a>', reverse("import", args=[source.pk]))


@admin.register(ImportProblem)
class ImportProblemAdmin(ReadOnly, Large):
    list_display = ["source", "line", "field", "severity", "message"]
    list_filter = ["severity", "source"]
    list_select_related = ["source"]
    search_fields = ["message", "field"]
