"""python -m training.script FOLDER: one process of a training run, started once a device by a launcher.

It ties its life to its launcher's before it imports anything heavy: that takes seconds, in which the launcher may be
killed.
"""

import gc
import os
import sys

from jobs.parents import die_with_parent

INIT = 1


def main() -> int:
    die_with_parent()
    if os.getppid() == INIT:
        return 1  # The launcher was quicker to end than this process to begin.
    # What is imported stays: looking through it for garbage takes a sixth of the time that importing takes.
    gc.disable()
    from training.script.train import run_in

    gc.freeze()
    gc.enable()
    return run_in(sys.argv[-1])


if __name__ == "__main__":
    sys.exit(main())
