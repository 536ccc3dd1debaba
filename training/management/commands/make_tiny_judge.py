from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from training.tiny_judge import TinyJudgeError, make_tiny_judge


class Command(BaseCommand):
    help = "Train the demo's small judge (about twenty seconds) and save it as a checkpoint in PandaLM's format."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--output", type=Path, required=True, help="the folder to make")
        parser.add_argument("--steps", type=int, default=100, help="training steps, of 32 made-up pairs each")
        parser.add_argument("--seed", type=int, default=0)

    def handle(self, *, output: Path, steps: int, seed: int, **_: object) -> None:
        try:
            make_tiny_judge(output=output, steps=steps, seed=seed)
        except TinyJudgeError as error:
            raise CommandError(str(error)) from error
