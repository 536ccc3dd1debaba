"""Rates, remaining time and their words."""

from datetime import UTC, datetime, timedelta

import pytest

from jobs.progress import Progress, RateMeter, in_words

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def seen(**given) -> Progress:
    facts = {"done": 0, "total": None, "rate": None, "progress_at": NOW, "started_at": None, "finished_at": None}
    return Progress(**facts | given, now=NOW)


def test_a_rate_needs_two_samples_a_second_apart():
    meter = RateMeter()
    meter.add(at=100.0, done=0)
    assert meter.rate is None
    meter.add(at=100.5, done=50)
    assert meter.rate is None
    meter.add(at=102.0, done=200)
    assert meter.rate == pytest.approx(100)


def test_what_earlier_attempts_did_is_no_speed():
    meter = RateMeter()
    meter.add(at=0.0, done=100_000)
    meter.add(at=10.0, done=100_020)
    assert meter.rate == pytest.approx(2)


def test_the_rate_is_that_of_the_last_minute():
    meter = RateMeter()
    done = 0
    for second in range(600):
        done += 1 if second < 500 else 10
        meter.add(at=float(second), done=done)
    assert meter.rate == pytest.approx(10)
    assert len(meter.samples) < 70


def test_a_single_slow_step_still_has_a_rate():
    meter = RateMeter()
    meter.add(at=0.0, done=0)
    meter.add(at=300.0, done=1)
    assert meter.rate == pytest.approx(1 / 300)


def test_a_new_phase_begins_a_new_measurement():
    meter = RateMeter()
    meter.add(at=0.0, done=0, phase="Reading")
    meter.add(at=10.0, done=10_000, phase="Reading")
    meter.add(at=11.0, done=0, phase="Writing")
    assert meter.rate is None
    meter.add(at=13.0, done=10, phase="Writing")
    assert meter.rate == pytest.approx(5)


def test_a_count_that_goes_back_begins_a_new_measurement():
    meter = RateMeter()
    meter.add(at=0.0, done=1000)
    meter.add(at=10.0, done=0)
    assert meter.rate is None


def test_remaining_counts_from_the_last_news():
    assert seen(done=50, total=100, rate=5).remaining == timedelta(seconds=10)
    assert seen(done=50, total=100, rate=5, progress_at=NOW - timedelta(seconds=4)).remaining == timedelta(seconds=6)
    assert seen(done=50, total=100, rate=5, progress_at=NOW - timedelta(seconds=40)).remaining == timedelta(0)


@pytest.mark.parametrize("given", [{"rate": None}, {"rate": 0.0}, {"total": None}, {"done": 100}])
def test_remaining_is_unknown_where_something_is(given):
    assert seen(**{"done": 50, "total": 100, "rate": 5} | given).remaining is None


@pytest.mark.parametrize(
    ("done", "total", "percent"),
    [(0, 3, 0), (1, 3, 33), (299_999, 300_000, 99), (3, 3, 100), (4, 3, 100), (4, 0, None)],
)
def test_percent_is_a_hundred_only_at_the_end(done, total, percent):
    assert seen(done=done, total=total).percent == percent


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (None, ""),
        (0.0, ""),
        (12_345.6, "12,346 a second"),
        (2.34, "2.3 a second"),
        (0.5, "30 a minute"),
        (0.001, "3.6 an hour"),
    ],
)
def test_rates_in_words(rate, words):
    assert seen(rate=rate).rate_in_words == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (86_400, "1 d"),
        (100_000, "1 d 3 h"),
    ],
)
def test_durations_in_words(seconds, words):
    assert in_words(timedelta(seconds=seconds)) == words


def test_one_line_for_a_terminal():
    line = seen(done=1200, total=3000, rate=45).in_one_line("Reading")
    assert line == "Reading: 1,200 of 3,000 (40%), 45 a second, about 40 s left"
    assert seen().in_one_line("") == ""
