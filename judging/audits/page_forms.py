"""The list of a dataset's audits, and the question how many more labels an audit needs."""

from dataclasses import dataclass

from django import forms
from django.db.models import Count, Q, QuerySet

from annotation.models import Dataset
from judging.audits.numbers import AuditNumbers
from judging.models import Audit, AuditItem


def listed(dataset: Dataset) -> QuerySet[Audit]:
    decided = Q(items__state=AuditItem.State.DECIDED)
    return (
        Audit.objects.filter(dataset=dataset)
        .select_related("run__judge", "created_by", "job")
        .annotate(
            n_items=Count("items"),
            n_decided=Count("items", filter=decided),
            n_wrong=Count("items", filter=Q(items__outcome=AuditItem.Outcome.WRONG)),
        )
        .order_by("-created_at", "-pk")
    )


@dataclass(frozen=True, slots=True)
class Needed:
    """How many more audits, and how many of them are drawn already."""

    more: int | None
    left: int

    @property
    def beyond(self) -> int:
        return max((self.more or 0) - self.left, 0)


class WidthForm(forms.Form):
    """Bound to the query string."""

    width = forms.FloatField(
        label="Narrower than (percentage points)",
        required=False,
        min_value=0.1,
        max_value=100,
        widget=forms.NumberInput(attrs={"step": "0.1"}),
        error_messages={
            "min_value": "Ask for a tenth of a point at least.",
            "max_value": "Ask for 100 points at most.",
        },
    )
    USUAL = 4.0

    def __init__(self, data: dict[str, str]):
        super().__init__({"width": data.get("width") or str(self.USUAL)})

    @property
    def value(self) -> float | None:
        return self.cleaned_data.get("width") if self.is_valid() else None

    def needed(self, numbers: AuditNumbers) -> Needed | None:
        if not numbers.audit.is_sample or self.value is None:
            return None
        return Needed(numbers.more_until(self.value / 100), numbers.left)
