"""A judge that is right about nothing and always says the same: for tests and demonstrations of the machinery."""

import hashlib
import math
import time
from collections.abc import Iterator, Sequence

from judging.backends.base import (
    FAILED,
    FIRST,
    INVALID,
    REFUSED,
    SECOND,
    TIE,
    Answer,
    BackendUnavailableError,
    Capabilities,
    Explanation,
    Question,
    Settings,
    no_answer,
)
from judging.backends.parameters import FakeParameters, read_parameters


def share(*texts: object) -> float:
    """A number of [0, 1) that depends on the texts alone."""
    digest = hashlib.sha256("\0".join(map(str, texts)).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


class Fake:
    """Each response has a score, a hash of its text; the higher one wins, nearly equal ones tie.

    So it says the same in both orders, until position_bias makes it lean to what is shown first.
    """

    capabilities = Capabilities(probabilities=True, reasons=True, chunk=500)
    identity: dict[str, object] = {}

    def __init__(self, settings: Settings):
        self.parameters: FakeParameters = read_parameters("fake", settings.parameters)
        self.answered = 0

    def judge(self, questions: Sequence[Question], *, reasons: bool) -> Iterator[Answer]:
        for question in questions:
            if self.parameters.fail_after is not None and self.answered >= self.parameters.fail_after:
                raise BackendUnavailableError(f"It was told to fail after {self.parameters.fail_after} answers.")
            time.sleep(self.parameters.seconds)
            self.answered += 1
            yield self._answer(question, reasons=reasons)

    def explain(self, decided: Sequence[tuple[Question, int]]) -> Iterator[Explanation]:
        for question, choice in decided:
            time.sleep(self.parameters.seconds)
            answer = self._answer(question, reasons=True)
            raw = f"{choice}\n{answer.reason}"
            yield Explanation(
                question.pair_id, question.swapped, answer.reason, answer.reference, raw, 1, self.parameters.seconds
            )

    def close(self) -> None:
        """Nothing is held open."""

    def _answer(self, asked: Question, *, reasons: bool) -> Answer:
        given = self.parameters
        fate = share("fate", given.seed, asked.instruction, asked.first, asked.second)
        for status, part in (
            (INVALID, given.invalid_share),
            (REFUSED, given.refused_share),
            (FAILED, given.failed_share),
        ):
            if fate < part:
                return no_answer(asked, status, f"fake: told to be {status}")
            fate -= part
        scores = [share(given.seed, asked.instruction, text) for text in (asked.first, asked.second)]
        lead = scores[0] - scores[1] + given.position_bias
        choice = TIE if abs(lead) <= given.tie_margin else FIRST if lead > 0 else SECOND
        p_first, p_second, p_tie = _probabilities(lead, given.tie_margin)
        return Answer(
            asked.pair_id,
            asked.swapped,
            choice,
            p_first=p_first,
            p_second=p_second,
            p_tie=p_tie,
            reason=f"fake: scores {scores[0]:.2f} and {scores[1]:.2f} as shown" if reasons else "",
            reference="fake: no reference" if reasons else "",
            seconds=given.seconds,
        )


def _probabilities(lead: float, margin: float) -> tuple[float, float, float]:
    """A softmax of (lead, -lead, what is left to the margin), in which the choice is always the likeliest."""
    weights = [math.exp(8 * value) for value in (lead - margin, -lead - margin, 0.0)]
    total = sum(weights)
    return weights[0] / total, weights[1] / total, weights[2] / total
