"""Gold under the named policies, for the exports of the package below."""

from annotation.gold_rule import Gold
from annotation.models import Dataset
from judging.scores.evidence import read_people
from judging.scores.policies import PRESETS, Policy, policy_named
from judging.scores.scoring import gold_of


class PolicyGold:
    """The rule that annotation.gold_rule asks for."""

    def policies(self) -> list[tuple[str, str]]:
        told: list[Policy] = []
        words = []
        for policy in PRESETS.values():
            words.append((policy.name, _gold_words(policy, told)))
            told.append(policy)
        return words

    def rules(self, policy: str) -> dict[str, str]:
        return dict(policy_named(policy).rules[:2])

    def gold_of(self, *, dataset: Dataset, policy: str) -> Gold:
        evidence = read_people(dataset)
        return Gold(evidence.pair_ids, gold_of(evidence, policy_named(policy)))


def _gold_words(policy: Policy, told: list[Policy]) -> str:
    """What gold is under a policy; where one that was told before has the same, how the two differ all the same."""
    for same in told:
        if (same.gold, same.no_gold) == (policy.gold, policy.no_gold):
            apart = [
                f"{about[0].lower()}{about[1:]}, {words} instead of {other}"
                for (about, words), (_, other) in zip(policy.rules[2:], same.rules[2:], strict=True)
                if words != other
            ]
            return f"the same gold as {same.name}; they differ in scores of judges alone ({'; '.join(apart)})"
    return policy.rules[0][1]
