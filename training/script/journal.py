"""What a run tells of itself while it goes: lines of metrics.jsonl, a beat, and how it failed. No torch.

Written by the script, read by the supervisor. Each line of metrics.jsonl is an object with a `kind`:
started, tokens, choice, step, held_out, examination, checkpoint, dry, stopped, done.
"""

import json
import os
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

METRICS, BEAT, FAILURE, STOP = "metrics.jsonl", "beat", "failure.json", "stop"


class Journal:
    """Rank 0 writes; the others keep silent, except about how they failed."""

    def __init__(self, folder: Path, *, rank: int):
        self.folder, self.rank = folder, rank

    def tell(self, kind: str, **facts: object) -> None:
        """One line, whole or not at all: an appended line is one write."""
        if self.rank:
            return
        line = json.dumps({"kind": kind, "at": round(time.time(), 3), **facts}) + "\n"
        with (self.folder / METRICS).open("ab", buffering=0) as lines:
            lines.write(line.encode())
        self.beat()

    def beat(self) -> None:
        if not self.rank:
            (self.folder / BEAT).touch()

    def fail(self, error: BaseException) -> None:
        """The first rank to fail says why; the others fail because of it."""
        said = {
            "rank": self.rank,
            "type": type(error).__name__,
            "text": str(error),
            "traceback": "".join(traceback.format_exception(error)),
        }
        draft = self.folder / f"{FAILURE}.{self.rank}"
        draft.write_text(json.dumps(said))
        with suppress(FileExistsError):
            os.link(draft, self.folder / FAILURE)
        draft.unlink()

    @property
    def is_asked_to_stop(self) -> bool:
        return (self.folder / STOP).exists()


class Reader:
    """New lines of a journal since the last look. A line that is still being written waits."""

    def __init__(self, folder: Path, *, offset: int = 0):
        self.path, self.offset = folder / METRICS, offset

    def lines(self) -> Iterator[dict]:
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                new = file.read()
        except FileNotFoundError:
            return
        whole = new[: new.rfind(b"\n") + 1]
        self.offset += len(whole)
        for line in whole.splitlines():
            with suppress(ValueError):  # A machine that went down may leave half a line in the middle.
                yield json.loads(line)
