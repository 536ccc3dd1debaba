#!/usr/bin/env python
"""Django's commands. The embedded database runs for as long as a command needs it, whether `make run` is up or not."""

import os
import sys
from contextlib import nullcontext

# These look at code and files only; starting a database for them would be a waste.
WITHOUT_DATABASE = {
    "check",
    "collectstatic",
    "compilemessages",
    "diffsettings",
    "findstatic",
    "help",
    "makemessages",
    "startapp",
    "version",
}


def needs_database(arguments: list[str]) -> bool:
    """Whether a command line may touch the embedded database."""
    if os.environ.get("DATABASE_URL") or not arguments:
        return False
    if "--database" in arguments:
        return True
    return arguments[0].lstrip("-") not in WITHOUT_DATABASE and not {"-h", "--help"} & set(arguments)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line

    from config.embedded import data_directory, postgres
    from config.embedded.paths import EmbeddedError

    try:
        with postgres.used(data_directory()) if needs_database(sys.argv[1:]) else nullcontext():
            execute_from_command_line(sys.argv)
    except EmbeddedError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
