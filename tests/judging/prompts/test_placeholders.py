"""Texts with placeholders: what is read as one, what is an error, and that nothing filled in is read again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judging.prompts.placeholders import NAMES, BadTextError, fill, names_in, read

VALUES = {name: f"<{name}>" for name in NAMES}


def filled(text: str, **values: str) -> str:
    return fill(read(text), VALUES | values)


def test_each_placeholder_is_filled_in():
    text = " ".join(f"{{{name}}}" for name in NAMES)
    assert filled(text) == " ".join(VALUES.values())
    assert names_in(read(text)) == set(NAMES)


def test_a_section_is_left_out_where_the_input_is_empty():
    text = "A{if input} with {input}:{end} B {if input}more{end}"
    assert filled(text, input="x") == "A with x: B more"
    assert filled(text, input="") == "A B "


def test_doubled_braces_are_braces():
    assert filled('{{"a": {instruction}}} {{{instruction}}} {{instruction}} }}{{') == (
        '{"a": <instruction>} {<instruction>} {instruction} }{'
    )
    assert filled("{if input}{{{end}}}", input="x") == "{}"
    assert filled("{if input}{{{end}}}", input="") == "}"


@given(st.dictionaries(st.sampled_from(NAMES), st.text(alphabet="{}ab\n_ifendrspo12ut%$\\ ")))
def test_what_is_filled_in_is_never_read_again(values):
    pieces = read("1{instruction}2{input}3{response_1}4{response_2}5{reference}6")
    whole = dict.fromkeys(NAMES, "") | values
    wanted = "".join(f"{n}{whole[name]}" for n, name in enumerate(NAMES, 1)) + "6"
    assert fill(pieces, whole) == wanted


@given(st.text())
def test_any_text_with_doubled_braces_is_itself(text):
    doubled = text.replace("{", "{{").replace("}", "}}")
    assert filled(doubled) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a {", "Line 1: a single '{'. Write {{ and }}"),
        ("a\nb }", "Line 2: a single '}'"),
        ("{instruction", "a single '{'"),
        ("{respons_1}", "'{respons_1}' is no placeholder. There are {instruction}, {input}, {response_1}"),
        ("{Instruction}", "no placeholder"),
        ("{ instruction }", "no placeholder"),
        ("{}", "no placeholder"),
        ("{0}", "no placeholder"),
        ("{instruction.__class__}", "no placeholder"),
        ("{instruction!r:>10}", "no placeholder"),
        ('\n\n{"choice": "1"}', "Line 3"),
        ("{if input}a", "Line 1: {if input} has no {end}"),
        ("a{end}", "{end} ends nothing"),
        ("{if input}\n{if input}a{end}{end}", "Line 2: {if input} stands inside another. End the one of line 1."),
        ("{if reference}a{end}", "no placeholder"),
        ("{" + "long " * 90 + "}", "…"),
    ],
)
def test_what_cannot_be_read_says_where_and_what_to_do(text, words):
    with pytest.raises(BadTextError) as caught:
        read(text)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 300
