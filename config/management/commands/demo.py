"""Fill an installation with what one needs to look round: a person of each role, pairs, judges and their runs."""

from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from config.demo.corpus import import_demo_pairs
from config.demo.judges import start_demo_jobs
from config.demo.people import make_people


class Command(BaseCommand):
    help = "Make a demo dataset, a person of each role and some judges. What is there already is left alone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--sign-ins",
            type=Path,
            default=settings.TIEBREAK_HOME / "sign-ins.json",
            help="Where the made-up passwords are kept (readable by its owner alone).",
        )

    def handle(self, *, sign_ins: Path, **_: object) -> None:
        make_people(path=sign_ins)
        import_demo_pairs()
        for job in start_demo_jobs():
            self.stdout.write(f"Queued: {job}")
