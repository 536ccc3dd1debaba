"""Choosing a policy: a preset by name, or four rules."""

from django import forms
from django.http import QueryDict

from judging.scores.policies import PRESETS, RULES, Policy, UnknownPolicyError, policy_named, policy_of

LABELS = {
    "gold": "Gold is",
    "no_gold": "A labelled pair without gold is",
    "invalid": "An invalid verdict is",
    "conflict": "Verdicts that differ between the orders come to",
}


class RulesForm(forms.Form):
    """The four rules of a policy, one list each."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        for name, rule in RULES.items():
            choices = [(value.value, value.words) for value in rule]
            self.fields[name] = forms.ChoiceField(choices=choices, label=LABELS[name])


class PolicyChooser:
    """What the address asks for. policy is the one to use; error says why it is not the one that was asked for."""

    def __init__(self, query: QueryDict) -> None:
        self.error = ""
        self.policy = PRESETS["default"]
        try:
            self.policy = self._asked(query)
        except UnknownPolicyError as error:
            self.error = str(error)
        rules = {name: getattr(self.policy, name).value for name in RULES}
        self.rules_form = RulesForm(initial=rules, auto_id="rule_%s")
        self.presets = list(PRESETS.values())

    @staticmethod
    def _asked(query: QueryDict) -> Policy:
        if all(query.get(name) for name in RULES):
            return policy_of(**{name: query[name] for name in RULES})
        return policy_named(query.get("policy") or "default")

    @property
    def is_preset(self) -> bool:
        return self.policy.name in PRESETS
