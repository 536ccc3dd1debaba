"""The pairs of a review list as a file."""

from django import forms

from annotation.exporting.making import Export
from annotation.exporting.options import Options
from annotation.models import Pair, User
from judging.decisions import Bounds
from judging.review.disagreement import Criteria, matching, numbers

FORMATS = {"csv": "CSV", "tiebreak": "JSON Lines"}


class ExportAskedForm(forms.Form):
    format = forms.ChoiceField(
        choices=FORMATS.items(),
        error_messages={
            "required": "Say as what the pairs are wanted: format=csv or format=tiebreak.",
            "invalid_choice": "“%(value)s” is none of csv and tiebreak.",
        },
    )


def export_of(criteria: Criteria, *, format_name: str, by: User) -> Export:
    """All matching pairs, in the order in which they came in, with gold under the policy where the format has it."""
    most = Pair.objects.filter(dataset=criteria.dataset).count()
    chosen = numbers(matching(criteria, Bounds(), limit=max(most, 1)))
    # Gold costs reading all labels: only a table has a column for it.
    options = Options(policy=criteria.policy.name if format_name == "csv" else "")
    return Export(dataset=criteria.dataset, format_name=format_name, options=options, made_by=by, chosen=sorted(chosen))
