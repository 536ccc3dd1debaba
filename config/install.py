"""`python config/install.py PIP-ARGUMENTS`: pip install, told in one line that moves, and in full where it fails.

For the standard library alone, and run by its path: nothing is installed yet.
"""

import re
import select
import subprocess
import sys
import time
from collections import deque

LIVE_SECONDS = 1
# Where the output is a file or a log.
OTHERWISE_SECONDS = 30
LINES_OF_A_FAILURE = 30


class Progress:
    """What pip is at, read from what it says."""

    def __init__(self) -> None:
        self.found = 0
        self.now = "beginning"
        self.last_lines: deque[str] = deque(maxlen=LINES_OF_A_FAILURE)

    def read(self, line: str) -> None:
        self.last_lines.append(line)
        if re.match(r"Collecting \S|Obtaining ", line):
            self.found += 1
            self.now = f"{self.found} found"
        # The metadata of a package is small and soon there.
        elif match := re.match(r"\s+Downloading .*?([^/\s]+?)-\d\S*\.(?:whl|tar\.gz) (\([\d.]+ \wB\))", line):
            self.now = f"{self.found} found, downloading {match[1]} {match[2]}"
        elif line.startswith("Installing collected packages:"):
            self.now = f"installing {line.count(',') + 1} packages"


def install(arguments: list[str]) -> int:
    """Run pip and return its exit code."""
    pip = subprocess.Popen(
        [sys.executable, "-um", "pip", "install", "--progress-bar", "off", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        progress = _follow(pip)
    except KeyboardInterrupt:  # pip heard it too.
        pip.wait()
        return 130
    if pip.wait():
        sys.stdout.write("\n".join(progress.last_lines))
        sys.stdout.write(
            "\n\nThe packages could not be installed; pip's last words are above. Often the network is the reason,"
            "\nor a full disk. Run the same command again: what was downloaded is kept.\n"
        )
    return pip.returncode


def _follow(pip: "subprocess.Popen[bytes]") -> Progress:
    """Tell what pip does until it has said all."""
    assert pip.stdout is not None
    progress, began, live, rest = Progress(), time.monotonic(), sys.stdout.isatty(), b""
    every = LIVE_SECONDS if live else OTHERWISE_SECONDS
    told = 0.0 if live else began
    while True:
        if select.select([pip.stdout], [], [], LIVE_SECONDS)[0]:
            heard = pip.stdout.read1(65536)
            *lines, rest = (rest + heard).split(b"\n")
            for line in lines:
                progress.read(line.decode(errors="replace").rstrip())
            if not heard:
                break
        if time.monotonic() - told >= every:
            told = time.monotonic()
            _tell(f"{told - began:.0f} s, {progress.now}", live=live)
    if live:
        sys.stdout.write("\r\x1b[K")
    sys.stdout.write(f"  {'Packages':<14} {time.monotonic() - began:.1f} s\n")
    return progress


def _tell(text: str, *, live: bool) -> None:
    line = f"  {'Packages':<14} {text}"
    # Eighty columns: a line that wraps can't be written over.
    sys.stdout.write(f"\r\x1b[K{line[:79]}" if live else f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(install(sys.argv[1:]))
