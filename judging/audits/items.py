"""The items of an audit as a list with filters: where each number of its page leads to."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict

from annotation.label_forms import CHOICES
from annotation.models import User
from judging.audits.suspicion import SIGNALS
from judging.models import Audit, AuditItem

PAGE = 50
_CHOICE = [("", "Any"), ("1", "1"), ("2", "2"), ("tie", "Tie")]


class ItemFilter(forms.Form):
    """Bound to the query string."""

    state = forms.ChoiceField(required=False, choices=[("", "Any"), *AuditItem.State.choices])
    outcome = forms.ChoiceField(
        required=False, choices=[("", "Any"), *AuditItem.Outcome.choices, ("not_right", "Not right")]
    )
    cause = forms.ChoiceField(required=False, choices=[("", "Any"), *AuditItem.Cause.choices])
    stratum = forms.TypedChoiceField(required=False, coerce=int, empty_value=None)
    distilled = forms.ChoiceField(label="Label", required=False, choices=_CHOICE)
    blind = forms.ChoiceField(label="Blind choice", required=False, choices=_CHOICE)
    signal = forms.ChoiceField(
        label="Sign", required=False, choices=[("", "Any"), *((name, each.title) for name, each in SIGNALS.items())]
    )
    auditor = forms.ModelChoiceField(User.objects.none(), required=False, empty_label="Anybody")
    after = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)

    def __init__(self, data: QueryDict, *, audit: Audit):
        super().__init__(data, auto_id="filter_%s", label_suffix="")
        self.audit = audit
        self.fields["stratum"].choices = [("", "Any"), *((each.number, str(each)) for each in audit.strata.all())]
        self.fields["auditor"].queryset = User.objects.filter(audit_items__audit=audit).distinct().order_by("username")
        for name in ("signal",) if audit.is_sample else ("stratum",):
            del self.fields[name]

    def items(self) -> QuerySet[AuditItem]:
        """What matches, in the order in which it is given out; only of a valid form."""
        said = self.cleaned_data
        found = AuditItem.objects.filter(audit=self.audit).order_by("position")
        wanted: dict[str, Any] = {
            "state": said["state"],
            "cause": said["cause"],
            "auditor": said["auditor"],
            "stratum__number": said.get("stratum"),
        }
        found = found.filter(**{name: value for name, value in wanted.items() if value})
        if said["outcome"] == "not_right":
            found = found.exclude(outcome__in=["", AuditItem.Outcome.RIGHT])
        elif said["outcome"]:
            found = found.filter(outcome=said["outcome"])
        for name, column in (("distilled", "distilled"), ("blind", "blind_choice")):
            if said[name]:
                found = found.filter(**{column: CHOICES[said[name]]})
        if said.get("signal"):
            found = found.filter(signals__contains=[{"kind": said["signal"]}])
        return found

    @property
    def query(self) -> str:
        """The filters as a query string, without the place in the list."""
        kept = QueryDict(mutable=True)
        for name in self.fields:
            if name != "after" and self.data.get(name):
                kept[name] = self.data[name]
        return kept.urlencode()


@dataclass(frozen=True, slots=True)
class ItemPage:
    items: list[AuditItem]
    total: int
    last: int | None
    """The position to go on after, where there is more."""


def page_of(form: ItemFilter) -> ItemPage:
    found = form.items()
    wanted = found.filter(position__gt=form.cleaned_data["after"] or 0)
    wanted = wanted.select_related("pair__prompt", "stratum", "auditor")
    items = list(wanted[: PAGE + 1])
    return ItemPage(items[:PAGE], found.count(), items[PAGE - 1].position if len(items) > PAGE else None)
