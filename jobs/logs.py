"""The output of an attempt, as a person may read it; how much of it is kept, and for how long."""

import logging
import re
import time
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from jobs.models import Attempt

logger = logging.getLogger(__name__)

TAIL_BYTES = 16 * 1024
DAY = 24 * 3600
# Colours and cursor movements, and the control characters that a browser cannot show.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]")


def tail(attempt: Attempt) -> str | None:
    """The last lines of its output, at most 16 kB; None if there is no such file on this machine.

    Bytes that are no text are replaced. Of a line that was drawn over again and again, as progress bars are, the last
    state remains.
    """
    root = (settings.TIEBREAK_HOME / "jobs").resolve()
    path = (settings.TIEBREAK_HOME / attempt.log_path).resolve()
    if not attempt.log_path or not path.is_relative_to(root):
        return None
    try:
        with path.open("rb") as log:
            size = log.seek(0, 2)
            log.seek(max(0, size - TAIL_BYTES))
            text = log.read(TAIL_BYTES).decode(errors="replace")
    except OSError:
        return None
    if size > TAIL_BYTES:
        text = text.partition("\n")[2] or text
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _ESCAPES.sub("", "\n".join(lines)).rstrip()


def keep_small(path: Path) -> None:
    """Cut a log that is longer than JOB_LOG_BYTES down to the last quarter of that, while a process appends to it.

    A line that is written in that very moment may be lost.
    """
    limit = settings.JOB_LOG_BYTES
    with suppress(FileNotFoundError), path.open("r+b") as log:
        size = log.seek(0, 2)
        if size <= limit:
            return
        log.seek(size - limit // 4)
        kept = log.read(limit // 4).partition(b"\n")[2]
        log.truncate(0)
        log.seek(0)
        log.write(b"[%d bytes before this were left out: see JOB_LOG_BYTES]\n" % (size - len(kept)) + kept)


def delete_old_logs() -> int:
    """Delete what attempts wrote on this machine and nobody added to for JOB_LOG_DAYS; how many files went."""
    too_old = time.time() - settings.JOB_LOG_DAYS * DAY
    deleted = 0
    for path in (settings.TIEBREAK_HOME / "jobs").glob("*/*.log"):
        # Workers that share the directory do this at the same time.
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < too_old:
                path.unlink()
                deleted += 1
                with suppress(OSError):  # It is not empty: another attempt's log is there.
                    path.parent.rmdir()
    if deleted:
        logger.info("Deleted %s old logs of attempts.", deleted)
    return deleted
