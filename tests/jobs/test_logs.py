"""The end of a log, whatever a program wrote into it."""

import os
import time

import pytest

from jobs import logs
from jobs.models import Attempt


@pytest.fixture
def written(settings, tmp_path):
    settings.TIEBREAK_HOME = tmp_path

    def write(content: bytes) -> Attempt:
        path = tmp_path / "jobs/5/1.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return Attempt(log_path="jobs/5/1.log")

    return write


def test_a_short_log_is_shown_whole(written):
    assert logs.tail(written(b"one\ntwo\n")) == "one\ntwo"


def test_a_long_log_begins_with_a_whole_line(written):
    shown = logs.tail(written(b"".join(b"line %06d\n" % n for n in range(100_000))))
    assert len(shown) <= logs.TAIL_BYTES
    assert shown.startswith("line ")
    assert shown.endswith("line 099999")


def test_one_endless_line_is_cut(written):
    assert logs.tail(written(b"x" * 100_000)) == "x" * logs.TAIL_BYTES


def test_of_a_progress_bar_the_last_state_remains(written):
    assert logs.tail(written(b"go\n10%\r20%\r30%\r\nend\r\n")) == "go\n30%\nend"


def test_colours_and_control_characters_are_left_out(written):
    assert (
        logs.tail(written(b"\x1b[1;32mgreen\x1b[0m \x1b]0;title\x07bell\x07 tab\there\x00")) == "green bell tab\there"
    )


def test_bytes_that_are_no_text_are_replaced(written):
    assert logs.tail(written(b"caf\xe9\n\xf0\x9f\x98")) == "caf\ufffd\n\ufffd"


def test_a_log_that_is_not_there_is_none(written):
    written(b"")
    assert logs.tail(Attempt(log_path="jobs/5/2.log")) is None
    assert logs.tail(Attempt(log_path="")) is None


@pytest.mark.parametrize("path", ["secret_key", "jobs/../secret_key", "/etc/hostname"])
def test_nothing_outside_the_logs_is_shown(written, tmp_path, path):
    written(b"")
    (tmp_path / "secret_key").write_text("hush")
    assert logs.tail(Attempt(log_path=path)) is None


def test_a_log_that_grows_too_long_keeps_its_end_while_it_is_written(written, settings, tmp_path):
    settings.JOB_LOG_BYTES = 64 * 1024
    attempt = written(b"".join(b"line %06d\n" % n for n in range(1000)))
    path = tmp_path / attempt.log_path
    logs.keep_small(path)
    assert path.stat().st_size == 12_000
    with path.open("ab", buffering=0) as log:
        for n in range(1000, 10_000):
            log.write(b"line %06d\n" % n)
        logs.keep_small(path)
        log.write(b"line 010000\n")
    lines = path.read_text().splitlines()
    assert lines[0] == f"[{120_000 - 12 * (len(lines) - 2)} bytes before this were left out: see JOB_LOG_BYTES]"
    assert lines[1:] == [f"line {n:06d}" for n in range(10_002 - len(lines), 10_001)]
    assert path.stat().st_size < settings.JOB_LOG_BYTES / 3
    logs.keep_small(tmp_path / "jobs/5/none.log")


def test_old_logs_go_and_newer_ones_stay(written, settings, tmp_path):
    settings.JOB_LOG_DAYS = 2
    written(b"old")
    for name, days in (("5/1", 3), ("5/2", 1), ("6/1", 3)):
        path = tmp_path / f"jobs/{name}.log"
        path.parent.mkdir(exist_ok=True)
        path.write_text("said")
        then = time.time() - days * logs.DAY
        os.utime(path, (then, then))
    assert logs.delete_old_logs() == 2
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == ["jobs", "jobs/5", "jobs/5/2.log"]
    assert logs.tail(Attempt(log_path="jobs/5/1.log")) is None
    settings.TIEBREAK_HOME = tmp_path / "nothing"
    assert logs.delete_old_logs() == 0
