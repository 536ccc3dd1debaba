"""Who prefers the longer response, and quarters by length."""

import numpy as np

from judging.scores.length import length_preference, quarters, took_longer

CHOICES = np.array([1, 2, 1, 2, 0, -1, 3, 1])
LENGTHS = np.array([[9, 9, 1, 1, 9, 9, 9, 5], [1, 1, 9, 9, 1, 1, 1, 5]])


def test_ties_no_verdict_and_equal_lengths_say_nothing():
    assert took_longer(CHOICES, LENGTHS).tolist() == [1, 0, 0, 1, -1, -1, -1, -1]
    found = length_preference(CHOICES, LENGTHS)
    assert (found.value, found.n) == (0.5, 4)


def test_who_never_chooses_has_no_preference_and_is_told_why():
    found = length_preference(np.zeros(8, dtype=int), LENGTHS)
    assert found.value is None
    assert "No choice" in found.undefined


def test_quarters_are_named_by_the_filter_that_finds_them():
    lengths = np.arange(1, 101)
    of_pair, named = quarters(lengths, np.ones(100, dtype=bool))
    assert named == [
        ("under 26", "length=-26"),
        ("26 to 50", "length=26-51"),
        ("51 to 75", "length=51-76"),
        ("76 or more", "length=76-"),
    ]
    assert np.bincount(of_pair).tolist() == [25, 25, 25, 25]


def test_pairs_of_one_length_are_not_cut():
    of_pair, named = quarters(np.full(8, 40), np.ones(8, dtype=bool))
    assert (named[-1][0], set(of_pair.tolist())) == ("40 or more", {1})
    assert quarters(np.zeros(4, dtype=int), np.ones(4, dtype=bool))[1] == [("any", "")]
