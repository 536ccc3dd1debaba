"""Markdown that a model or a person wrote, as HTML that is safe to show.

Raw HTML stands as the text that it is, so that a reader sees what was really written. Nothing is loaded from
elsewhere: an image becomes a link with its description. Headings become strong paragraphs, because the page has an
outline of its own. Line breaks and the indentation of lines stay, because code often comes without its fences.

Nothing that was written is left out: a text that Markdown would show as nothing, or that is nested beyond what is
parsed, stands as it was written.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from secrets import token_hex

import nh3
from django.template.defaultfilters import linebreaksbr
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.newline import newline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from annotation.mathematics import FORMULA, mathml
from annotation.names import named_in

_SCHEMES = ("http", "https", "mailto")
# More levels of lists and quotations than anybody indents, few enough to be shown.
_DEEPEST = 60
# Longer texts stand as they were written: Markdown would take more than half a second, a megabyte eight.
_LONGEST = 60_000
_MAYBE_FORMULA = re.compile(r"\$|\\[(\[]")
# A character that shows, outside of tags.
_TEXT = re.compile(r"(?:^|>)[^<]*[^<\s]")
_CLEANER = nh3.Cleaner(
    tags={
        *("p", "br", "hr", "blockquote", "strong", "em", "s", "a", "code", "pre", "ul", "ol", "li"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    },
    attributes={"a": {"href", "title"}, "ol": {"start"}, "p": {"class"}, "strong": {"class"}},
    url_schemes=set(_SCHEMES),
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},
)


def markdown(text: str, mentioned: Mapping[str, str] | None = None) -> SafeString:
    """Safe HTML of untrusted Markdown: CommonMark with tables and strikethrough. About 0.1 ms for 300 characters.

    `mentioned` has what to write for each user name that may be mentioned as @name; code mentions nobody.
    """
    if len(text) > _LONGEST:
        return _as_written(text)
    # Formulas are put in after the cleaning, in the place of a mark that nobody who wrote a text can know.
    env: EnvType = {"mentioned": mentioned or {}, "formulas": [], "mark": ""}
    if _MAYBE_FORMULA.search(text):
        env["mark"] = token_hex(8)
    tokens = _PARSER.parse(text, env)
    # The parser drops without a word what is nested more deeply, as endless quotation marks of a model are.
    if any(token.level >= _DEEPEST - 1 for token in tokens):
        return _as_written(text)
    html = _CLEANER.clean(_PARSER.renderer.render(tokens, _PARSER.options, env))
    for number, formula in enumerate(env["formulas"]):
        html = html.replace(f"{env['mark']}-{number}-", formula)
    return mark_safe(html) if _TEXT.search(html) else _as_written(text)  # noqa: S308 - cleaned in the line above


def _as_written(text: str) -> SafeString:
    return linebreaksbr(text.strip(), autoescape=True) if text.strip() else SafeString()


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": _DEEPEST})
    parser.enable(["table", "strikethrough"]).disable("reference")
    parser.validateLink = _leads_elsewhere  # type: ignore[method-assign]
    parser.inline.ruler.at("newline", _newline_with_indentation)
    parser.inline.ruler.before("escape", "formula", _formula)
    parser.core.ruler.push("mention", _mark_mentions)
    parser.add_render_rule("image", _image_as_link)
    parser.add_render_rule("heading_open", _strong_paragraph)
    parser.add_render_rule("heading_close", _strong_paragraph)
    parser.add_render_rule("mention", _mention)
    parser.add_render_rule("formula", _mark_of_formula)
    return parser


def _leads_elsewhere(url: str) -> bool:
    """Whole addresses only: a relative one would lead into Tiebreak itself. What is no link stays as text."""
    return url.lower().startswith(tuple(f"{scheme}:" for scheme in _SCHEMES))


def _newline_with_indentation(state: StateInline, silent: bool) -> bool:
    start = state.pos
    if not newline(state, silent):
        return False
    if not silent:
        state.pending += "\N{NO-BREAK SPACE}" * len(state.src[start + 1 : state.pos].expandtabs(4))
    return True


def _formula(state: StateInline, silent: bool) -> bool:
    found = FORMULA.match(state.src, state.pos, state.posMax) if state.env["mark"] else None
    if not found:
        return False
    if not silent:
        kind = found.lastgroup or ""  # One of them matched.
        token = state.push("formula", "math", 0)
        token.content = found[0]
        token.meta = {"tex": found[kind].strip(), "display": kind in {"display", "bracket"}}
    state.pos = found.end()
    return True


def _mark_of_formula(
    _renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, env: EnvType
) -> str:
    token = tokens[index]
    drawn = mathml(token.meta["tex"], display=token.meta["display"])
    env["formulas"].append(drawn or f"<code>{escape(token.content)}</code>")
    return f"{env['mark']}-{len(env['formulas']) - 1}-"


def _mark_mentions(state: StateCore) -> None:
    """Names of people who may be mentioned become tokens of their own, where text stands and no code."""
    mentioned = state.env.get("mentioned")
    if not mentioned:
        return
    for block in state.tokens:
        if block.type == "inline" and block.children:
            block.children = [part for token in block.children for part in _split_at_names(token, mentioned)]


def _split_at_names(token: Token, mentioned: Mapping[str, str]) -> Iterator[Token]:
    if token.type != "text":
        yield token
        return
    end = 0
    for at, until, name in named_in(token.content, set(mentioned)):
        yield Token("text", "", 0, content=token.content[end:at])
        yield Token("mention", "strong", 0, content=f"@{mentioned[name]}")
        end = until
    yield Token("text", "", 0, content=token.content[end:])


def _mention(_renderer: RendererHTML, tokens: Sequence[Token], index: int, *_: OptionsDict | EnvType) -> str:
    return f'<strong class="mention">{escape(tokens[index].content)}</strong>'


def _image_as_link(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    token = tokens[index]
    description = renderer.renderInlineAsText(token.children or [], options, env) or "no description"
    return f'<a href="{escape(token.attrGet("src"))}">Image: {escape(description)}</a>'


def _strong_paragraph(_renderer: RendererHTML, tokens: Sequence[Token], index: int, *_: OptionsDict | EnvType) -> str:
    return '<p class="heading"><strong>' if tokens[index].nesting == 1 else "</strong></p>\n"


_PARSER = _parser()
