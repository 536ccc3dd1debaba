"""A policy names the four rules under which numbers are made. No number is shown without one."""

from dataclasses import dataclass
from enum import StrEnum


class Gold(StrEnum):
    """What the right answer for a pair is."""

    ADJUDICATED = "adjudicated"
    MAJORITY = "majority"
    UNANIMOUS = "unanimous"
    DAWID_SKENE = "dawid-skene"


class NoGold(StrEnum):
    """What becomes of a labelled pair that the gold rule gives no answer for."""

    OUT = "out"
    TIE = "tie"


class Invalid(StrEnum):
    """What becomes of a verdict that is none of 1, 2 and tie."""

    WRONG = "wrong"
    OUT = "out"
    TIE = "tie"


class Conflict(StrEnum):
    """What two verdicts on one pair, one in each order, come to."""

    TIE = "tie"
    GIVEN = "given"
    AVERAGE = "average"


RULES: dict[str, type[StrEnum]] = {"gold": Gold, "no_gold": NoGold, "invalid": Invalid, "conflict": Conflict}

WORDS: dict[StrEnum, str] = {
    Gold.ADJUDICATED: "the adjudicated choice, else the strict majority of the human labels",
    Gold.MAJORITY: "the strict majority of the human labels",
    Gold.UNANIMOUS: "the choice of all human labels, where they agree",
    Gold.DAWID_SKENE: "the most probable choice by Dawid and Skene's model of the annotators",
    NoGold.OUT: "left out",
    NoGold.TIE: "counted as a tie",
    Invalid.WRONG: "counted as wrong",
    Invalid.OUT: "left out",
    Invalid.TIE: "counted as a tie",
    Conflict.TIE: "a tie",
    Conflict.GIVEN: "the given order alone",
    Conflict.AVERAGE: "the average of the probabilities",
}


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
            ("Gold", WORDS[self.gold]),
            ("A labelled pair without gold", WORDS[self.no_gold]),
            ("An invalid verdict", WORDS[self.invalid]),
            ("Verdicts that differ between the orders", WORDS[self.conflict]),
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
