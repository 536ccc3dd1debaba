"""What a judge's reason says about which response is better, where it says so plainly.

A careful reader, not a clever one: it knows "Response 1 is better", "Response 2 is more accurate", "Response 1 is
incorrect", "both responses are equally good", and leaves alone what only praises or describes. A sentence that
concedes ("While Response 1 is shorter, ...") counts for what follows the concession. It reads English, and speaks in
the order in which the judge saw the responses.
"""

import re
from dataclasses import dataclass

from annotation.models import Choice

# The type checker reads the members of Django's choices as pairs of value and name.
_TIE = Choice(Choice.TIE)
_NUMBERS = {"1": 1, "one": 1, "a": 1, "first": 1, "former": 1, "2": 2, "two": 2, "b": 2, "second": 2, "latter": 2}
_THING = r"(?:response|answer|output|assistant|option|reply)"
_NAME = (
    rf"(?:{_THING}\s+[\"'(]?(?P<after>1|2|one|two|a|b)\b[\"')]?"
    rf"|(?P<before>first|second)\s+{_THING}|the\s+(?P<bare>former|latter)(?:\s+{_THING})?)"
)
_IS = r"(?:is|was|seems|appears\s+to\s+be|would\s+be)\s+"
_ADVERB = (
    r"(?:clearly|much|far|slightly|somewhat|a\s+bit|a\s+little|significantly|considerably|definitely|obviously|also"
    r"|overall|therefore|thus|generally|still|marginally|the)\s+"
)
_BETTER = r"(?:better|superior|preferable|preferred|stronger|best)"
# A praise that may stand beside a choice of the other response; these are none at all.
_NO_PRAISE = (
    r"(?:of|or|like|than|verbose|wordy|repetitive|vague|confusing|biased|generic|redundant|limited|general|incomplete"
    r"|inaccurate|irrelevant|complicated|negative|similar|concise|formal|casual)\b"
)
_PRAISE = rf"(?:(?:more|most)\s+(?!{_NO_PRAISE})\w+|(?:clear|accurat|strong)er)"
_WORSE = (
    r"(?:worse|inferior|weaker|incorrect|wrong|inaccurate|irrelevant|incomplete"
    r"|more\s+(?:repetitive|vague|confusing|redundant|irrelevant|inaccurate|incomplete)"
    r"|less\s+(?:accurate|relevant|helpful|correct|appropriate|useful|complete|clear)"
    r"|not\s+(?:correct|accurate|relevant|helpful|appropriate|as\s+good))"
)
_CLAIM = re.compile(
    rf"{_NAME}\s+{_IS}(?P<no>not\s+(?!correct|accurate|relevant|helpful|appropriate|as\s+good)|no\s+)?(?:{_ADVERB})*"
    rf"(?:(?P<better>{_BETTER})|(?P<praise>{_PRAISE})|(?P<worse>{_WORSE}))\b"
)
_PREFER = re.compile(
    rf"\b(?:i\s+(?:would\s+)?(?:prefer|choose)|the\s+(?:better|best)\s+{_THING}\s+is)\s+(?:the\s+)?{_NAME}"
)
_EQUAL = re.compile(
    rf"\b(?:both|the\s+two|the)\s+{_THING}s\s+(?:are|were)\s+(?:\w+\s+)?"
    r"(?:equal(?:ly)?|identical|the\s+same|equivalent)\b"
    rf"|\bneither\s+{_THING}\s+is\s+(?:better|superior)\b|\b(?:it|this)\s+is\s+a\s+tie\b"
    r"|\bequally\s+(?:good|bad|correct|incorrect|valid|helpful)\b"
)
# In a reason that speaks of both, a tie is not contradicted by praise of one.
_BOTH = re.compile(rf"\bboth\b|\bthe\s+two\s+{_THING}s\b|\bequal|\bidentical\b|\bsame\b|\bneither\b|\btie\b")
_CONCESSION = re.compile(r"\s*(?:while|although|though|even\s+though|whereas|despite|even\s+if)\b[^,]*,")
# What follows only sets one response off against the other: praise there is no choice, and "the same, but" no tie.
_CONTRAST = re.compile(r"\b(?:while|whereas|but|although|though|however|except)\b")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
# A sentence without one of these says nothing that is read here.
_CUE = re.compile(r"\b(?:is|are|was|were|seems|appears|would|prefer|choose|equally)\b")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a reason says outright, and its words."""

    choice: Choice
    words: str


def claims(reason: str) -> list[Claim]:
    """All that a reason says outright, in the order in which the judge saw the responses."""
    found: list[Claim] = []
    for sentence in _SENTENCE.split(reason.lower()):
        if _CUE.search(sentence):
            found += _claims_of(_CONCESSION.sub("", sentence, count=1))
    return found


def contradiction(*, reason: str, choice: Choice, swapped: bool = False) -> Claim | None:
    """The first claim against the choice, where no claim speaks for it; None where the reason may well fit.

    `choice` is in the pair's own terms and so is the claim's; `swapped` tells that the judge saw response 2 first.
    A tie is contradicted only where nothing in the reason speaks of both responses.
    """
    said = [Claim(each.choice.swapped if swapped else each.choice, each.words) for each in claims(reason)]
    if not said or any(each.choice == choice for each in said):
        return None
    if choice == Choice.TIE:
        sides = {each.choice for each in said}
        return None if len(sides) > 1 or _BOTH.search(reason.lower()) else said[0]
    return said[0]


def _claims_of(sentence: str) -> list[Claim]:
    contrast = _CONTRAST.search(sentence)
    main = contrast.start() if contrast else len(sentence)
    found = []
    for match in _CLAIM.finditer(sentence):
        # "Response 1 is not better" says nothing of which is.
        if match["no"] or (match["praise"] and match.start() > main):
            continue
        number = _number(match)
        found.append(Claim(Choice(3 - number if match["worse"] else number), match.group()))
    found += [Claim(Choice(_number(match)), match.group()) for match in _PREFER.finditer(sentence)]
    if not contrast:
        found += [Claim(_TIE, match.group()) for match in _EQUAL.finditer(sentence)]
    return found


def _number(match: re.Match[str]) -> int:
    return _NUMBERS[match["after"] or match["before"] or match["bare"]]
