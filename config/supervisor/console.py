"""What the person at the terminal reads: one line a step, and a line for whatever happens later."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WIDTH = 14


class Console:
    """Standard output as it was at the start, whatever is later done to it."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(sys.stdout.fileno()), "w")

    def write(self, text: str) -> None:
        try:
            self._out.write(text)
            self._out.flush()
        except OSError:  # The terminal has gone. That must not keep the supervisor from stopping in order.
            self._out = open(os.devnull, "w")  # noqa: SIM115

    @property
    def live(self) -> bool:
        return self._out.isatty()


_console = Console()


def say(text: str = "") -> None:
    _console.write(f"{text}\n")


@contextmanager
def step(name: str) -> Iterator[None]:
    """Tell what is being done and, when it is, how long it took."""
    began = time.monotonic()
    if _console.live:
        _console.write(f"  {name:<{WIDTH}} ...")
    done = False
    try:
        yield
        done = True
    finally:
        if _console.live:
            _console.write("\r")
        say(f"  {name:<{WIDTH}} {time.monotonic() - began:.1f} s{'' if done else ', failed'}")


def news(name: str, text: str) -> None:
    """Something that happened while everything ran."""
    say(f"  {time.strftime('%H:%M:%S')}  {name}: {text}")


def welcome(*, address: str, home: Path) -> None:
    """The address and the sign-ins of the demo, if there are any."""
    say(f"\nTiebreak is ready: {address}\n")
    sign_ins = home / "sign-ins.json"
    people = json.loads(sign_ins.read_text()).values() if sign_ins.exists() else ()
    if people:
        say(f"  {'Sign in as':<16}with password")
        for person in people:
            say(f"  {person['username']:<16}{person['password']}")
        say()
    say(f"Data and logs are in {home}. Ctrl-C stops everything.\n")
