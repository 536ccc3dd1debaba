"""Untrusted Markdown: readable, and nothing in it does anything."""

import re
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.markup import markdown


def test_raw_html_is_shown_as_the_text_that_it_is():
    assert markdown("<b>x</b><script>alert(1)</script>") == (
        "<p>&lt;b&gt;x&lt;/b&gt;&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "![x](javascript:alert(1))",
        "<javascript:alert(1)>",
        "[x](/accounts/logout/)",
        "[x](//elsewhere.example/)",
    ],
)
def test_what_is_no_address_elsewhere_is_no_link(text):
    assert "<a" not in markdown(text)


def test_links_open_apart_and_tell_nothing():
    html = markdown("[here](https://example.org/)")
    assert 'target="_blank"' in html
    assert 'rel="noopener noreferrer nofollow"' in html


def test_images_are_not_loaded_but_linked_with_their_description():
    html = markdown('![a "cat" & dog](https://example.org/cat.png)')
    assert "<img" not in html
    assert 'href="https://example.org/cat.png"' in html
    assert "Image: a " in html


def test_code_is_code_and_its_language_is_no_attribute():
    assert markdown("```python\nif a < b:\n    pass\n```") == "<pre><code>if a &lt; b:\n    pass\n</code></pre>\n"


def test_lines_and_their_indentation_stay_without_fences():
    assert markdown("def f():\n    return 1") == "<p>def f():<br>\n&nbsp;&nbsp;&nbsp;&nbsp;return 1</p>\n"


def test_headings_leave_the_outline_of_the_page_alone():
    assert markdown("# Big\n\ntext") == '<p class="heading"><strong>Big</strong></p>\n<p>text</p>\n'


def test_tables_and_strikethrough():
    html = markdown("| a | b |\n| - | - |\n| ~~1~~ | 2 |")
    assert "<th>a</th>" in html
    assert "<td><s>1</s></td>" in html


def test_an_empty_text_gives_nothing():
    assert markdown("") == ""


@pytest.mark.parametrize(
    "text", ["[1]: https://example.org", "#", "-", "1.", "```\n\n```", "---", "> ", "[a]: <b> 'c'"]
)
def test_what_markdown_would_show_as_nothing_stands_as_it_was_written(text):
    assert text.strip() in unescape(markdown(text).replace("<br>", "\n"))


@pytest.mark.parametrize(
    "text",
    [
        "\n".join("  " * depth + f"- word{depth}" for depth in range(40)),
        ">" * 50 + " word0",
        "> " * 500 + "word0 <b>",
    ],
)
def test_no_word_is_lost_however_deeply_it_is_nested(text):
    html = markdown(text)
    assert [word for word in re.findall(r"word\d+", text) if not re.search(rf"{word}\b", html)] == []
    assert "<b>" not in html


class _Seen(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.math_attributes: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag in MATH:
            self.math_attributes |= {name for name, _ in attrs}
        else:
            self.attributes += attrs


DANGEROUS = [
    *("<script>", "</p>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "<a href='x'>", "<!--", "]]>"),
    *("](javascript:alert(1))", "[", "![", "https://a.b", "&lt;", '" onmouseover="'),
    *("`", "```\n", "\n\n", "> ", "- ", "|", "\n|-|\n"),
    *("$", "$$", r"\(", r"\)", r"\text{", r"\href{javascript:x}{", r"\style{x}{", r"\frac{a}{", "}", "^", "&"),
]
# MathML that draws: no link, no annotation, nothing foreign, and no attribute that styles or acts.
MATH = {
    *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup"),
    *("munder", "mover", "munderover", "mtable", "mtr", "mtd", "mstyle", "mpadded", "mphantom", "menclose"),
    *("mmultiscripts", "mprescripts", "none"),
}
MATH_ATTRIBUTES = {
    *("display", "mathvariant", "stretchy", "fence", "separator", "accent", "accentunder", "displaystyle"),
    *("scriptlevel", "linethickness", "columnalign", "rowspacing", "columnspacing", "width", "height", "depth"),
    *("lspace", "rspace", "minsize", "maxsize", "form", "notation", "movablelimits"),
}


@given(st.lists(st.sampled_from(DANGEROUS) | st.text(max_size=8), max_size=12).map("".join))
def test_whatever_is_written_no_script_handler_or_image_comes_out(text):
    seen = _Seen()
    seen.feed(markdown(text))
    assert seen.math_attributes <= MATH_ATTRIBUTES
    assert seen.tags - MATH <= {
        *("p", "br", "hr", "blockquote", "strong", "em", "s", "a", "code", "pre", "ul", "ol", "li"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    assert {name for name, _ in seen.attributes} <= {"href", "title", "target", "rel", "start", "class"}
    for name, value in seen.attributes:
        if name == "href":
            assert re.match(r"(?i)(https?|mailto):", value)
