import shlex
from argparse import ArgumentParser
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.models import Dataset
from jobs.errors import Cancelled, PermanentError
from jobs.running import run_here
from judging.backends.base import BackendUnavailableError
from judging.models import Judge, JudgeRun
from judging.runs.figures import figures_of
from judging.runs.planning import in_words, plan_run
from judging.runs.starting import RunError, continue_run, set_budget, set_workers, start_run


class Command(BaseCommand):
    help = "Have a judge give its verdict on every pair of a dataset."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("judge", help="its name")
        parser.add_argument("dataset", help="its slug")
        parser.add_argument("--order", choices=JudgeRun.Order.values, default=JudgeRun.Order.BOTH)
        parser.add_argument("--reasons", choices=JudgeRun.Reasons.values, default=JudgeRun.Reasons.NONE)
        parser.add_argument("--budget", type=Decimal, help="US dollars at which the run pauses")
        parser.add_argument("--workers", type=int, help="how many share the run, the others in the background (1)")
        parser.add_argument("--continue", dest="run_id", type=int, metavar="RUN", help="carry on with this run instead")
        parser.add_argument("--plan", action="store_true", help="only say what the run would take; start nothing")
        parser.add_argument("--seed", type=int, default=0, help="of the pairs that --plan looks at")
        where = parser.add_mutually_exclusive_group()
        where.add_argument(
            "--wait", action="store_true", help="judge in this process, progress to stderr (the default)"
        )
        where.add_argument("--background", action="store_true", help="leave it to the workers and return at once")

    def handle(self, *, judge: str, dataset: str, background: bool, run_id: int | None, **options: Any) -> None:
        if options["plan"]:
            self._plan(judge, dataset, **{name: options[name] for name in ("order", "reasons", "budget", "seed")})
            return
        asked = {name: options[name] for name in ("order", "reasons", "budget", "workers")}
        try:
            run = self._run(judge, dataset, run_id, send=background, **asked)
        except RunError as error:
            raise CommandError(str(error)) from error
        if background:
            self.stdout.write(f"Run {run.pk} is queued.")
            return
        try:
            run_here(job=run.job)
        except (PermanentError, BackendUnavailableError) as error:
            raise CommandError(f"Run {run.pk}: {error}") from error
        except (Cancelled, KeyboardInterrupt) as error:
            again = f"manage.py run_judge {shlex.quote(judge)} {dataset} --continue {run.pk}"
            raise CommandError(f"Run {run.pk} was cancelled. What it has stays; carry on with: {again}") from error
        figures = figures_of(run)
        parts = ", ".join(f"{share.n} {share.label}" for share in [*figures.choices, *figures.statuses])
        self.stdout.write(f"Run {run.pk}: {figures.verdicts} verdicts on {figures.pairs} pairs ({parts}).")

    def _plan(self, judge: str, dataset: str, **asked: Any) -> None:
        plan = plan_run(judge=_named(Judge, "name", judge), dataset=_named(Dataset, "slug", dataset), **asked)
        self.stdout.write("\n".join(in_words(plan)) if plan else f"{judge} costs no money.")

    def _run(self, judge: str, dataset: str, run_id: int | None, *, send: bool, **asked: Any) -> JudgeRun:
        found_judge = _named(Judge, "name", judge)
        found_dataset = _named(Dataset, "slug", dataset)
        if run_id is None:
            asked["workers"] = 1 if asked["workers"] is None else asked["workers"]
            return start_run(judge=found_judge, dataset=found_dataset, send=send, **asked)
        run = JudgeRun.objects.filter(pk=run_id, judge=found_judge, dataset=found_dataset).first()
        if run is None:
            raise CommandError(f"There is no run {run_id} of {judge} on {dataset}.")
        if asked["budget"] is not None:
            set_budget(run=run, budget=asked["budget"])
        if asked["workers"] is not None:
            set_workers(run=run, workers=asked["workers"])
        return continue_run(run=run, send=send)


def _named(model: type[Judge] | type[Dataset], field: str, name: str):
    found = model.objects.filter(**{field: name}).first()
    if found is None:
        known = ", ".join(model.objects.order_by(field).values_list(field, flat=True)[:20]) or "none yet"
        raise CommandError(f"There is no {model._meta.verbose_name} '{name}'. There are: {known}.")
    return found
