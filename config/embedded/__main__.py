"""Run a PostgreSQL program on the embedded database: python -m config.embedded pg_dump -Fc -f tiebreak.dump

The database is started for it if it isn't running. psql, pg_dump, pg_restore and the others of the bundled
PostgreSQL are there; they are told where the database is.
"""

import os
import subprocess
import sys

from config.embedded import postgres
from config.embedded.paths import POSTGRES_SOCKET, EmbeddedError, data_directory, front, postgres_programs


def main(arguments: list[str]) -> int:
    programs = sorted(path.name for path in postgres_programs().iterdir())
    if not arguments or arguments[0] not in programs:
        print(f"Usage: python -m config.embedded PROGRAM [ARGUMENTS]\nPrograms: {', '.join(programs)}", file=sys.stderr)  # noqa: T201
        return 2
    home = data_directory()
    address = {
        "PGHOST": str((front(home) / POSTGRES_SOCKET).parent),
        "PGUSER": "tiebreak",
        "PGDATABASE": "tiebreak",
    }
    with postgres.used(home):
        command = [str(postgres_programs() / arguments[0]), *arguments[1:]]
        return subprocess.run(command, env=os.environ | address, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except EmbeddedError as error:
        sys.exit(str(error))
