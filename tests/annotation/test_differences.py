"""Differences between two responses, word by word."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.differences import Piece, differences


def test_only_the_words_that_differ_are_marked():
    ones, twos = differences("the quick brown fox", "the slow brown fox")
    assert ones == [Piece("the ", False), Piece("quick ", True), Piece("brown fox", False)]
    assert twos == [Piece("the ", False), Piece("slow ", True), Piece("brown fox", False)]


def test_space_alone_is_no_difference():
    ones, twos = differences("a b\nc", "a  b c")
    assert not any(piece.only_here for piece in ones + twos)


def test_a_short_word_between_changes_is_taken_for_chance():
    ones, _ = differences("first red or blue last", "first green or yellow last")
    assert [piece.text for piece in ones if piece.only_here] == ["red or blue "]


@given(st.text(alphabet="ab \n"), st.text(alphabet="ab \n"))
def test_the_pieces_are_the_texts(first, second):
    ones, twos = differences(first, second)
    assert "".join(piece.text for piece in ones) == first
    assert "".join(piece.text for piece in twos) == second


@pytest.mark.parametrize("words", [1500, 20_000])
def test_long_texts_take_no_long_time(words):
    first = " ".join(str(n % 50) for n in range(words))
    second = " ".join(str(n % 49) for n in range(words))
    started = process_time()
    differences(first, second)
    assert process_time() - started < 2
