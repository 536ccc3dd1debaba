"""Gold under the named policies, for the exports of the package below."""

from annotation.gold_rule import Gold
from annotation.models import Dataset
from judging.scores.evidence import read_people
from judging.scores.policies import PRESETS, policy_named
from judging.scores.scoring import gold_of


class PolicyGold:
    """The rule that annotation.gold_rule asks for."""

    def policies(self) -> list[tuple[str, str]]:
        return [(policy.name, policy.rules[0][1]) for policy in PRESETS.values()]

    def rules(self, policy: str) -> dict[str, str]:
        return dict(policy_named(policy).rules[:2])

    def gold_of(self, *, dataset: Dataset, policy: str) -> Gold:
        evidence = read_people(dataset)
        return Gold(evidence.pair_ids, gold_of(evidence, policy_named(policy)))
