"""Pace and projection from counts alone."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from annotation.pace import daily, pace, project

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR, DAY = 3600, 86400


def hours_ago(*hours: float) -> np.ndarray:
    return np.array([NOW.timestamp() - hour * HOUR for hour in hours])


def test_days_are_windows_of_24_hours_that_end_now():
    by_day = daily(hours_ago(1, 23, 25, 6 * 24 + 1, 8 * 24), np.array([1, 2, 4, 8, 16]), now=NOW.timestamp())
    assert by_day.tolist() == [3, 4, 0, 0, 0, 0, 8]


def test_a_young_study_has_as_many_days_as_it_has_had():
    by_day = daily(hours_ago(1, 47), np.array([5, 7]), now=NOW.timestamp())
    assert by_day.tolist() == [5, 7]
    assert daily(hours_ago(), np.array([], dtype=int), now=NOW.timestamp()).tolist() == []


def test_an_hour_in_the_future_counts_as_now():
    assert daily(hours_ago(-2), np.array([5]), now=NOW.timestamp()).tolist() == [5]


def test_pace_is_of_the_last_seven_days_and_of_the_hours_with_labels():
    found = pace(hours_ago(2, 2, 30, 200), np.array([30, 10, 30, 900]), now=NOW.timestamp())
    assert (found.days, found.labels) == (7, 70)
    assert found.a_day == pytest.approx(10)
    assert found.an_hour == pytest.approx(35)


def test_no_labels_in_the_last_days_is_no_pace():
    found = pace(hours_ago(300), np.array([900]), now=NOW.timestamp())
    assert (found.days, found.labels, found.a_day, found.an_hour) == (7, 0, 0.0, None)


def test_even_days_have_an_end_without_a_spread():
    found = project(np.full(7, 10), remaining=35, now=NOW)
    assert found.end == found.earliest == found.latest == NOW + timedelta(days=3.5)


def test_uneven_days_have_a_range_around_the_end_and_the_same_one_each_time():
    by_day = np.array([0, 30, 10, 0, 20, 5, 5])
    found = project(by_day, remaining=1000, now=NOW)
    assert found == project(by_day, remaining=1000, now=NOW)
    assert found.earliest < found.end < found.latest
    assert found.end == NOW + timedelta(days=100)


def test_the_range_covers_what_a_simulated_week_leads_to():
    """Of weeks drawn from one way of working, about four in five have its true end in their range."""
    chance = np.random.default_rng(1)
    truth = NOW + timedelta(days=10_000 / 40)
    covered = 0
    for number in range(300):
        week = chance.poisson(chance.gamma(4, 10, 7))
        found = project(week, remaining=10_000, now=NOW, seed=number)
        covered += found.earliest <= truth <= found.latest
    assert 0.65 < covered / 300 < 0.9


def test_one_day_among_idle_ones_may_have_no_latest_end():
    found = project(np.array([0, 0, 0, 0, 0, 0, 70]), remaining=100, now=NOW)
    assert found.end == NOW + timedelta(days=10)
    assert found.latest is None


def test_two_days_are_too_few_for_a_range():
    found = project(np.array([10, 30]), remaining=40, now=NOW)
    assert (found.end, found.earliest, found.latest) == (NOW + timedelta(days=2), None, None)


@pytest.mark.parametrize(("by_day", "remaining"), [([0, 0, 0], 10), ([], 10), ([5, 5, 5], 0), ([0, 0, 1], 10**9)])
def test_there_is_no_end_without_a_pace_or_with_nothing_to_do(by_day, remaining):
    assert project(np.array(by_day, dtype=int), remaining=remaining, now=NOW) is None
