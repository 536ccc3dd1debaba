"""How an API judge slows down at 429 and comes back, and what a purse lets out."""

from decimal import Decimal
from types import SimpleNamespace

import pytest

from judging.backends import pace as pacing
from judging.backends.pace import Pace
from judging.backends.purse import Purse


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(pacing.time, "monotonic", lambda: now[0])
    return now


async def look(pace: Pace, status: int, **headers: str) -> None:
    named = {name.replace("_", "-").lower(): value for name, value in headers.items()}
    await pace.look(SimpleNamespace(status_code=status, headers=named))


def run(coroutine) -> None:
    with pytest.raises(StopIteration):
        coroutine.send(None)


def test_it_slows_down_once_for_many_429s_together_and_grows_by_one_a_round(clock):
    pace = Pace(16)
    for _ in range(5):
        run(look(pace, 429))
    assert pace.now == pytest.approx(12.8)
    clock[0] += 2
    run(look(pace, 429))
    assert pace.now == pytest.approx(10.24)
    for _ in range(10):
        run(look(pace, 200))
    assert 11.1 < pace.now <= 11.24
    for _ in range(500):
        run(look(pace, 200))
    assert pace.now == 16


def test_it_never_stops_for_good(clock):
    pace = Pace(4)
    for _ in range(20):
        clock[0] += 2
        run(look(pace, 429))
    assert pace.room(0) == 1
    assert pace.room(1) == 0


@pytest.mark.parametrize(("asked", "waits"), [("7", 7), ("soon", 0), ("-3", 0), ("100000", pacing.LONGEST_PAUSE)])
def test_it_keeps_quiet_for_as_long_as_the_server_asks(clock, asked, waits):
    pace = Pace(10)
    run(look(pace, 429, Retry_After=asked))
    assert pace.room(0) == (0 if waits else 8)
    clock[0] += waits + 0.01
    assert pace.room(0) == 8


def test_a_purse_lets_out_what_it_can_pay_for():
    purse = Purse(Decimal(10), known=True)
    assert purse.affords(under_way=0, wanted=50) == 4
    for _ in range(4):
        purse.pay(Decimal(1))
    assert purse.affords(under_way=0, wanted=50) == 6
    assert purse.affords(under_way=4, wanted=50) == 2
    assert purse.affords(under_way=6, wanted=50) == 0
    for _ in range(6):
        purse.pay(Decimal(1))
    assert purse.is_empty
    assert purse.affords(under_way=0, wanted=50) == 0


def test_without_a_budget_or_a_cost_all_goes_out():
    assert Purse(None, known=False).affords(under_way=9, wanted=50) == 50
    free = Purse(Decimal(1), known=True)
    free.pay(Decimal(0))
    assert free.affords(under_way=0, wanted=50) == 50
