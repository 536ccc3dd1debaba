"""Pairs made up for the demo's judge: short tasks, and responses that answer, are empty, or fall apart.

Pure and seeded: the same generator state gives the same pairs. Nobody's data is in it.
"""

import random
from dataclasses import dataclass

from judging.prompts.built_in import Asked

WORDS = """
fruits: apple pear plum cherry mango grape lemon peach fig melon kiwi banana
colours: red blue green yellow white black brown purple orange grey pink silver
animals: horse cat dog goat sheep duck whale tiger mouse eagle otter rabbit
tools: hammer saw drill chisel pliers ladder brush spade rake wrench file axe
instruments: piano violin drum flute guitar harp trumpet cello organ horn lute banjo
cities: Paris London Rome Lima Oslo Cairo Delhi Tokyo Quito Berlin Madrid Dublin
"""
TOPICS = {topic: words.split() for topic, words in (line.split(": ") for line in WORDS.strip().splitlines())}
ASKS = (
    "Name three {topic}.",
    "List a few {topic} that a child knows.",
    "Give me some examples of {topic}.",
    "Which {topic} can you think of?",
    "Write one sentence about {topic}.",
    "I need three {topic} for a quiz.",
)
ANSWERS = (
    "{0}, {1} and {2}.",
    "Three {topic} are {0}, {1} and {2}.",
    "Of all {topic} I would say {0}, {1} and {2}.",
    "You could take {0}, {1} or {2}.",
    "- {0}\n- {1}\n- {2}",
    "Sure! Here are some {topic}: {0}, {1}, {2}. I hope that this helps.",
)
INPUTS = ("For a poster.", "The group is small.", "Keep it short.", "It is for a game.", "Use plain words.")
GARBAGE = "qxzvkjwy#@%&*~|<>{}[]0123456789"
# How bad a kind of response is: the better one of a pair has the lower number, and equals tie.
KINDS = {"answer": 0, "fragment": 1, "garbled": 2, "loop": 2, "empty": 3}
FAULTS = {
    "fragment": "breaks off",
    "garbled": "is garbled",
    "loop": "only repeats itself",
    "empty": "is empty",
}


@dataclass(frozen=True)
class Example:
    """choice: 0 (tie), 1 or 2. kinds: of the first and of the second response."""

    asked: Asked
    choice: int
    reason: str
    reference: str
    kinds: tuple[str, str]


def _answer(rng: random.Random, topic: str, sentences: int = 1) -> str:
    said = (rng.choice(ANSWERS).format(*rng.sample(TOPICS[topic], 3), topic=topic) for _ in range(sentences))
    return rng.choice((" ", "\n")).join(said)


def _response(rng: random.Random, topic: str, kind: str) -> str:
    if kind == "answer":
        return _answer(rng, topic, rng.choice((1, 1, 2, 3)))
    if kind == "fragment":
        return " ".join(_answer(rng, topic).replace("- ", "").split()[: rng.randint(1, 2)]).rstrip(".,")
    if kind == "garbled":
        words = ("".join(rng.choices(GARBAGE, k=rng.randint(2, 6))) for _ in range(rng.randint(2, 6)))
        return " ".join(words)
    if kind == "loop":
        return " ".join([rng.choice(TOPICS[rng.choice(list(TOPICS))])] * rng.randint(5, 12))
    return ""


def _reason(kinds: tuple[str, str], choice: int) -> str:
    if choice == 0:
        same = (
            "Both responses answer the task" if kinds == ("answer", "answer") else "Neither response answers the task"
        )
        return f"{same}, so neither is better."
    worse = 3 - choice
    better = "answers the task" if kinds[choice - 1] == "answer" else f"{FAULTS[kinds[choice - 1]]} but readable"
    if kinds[choice - 1] in {"garbled", "loop"}:
        better = "is at least not empty"
    return f"Response {choice} {better}, while response {worse} {FAULTS[kinds[worse - 1]]}."


def example(rng: random.Random) -> Example:
    """One in three is a tie; of the others the better response stands first as often as second."""
    topic = rng.choice(list(TOPICS))
    if rng.random() < 1 / 3:
        first = rng.choice(("answer", "answer", *FAULTS))
        kinds = (first, rng.choice([kind for kind, rank in KINDS.items() if rank == KINDS[first]]))
    else:
        worse = rng.choice(list(FAULTS))
        better = "answer" if rng.random() < 0.7 else rng.choice([k for k in KINDS if KINDS[k] < KINDS[worse]])
        kinds = (better, worse) if rng.random() < 0.5 else (worse, better)
    ranks = [KINDS[kind] for kind in kinds]
    choice = 0 if ranks[0] == ranks[1] else 1 if ranks[0] < ranks[1] else 2
    asked = Asked(
        instruction=rng.choice(ASKS).format(topic=topic),
        input=rng.choice(INPUTS) if rng.random() < 0.3 else "",
        first=_response(rng, topic, kinds[0]),
        second=_response(rng, topic, kinds[1]),
    )
    return Example(asked, choice, _reason(kinds, choice), _answer(rng, topic), kinds)
