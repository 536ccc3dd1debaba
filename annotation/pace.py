"""How fast labels come, and when the last one may come. Pure functions on counts."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

DAYS = 7
# With fewer days the spread between days is not known, and an end is told without a range.
LEAST_DAYS = 3
RANGE = (10, 90)
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Pace:
    """Labels of the last days: `days` of 24 hours each (at most seven, fewer where the first label is younger).

    `a_day` is their mean, `an_hour` the mean of the hours in which anybody labelled; None where nobody did.
    """

    days: int
    labels: int
    a_day: float
    an_hour: float | None


@dataclass(frozen=True, slots=True)
class Projection:
    """When all is labelled at this pace, with an 80% range. `latest` is None where the range has no end;
    both ends are None where there are too few days for a range."""

    end: datetime
    earliest: datetime | None
    latest: datetime | None


def daily(hours: npt.NDArray[np.float64], counts: npt.NDArray[np.integer], *, now: float) -> npt.NDArray[np.int64]:
    """Labels of each of the last days, the newest first: windows of 24 hours that end now.

    hours: (n,), beginnings of the hours in which labels were made, in seconds since 1970; counts: (n,), how many.
    As many days as there have been since the first label, at most DAYS; none without labels.
    """
    if not len(hours):
        return np.zeros(0, dtype=np.int64)
    ago = np.maximum(((now - hours) // 86400).astype(np.int64), 0)
    found = np.bincount(ago, counts, minlength=DAYS).astype(np.int64)
    return found[: min(DAYS, int(ago.max()) + 1)]


def pace(hours: npt.NDArray[np.float64], counts: npt.NDArray[np.integer], *, now: float) -> Pace:
    """The same arguments as `daily`; an hour in which several people labelled may stand there several times."""
    by_day = daily(hours, counts, now=now)
    recent = hours > now - 86400 * DAYS
    n_hours = len(np.unique(hours[recent]))
    labels = int(by_day.sum())
    return Pace(
        days=len(by_day),
        labels=labels,
        a_day=labels / len(by_day) if len(by_day) else 0.0,
        an_hour=labels / n_hours if n_hours else None,
    )


def project(by_day: npt.NDArray[np.integer], *, remaining: int, now: datetime, seed: int = 0) -> Projection | None:
    """The end if the days to come are like these; None where nothing remains or nobody labelled.

    The range is the bootstrap's: the days are drawn again with replacement, and each draw has its own pace and end.
    """
    if remaining <= 0 or not by_day.sum():
        return None
    end = _after(now, remaining / float(by_day.mean()))
    if end is None:
        return None
    if len(by_day) < LEAST_DAYS:
        return Projection(end, None, None)
    chance = np.random.default_rng(seed)
    means = chance.choice(by_day, (RESAMPLES, len(by_day))).mean(axis=1)
    slow, fast = np.percentile(means, RANGE)
    earliest = _after(now, remaining / fast) if fast > 0 else None
    return Projection(end, earliest, _after(now, remaining / slow) if slow > 0 else None)


def _after(now: datetime, days: float) -> datetime | None:
    """None beyond a hundred years: at such a pace there is no end."""
    return now + timedelta(days=days) if days < 36500 else None
