"""TeX that a model or a person wrote, as MathML that is safe to show: browsers draw it, screen readers read it.

latex2mathml makes a tree of elements; of that only what draws is written out, each text escaped, so that nothing in a
formula can become a link, a style or a script.
"""

import re
from html import escape, unescape
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element
from latex2mathml.exceptions import (
    DenominatorNotFoundError,
    DoubleSubscriptsError,
    DoubleSuperscriptsError,
    ExtraLeftOrMissingRightError,
    InvalidAlignmentError,
    InvalidStyleForGenfracError,
    InvalidWidthError,
    LimitsMustFollowMathOperatorError,
    MissingEndError,
    MissingSuperScriptOrSubscriptError,
    NoAvailableTokensError,
    NumeratorNotFoundError,
)

_UNREADABLE = (
    DenominatorNotFoundError,
    DoubleSubscriptsError,
    DoubleSuperscriptsError,
    ExtraLeftOrMissingRightError,
    InvalidAlignmentError,
    InvalidStyleForGenfracError,
    InvalidWidthError,
    LimitsMustFollowMathOperatorError,
    MissingEndError,
    MissingSuperScriptOrSubscriptError,
    NoAvailableTokensError,
    NumeratorNotFoundError,
    IndexError,
    KeyError,
    RecursionError,
    StopIteration,
    ValueError,
)
_LONGEST = 2000
_ELEMENTS = frozenset({
    "math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup",
    "munder", "mover", "munderover", "mtable", "mtr", "mtd", "mstyle", "mpadded", "mphantom", "menclose",
    "mmultiscripts", "mprescripts", "none",
})  # fmt: skip
_ATTRIBUTES = frozenset({
    "mathvariant", "stretchy", "fence", "separator", "accent", "accentunder", "displaystyle", "scriptlevel",
    "linethickness", "columnalign", "rowspacing", "columnspacing", "width", "height", "depth", "lspace", "rspace",
    "minsize", "maxsize", "form", "notation", "movablelimits",
})  # fmt: skip
# $$…$$, \[…\], \(…\), and $…$ as Pandoc reads it: no blank inside of the dollars, no digit or letter behind them, so
# that sums of money and variables of a shell stay what they are.
FORMULA = re.compile(
    r"\$\$(?P<display>[^$]+?)\$\$"
    r"|\\\[(?P<bracket>.+?)\\\]"
    r"|\\\((?P<inline>.+?)\\\)"
    r"|(?<![\\$\w])\$(?P<dollar>[^\s$](?:[^$\n]*?[^\s$\\])?)\$(?![\w$])",
    re.DOTALL,
)


def mathml(tex: str, *, display: bool) -> str | None:
    """MathML of a formula; None where it is no TeX that is understood, which is then shown as it was written."""
    if len(tex) > _LONGEST:
        return None
    try:
        tree = convert_to_element(tex, display="block" if display else "inline")
        return _written(tree)
    except _UNREADABLE:
        return None


def _written(element: Element) -> str:
    """The children of what is not known stand without it."""
    inside = _text(element.text) + "".join(_written(child) + _text(child.tail) for child in element)
    tag = element.tag
    if tag not in _ELEMENTS:
        return inside
    given = {name: value for name, value in element.attrib.items() if name in _ATTRIBUTES}
    if tag == "math":
        given["display"] = "block" if element.attrib.get("display") == "block" else "inline"
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in given.items())
    return f"<{tag}{attributes}>{inside}</{tag}>"


def _text(text: str | None) -> str:
    # Signs come as numbers of characters (&#x0002B;).
    return escape(unescape(text)) if text else ""
