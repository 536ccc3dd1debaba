"""Formulas in what models and people wrote: drawn where they are TeX, else text, and nothing ever runs."""

import pytest

from annotation.markup import markdown
from annotation.mathematics import mathml


@pytest.mark.parametrize(
    "text", [r"So $\frac{a}{b}$.", r"So \(\frac{a}{b}\).", "So\n\n$$\n\\frac{a}{b}\n$$", r"So \[\frac{a}{b}\]"]
)
def test_tex_is_drawn(text):
    html = markdown(text)
    assert "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>" in html
    assert "$" not in html
    assert ('display="block"' in html) == ("$$" in text or r"\[" in text)


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and then $10.",
        "From $5 to $6$7",
        "echo $HOME and $PATH",
        r"a \$x\$ b",
        "`$x$`",
        "$x=$y",
        "US$5-$",
        "$",
    ],
)
def test_what_is_no_formula_stays_as_it_is(text):
    assert "<math" not in markdown(text)


@pytest.mark.parametrize(
    "tex", [r"\frac{a", r"\end{x}", r"\left( x", "x^2^3", "{" * 900, "&", r"\begin{matrix} a", "\\", ""]
)
def test_what_is_no_tex_stands_as_it_was_written_or_is_drawn_but_never_fails(tex):
    assert mathml(tex, display=False) is None or mathml(tex, display=False).startswith("<math")
    markdown(f"${tex}$ and $${tex}$$ and \\({tex}\\)")


def test_a_formula_that_is_not_understood_stands_as_it_was_written():
    assert r"<code>$x^2^3$</code>" in markdown(r"So $x^2^3$.")


@pytest.mark.parametrize(
    "tex",
    [
        r"\text{<script>alert(1)</script>}",
        r"\href{javascript:alert(1)}{x}",
        r"\text{<img src=x onerror=alert(1)>}",
        r"\style{background:url(//evil)}{x}",
        r"\class{evil}{x}",
        r"\color{red;background:url(//evil)}{x}",
        "<script>alert(1)</script>",
    ],
)
def test_nothing_in_a_formula_runs(tex):
    html = markdown(f"$${tex}$$")
    for word in ("<script", "<img", "href=", "style=", "class=", "background="):
        assert word not in html


def test_formulas_stand_in_their_places():
    html = markdown("$a$ then $b$, **$c$** and\n\n- $d$")
    places = [html.find(f"<mi>{name}</mi>") for name in "abcd"]
    assert -1 not in places
    assert places == sorted(places)
