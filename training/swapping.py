"""A sample with its responses exchanged: what its reason calls response 1 is then response 2. Pure."""

import re

_NAMED = re.compile(r"\b(responses?|answers?|candidates?|outputs?)(\s*#?\s*)([12])\b", re.IGNORECASE)
_ORDINAL = re.compile(r"\b(first|second)(\s+(?:response|answer|candidate|output|one)s?)\b", re.IGNORECASE)
_OTHER = {"1": "2", "2": "1", "first": "second", "second": "first"}


def other_way_round(text: str) -> str:
    """The text with the two responses' numbers and ordinals exchanged. Numbers of anything else stay."""
    text = _NAMED.sub(lambda match: f"{match[1]}{match[2]}{_OTHER[match[3]]}", text)
    return _ORDINAL.sub(lambda match: f"{_cased(_OTHER[match[1].lower()], match[1])}{match[2]}", text)


def _cased(word: str, like: str) -> str:
    return word.capitalize() if like[0].isupper() else word
