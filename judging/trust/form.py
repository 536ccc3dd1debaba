"""What is asked of the page on trust."""

from django import forms

TARGET, SEED = 0.9, 0


class TrustForm(forms.Form):
    accuracy = forms.FloatField(
        label="Accuracy asked for, in percent",
        required=False,
        min_value=34,
        max_value=100,
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    seed = forms.IntegerField(
        label="Seed of the halves",
        required=False,
        min_value=0,
        max_value=2**31,
        help_text="Another seed, other halves.",
    )

    def __init__(self, data, **options: object):
        # A page that is asked for nothing shows what it takes.
        given = data.copy()
        given.setdefault("accuracy", f"{100 * TARGET:g}")
        given.setdefault("seed", str(SEED))
        super().__init__(given, **options)

    @property
    def asked(self) -> dict[str, float | int]:
        """Of a valid form."""
        accuracy, seed = self.cleaned_data["accuracy"], self.cleaned_data["seed"]
        return {"target": TARGET if accuracy is None else accuracy / 100, "seed": SEED if seed is None else seed}
