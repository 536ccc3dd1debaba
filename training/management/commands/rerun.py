from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from jobs.errors import Cancelled, PermanentError
from jobs.running import run_here
from training.models import TrainingRun
from training.repeating import compare_losses
from training.runs import repeat
from training.work import TrainingFailedError


class Command(BaseCommand):
    help = "Do a training run once more and say by how much its losses differ. On the same hardware they do not."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=int, help="its number")

    def handle(self, *, run: int, **_: Any) -> None:
        before = TrainingRun.objects.filter(pk=run).first()
        if before is None:
            raise CommandError(f"There is no training run {run}.")
        try:
            again = repeat(run=before, send=False)
            run_here(job=again.job)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except (PermanentError, TrainingFailedError) as error:
            raise CommandError(str(error)) from error
        except (Cancelled, KeyboardInterrupt) as error:
            raise CommandError("Cancelled.") from error
        found = compare_losses(again)
        assert found is not None
        said = "the same losses" if found.is_same else f"losses that differ by up to {found.largest:.3g}"
        self.stdout.write(f"Run {again.pk} gave {said} in {found.steps} steps.")
        if not found.is_same:
            raise CommandError("It is not the same run: look at the hardware, the libraries and the code of both.")
