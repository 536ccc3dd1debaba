"""A policy names the four rules under which numbers are made. No number is shown without one."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Rule(StrEnum):
    """One of a policy's rules by its choices, each with its words for people."""

    words: str

    def __new__(cls, value: str, words: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_, member.words = value, words
        return member


class Gold(Rule):
    """What the right answer for a pair is."""

    ADJUDICATED = "adjudicated", "the adjudicated choice, else the strict majority of the human labels"
    MAJORITY = "majority", "the strict majority of the human labels"
    UNANIMOUS = "unanimous", "the choice of all human labels, where they agree"
    DAWID_SKENE = "dawid-skene", "the most probable choice by Dawid and Skene's model of the annotators"


class NoGold(Rule):
    """What becomes of a labelled pair that the gold rule gives no answer for."""

    OUT = "out", "left out"
    TIE = "tie", "counted as a tie"


class Invalid(Rule):
    """What becomes of a verdict that is none of 1, 2 and tie."""

    WRONG = "wrong", "counted as wrong"
    OUT = "out", "left out"
    TIE = "tie", "counted as a tie"


class Conflict(Rule):
    """What two verdicts on one pair, one in each order, come to."""

    TIE = "tie", "a tie"
    GIVEN = "given", "the given order alone"
    AVERAGE = "average", "the average of the probabilities"


RULES: dict[str, type[Rule]] = {"gold": Gold, "no_gold": NoGold, "invalid": Invalid, "conflict": Conflict}


class UnknownPolicyError(ValueError):
    """No policy has this name; the text says which names there are."""


@dataclass(frozen=True)
class Policy:
    name: str
    gold: Gold = Gold.ADJUDICATED
    no_gold: NoGold = NoGold.OUT
    invalid: Invalid = Invalid.WRONG
    conflict: Conflict = Conflict.TIE

    @property
    def rules(self) -> list[tuple[str, str]]:
        """The four rules in words, for people: (what the rule is about, what it says)."""
        return [
            ("Gold", self.gold.words),
            ("A labelled pair without gold", self.no_gold.words),
            ("An invalid verdict", self.invalid.words),
            ("Verdicts that differ between the orders", self.conflict.words),
        ]


PRESETS: dict[str, Policy] = {
    policy.name: policy
    for policy in (
        Policy("default"),
        Policy("paper", Gold.MAJORITY, NoGold.OUT, Invalid.TIE, Conflict.TIE),
        Policy("released-files", Gold.MAJORITY, NoGold.OUT, Invalid.TIE, Conflict.GIVEN),
    )
}


def policy_of(*, gold: str, no_gold: str, invalid: str, conflict: str) -> Policy:
    """The policy of four rules: the preset that has them, else one named by the rules themselves, in this order.

    Raises UnknownPolicyError for a rule that does not exist.
    """
    said = {"gold": gold, "no_gold": no_gold, "invalid": invalid, "conflict": conflict}
    for name, value in said.items():
        if value not in list(RULES[name]):
            choices = ", ".join(RULES[name])
            raise UnknownPolicyError(f"'{value}' is no rule for {name}: choose one of {choices}.")
    rules = (Gold(gold), NoGold(no_gold), Invalid(invalid), Conflict(conflict))
    for preset in PRESETS.values():
        if (preset.gold, preset.no_gold, preset.invalid, preset.conflict) == rules:
            return preset
    return Policy(".".join(rules), *rules)


def policy_named(name: str) -> Policy:
    """The policy of a name: a preset, or four rules joined by dots, as majority.out.wrong.given.

    Raises UnknownPolicyError, whose text lists what may be said.
    """
    if name in PRESETS:
        return PRESETS[name]
    rules = name.split(".")
    if len(rules) != len(RULES):
        presets = ", ".join(PRESETS)
        raise UnknownPolicyError(
            f"No policy is called '{name}'. Choose one of {presets}, or join four rules by dots: "
            "gold.no-gold.invalid.conflict, as majority.out.wrong.given."
        )
    return policy_of(gold=rules[0], no_gold=rules[1], invalid=rules[2], conflict=rules[3])
