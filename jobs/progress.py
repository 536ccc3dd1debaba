"""How far a job is, how fast it goes and when it will be over. Pure: no database."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

WINDOW_SECONDS = 60.0
# A rate over less than this says more about the first batch than about the work.
SHORTEST_SPAN_SECONDS = 1.0


@dataclass
class RateMeter:
    """The rate over about the last minute, from what this attempt itself has done.

    What earlier attempts had done is in the first sample and so never counts as speed; a new phase, or a count that
    goes back, starts the measurement again.
    """

    samples: deque[tuple[float, int]] = field(default_factory=deque)
    phase: str = ""

    def add(self, *, at: float, done: int, phase: str = "") -> None:
        """`at` in seconds of a clock that only goes forward."""
        if phase != self.phase or (self.samples and done < self.samples[-1][1]):
            self.samples.clear()
            self.phase = phase
        self.samples.append((at, done))
        while len(self.samples) > 2 and at - self.samples[1][0] >= WINDOW_SECONDS:
            self.samples.popleft()

    @property
    def rate(self) -> float | None:
        """Done a second, or None while too little is known."""
        if len(self.samples) < 2:
            return None
        (first_at, first_done), (last_at, last_done) = self.samples[0], self.samples[-1]
        span = last_at - first_at
        return (last_done - first_done) / span if span >= SHORTEST_SPAN_SECONDS else None


@dataclass(frozen=True)
class Progress:
    """A job's counts as seen at `now`. `total` is None where nobody knows it."""

    done: int
    total: int | None
    rate: float | None
    progress_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    now: datetime

    @property
    def percent(self) -> int | None:
        """0 to 100, rounded down: 100 means all of it. None where there is no total."""
        return min(100, 100 * self.done // self.total) if self.total else None

    @property
    def elapsed(self) -> timedelta | None:
        """Since the first attempt began, up to the end if there was one."""
        return (self.finished_at or self.now) - self.started_at if self.started_at else None

    @property
    def remaining(self) -> timedelta | None:
        """Until the end at the present rate; None where rate or total is unknown, or the work stands still."""
        if not self.rate or self.total is None or self.progress_at is None or self.done >= self.total:
            return None
        left = timedelta(seconds=(self.total - self.done) / self.rate) - (self.now - self.progress_at)
        return max(left, timedelta(0))

    @property
    def remaining_in_words(self) -> str:
        return in_words(self.remaining) if self.remaining is not None else ""

    @property
    def elapsed_in_words(self) -> str:
        return in_words(self.elapsed) if self.elapsed is not None else ""

    @property
    def rate_in_words(self) -> str:
        """As "12 a second"; slow work is told by the minute or the hour, so that the number is never 0.0."""
        if not self.rate:
            return ""
        for unit, seconds in (("a second", 1), ("a minute", 60), ("an hour", 3600)):
            if self.rate * seconds >= 1 or seconds == 3600:
                return f"{_short(self.rate * seconds)} {unit}"
        raise AssertionError("unreachable: the hour takes every rate")

    @property
    def counts_in_words(self) -> str:
        """As "1,200 of 3,000 (40%)"; empty before anything is known."""
        if self.total is None:
            return f"{self.done:,}" if self.done else ""
        return f"{self.done:,} of {self.total:,}" + (f" ({self.percent}%)" if self.percent is not None else "")

    @property
    def facts(self) -> list[str]:
        """What there is to say, as "1,200 of 3,000 (40%)", "45 a second", "about 40 s left", "running for 3 min"."""
        left, spent = self.remaining_in_words, self.elapsed_in_words
        span = f"took {spent}" if self.finished_at else f"running for {spent}"
        return list(
            filter(
                None,
                [self.counts_in_words, self.rate_in_words, left and f"about {left} left", spent and span],
            )
        )

    def in_one_line(self, phase: str = "") -> str:
        """As "Reading: 1,200 of 3,000 (40%), 45 a second, about 40 s left"."""
        return ": ".join(filter(None, [phase, ", ".join(self.facts)]))


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def in_words(span: timedelta) -> str:
    """A duration with as much detail as a person needs: 8 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    seconds = round(span.total_seconds())
    for size, unit, smaller_size, smaller_unit in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if seconds >= size:
            rest = seconds % size // smaller_size
            return f"{seconds // size} {unit}" + (f" {rest} {smaller_unit}" if rest else "")
    return f"{seconds} s"
