"""The process that does the work of one attempt: python -m jobs.child ATTEMPT_ID PARENT_PID REPORT_FD.

It dies with its supervisor, writes how it ended to the file that it was given, and changes no state itself: that is
for the supervisor, when nothing of this process tree remains.
"""

import json
import logging
import os
import sys
from typing import Any

import django

from jobs.parents import die_with_parent

logger = logging.getLogger("jobs.child")


def main(attempt_id: int, parent: int, report_fd: int) -> int:
    die_with_parent(parent=parent)
    os.set_inheritable(report_fd, False)
    with os.fdopen(report_fd, "w") as report:
        said = run(attempt_id)
        json.dump(said, report)
    return 1 if said["outcome"] == "failed" else 0


def run(attempt_id: int) -> dict[str, Any]:
    """Do the work and say how it ended."""
    django.setup()

    from jobs.errors import Cancelled, StaleAttempt, advice, as_traceback, is_permanent
    from jobs.models import Attempt
    from jobs.running import perform

    try:
        attempt = Attempt.objects.select_related("job").get(pk=attempt_id)
        logger.info("Attempt %s of job %s, %s: %s", attempt.number, attempt.job_id, attempt.job.kind, attempt.job.title)
        perform(attempt=attempt)
    except Cancelled:
        logger.info("Cancelled.")
        return {"outcome": "cancelled"}
    except StaleAttempt:
        logger.warning("Another attempt took over.")
        return {"outcome": "overtaken"}
    except BaseException as error:  # Whatever it is, SystemExit too, has to be told.
        logger.exception("Failed.")
        return {
            "outcome": "failed",
            "summary": advice(error),
            "error": as_traceback(error),
            "permanent": is_permanent(error),
        }
    logger.info("Done.")
    return {"outcome": "succeeded"}


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
