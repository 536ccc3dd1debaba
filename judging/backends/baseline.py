"""The trivial judges that any other must beat: majority, longer, shorter, token F1 against the reference."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from jobs.errors import PermanentError
from judging.backends.base import FAILED, FIRST, OK, SECOND, TIE, Answer, Capabilities, Question, Settings, no_answer

WORD = re.compile(r"\w+")
SWAPPED = {FIRST: SECOND, SECOND: FIRST, TIE: TIE}
NO_REFERENCE = "The prompt has no reference to compare with. Import the pairs with one, or use another baseline."


def greater(first: float, second: float) -> int:
    """1 or 2, whichever value is greater; a tie where they are equal."""
    return FIRST if first > second else SECOND if second > first else TIE


def longer(first: str, second: str) -> int:
    """The response of more characters (Unicode code points, as they stand); equal lengths are a tie."""
    return greater(len(first), len(second))


def shorter(first: str, second: str) -> int:
    return greater(-len(first), -len(second))


def token_f1(text: str, reference: str) -> float:
    """Overlap of words as SQuAD measures it (Rajpurkar et al. 2016): F1 over bags of lower-case words, 0 to 1."""
    said, wanted = Counter(WORD.findall(text.lower())), Counter(WORD.findall(reference.lower()))
    common = (said & wanted).total()
    return 2 * common / (said.total() + wanted.total()) if common else 0.0


def nearer(first: str, second: str, reference: str) -> int:
    """The response of the higher token F1 against the reference; equal values are a tie."""
    return greater(token_f1(first, reference), token_f1(second, reference))


class Baseline:
    """majority: the most frequent human label of the dataset, given to every pair; the run counts it when it is made.

    It knows the labels that it is measured by, so it is a floor for other judges and never a judge to use.
    """

    NAMES = {
        "majority": "Majority: the dataset's most frequent human label, for every pair",
        "longer": "Longer: the response of more characters; equal is a tie",
        "shorter": "Shorter: the response of fewer characters; equal is a tie",
        "token-f1": "Token F1: the response whose words are nearer to the reference",
    }
    capabilities = Capabilities(probabilities=False, reasons=False, chunk=2000)
    identity: dict[str, object] = {}

    def __init__(self, settings: Settings):
        rules: dict[str, Callable[[Question], Answer]] = {
            "majority": self._majority,
            "longer": lambda asked: _answer(asked, longer(asked.first, asked.second)),
            "shorter": lambda asked: _answer(asked, shorter(asked.first, asked.second)),
            "token-f1": self._token_f1,
        }
        if settings.model not in rules:
            raise PermanentError(f"No baseline is called '{settings.model}'. Choose one of: {', '.join(rules)}.")
        self.rule = rules[settings.model]
        self.majority = settings.facts.get("majority")
        if settings.model == "majority" and self.majority not in SWAPPED:
            raise PermanentError("The dataset has no human labels to take a majority of. Label some pairs, run again.")

    def judge(self, questions: Sequence[Question], *, reasons: bool) -> Iterator[Answer]:  # noqa: ARG002 - it has none
        yield from map(self.rule, questions)

    def close(self) -> None:
        """Nothing is held open."""

    def _majority(self, asked: Question) -> Answer:
        """The class is the pair's, so it turns round with the order shown."""
        choice = int(self.majority)  # type: ignore[call-overload]
        return _answer(asked, SWAPPED[choice] if asked.swapped else choice)

    def _token_f1(self, asked: Question) -> Answer:
        if not asked.reference.strip():
            return no_answer(asked, FAILED, NO_REFERENCE)
        f1 = [token_f1(text, asked.reference) for text in (asked.first, asked.second)]
        return replace(_answer(asked, greater(*f1)), raw=f"token F1 as shown: {f1[0]:.4f}, {f1[1]:.4f}")


def _answer(asked: Question, choice: int) -> Answer:
    return Answer(asked.pair_id, asked.swapped, choice, OK)
