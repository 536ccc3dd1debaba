from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files import File
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_slug

from annotation.models import Dataset
from annotation.pairing import Design
from jobs.errors import Cancelled, PermanentError
from jobs.running import run_here
from judging.backends.base import BackendUnavailableError
from judging.models import Judge, JudgeRun, Tournament
from judging.tournaments import Entry, Plan, TournamentError, begin, name_of, pairs_of, plan_judges, start


class Command(BaseCommand):
    help = "Make pairs of ready answers of several generators and have judges compare them. See docs/researchers.md."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dataset", help="name of the new dataset")
        parser.add_argument("--purpose", choices=["sweep", "test"], default="sweep")
        parser.add_argument("--prompts", type=Path, metavar="FILE")
        parser.add_argument(
            "--answers", nargs="+", default=[], metavar="[NAME=]FILE", help="a file a generator, named for it"
        )
        parser.add_argument("--answered", metavar="DATASET", help="instead of files: whose prompts were answered")
        parser.add_argument("--generators", nargs="+", default=[], metavar="NAME", help="of those answers")
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--some-prompts", type=int, metavar="N", help="all pairs on N prompts drawn by the seed")
        which.add_argument("--pairs-each", type=int, metavar="N", help="N pairs of every two generators")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--judges", nargs="+", default=[], metavar="NAME")
        parser.add_argument("--labels-per-pair", type=int, metavar="N", help="usually 3 for test and 0 for sweep")
        parser.add_argument("--plan", action="store_true", help="only say what it would make; start nothing")
        parser.add_argument("--background", action="store_true", help="leave the judging to the workers")

    def handle(self, *_args: object, **given: Any) -> None:
        judges = [_judge(name) for name in given["judges"]]
        plan = _plan(given, judges)
        try:
            tournament = self._read(given)
            self._tell(tournament, plan, judges)
            if given["plan"]:
                tournament.delete()
                return
            made = start(tournament=tournament, plan=plan, send=False)
            run_here(job=made.making, out=self.stderr._out)
        except (TournamentError, PermanentError) as error:
            raise CommandError(str(error)) from None
        runs = JudgeRun.objects.filter(dataset__slug=given["dataset"]).select_related("judge", "job")
        for run in runs:
            self._judge(run, background=given["background"])
        self.stdout.write(f"The ranking is on the page /datasets/{given['dataset']}/ranking/.")

    def _read(self, given: dict[str, Any]) -> Tournament:
        try:
            validate_slug(given["dataset"])
        except ValidationError:
            raise CommandError("A dataset's name has letters, digits, - and _ only.") from None
        with ExitStack() as stack:
            tournament = begin(
                dataset_slug=given["dataset"],
                purpose=given["purpose"],
                files=_entries(given, stack),
                answered=_answered(given),
                generators=given["generators"],
                send=False,
            )
        try:
            run_here(job=tournament.reading, out=self.stderr._out)
        finally:
            tournament.refresh_from_db()
            for each in tournament.found.get("problems", []):
                kind = "error" if each["is_error"] else "warning"
                place = f"{each['file']}, line {each['line']}" if each["line"] else each["file"]
                self.stderr.write(f"{kind}: {place}: {each['message']} Found: {each['value']}".removesuffix(" Found: "))
        return tournament

    def _tell(self, tournament: Tournament, plan: Plan, judges: list[Judge]) -> None:
        for each in tournament.found["generators"]:
            told = f"{each['answers']:,} answers, {each['missing']:,} missing, {each['empty']:,} empty"
            self.stdout.write(f"{each['name']}: {told}")
        pairs = len(pairs_of(tournament, plan))
        self.stdout.write(f"{tournament.found['prompts']:,} prompts, {pairs:,} pairs")
        for each in plan_judges(tournament, pairs, judges):
            cost = ""
            if each.plan:
                cost = ", cost not known" if each.plan.cost is None else f", about {each.plan.cost:,.2f} US dollars"
            self.stdout.write(f"{each.judge}: {each.verdicts:,} verdicts in both orders{cost}")

    def _judge(self, run: JudgeRun, *, background: bool) -> None:
        if background:
            self.stdout.write(f"Run {run.pk} of {run.judge} is queued.")
            return
        try:
            run_here(job=run.job, out=self.stderr._out)
        except (PermanentError, BackendUnavailableError, Cancelled) as error:
            self.stderr.write(f"Run {run.pk} of {run.judge} did not end well: {error}")
        else:
            self.stdout.write(f"Run {run.pk} of {run.judge} is done.")


def _entries(given: dict[str, Any], stack: ExitStack) -> list[Entry]:
    if given["answered"]:
        if given["prompts"] or given["answers"]:
            raise CommandError("Give files, or --answered with --generators, not both.")
        return []
    if given["prompts"] is None:
        raise CommandError("Give --prompts and --answers, or --answered and --generators.")
    entries = [_entry(given["prompts"], "", stack)]
    for said in given["answers"]:
        name, _, path = said.rpartition("=")
        entries.append(_entry(Path(path), name or name_of(path), stack))
    return entries


def _entry(path: Path, generator: str, stack: ExitStack) -> Entry:
    try:
        file = stack.enter_context(path.open("rb"))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from None
    return Entry(file=File(file), file_name=path.name, generator=generator)


def _answered(given: dict[str, Any]) -> Dataset | None:
    slug = given["answered"]
    found = Dataset.objects.filter(slug=slug).first() if slug else None
    if slug and found is None:
        raise CommandError(f"There is no dataset '{slug}'.")
    return found


def _judge(name: str) -> Judge:
    found = Judge.objects.filter(name=name).first()
    if found is None:
        known = ", ".join(Judge.objects.order_by("name").values_list("name", flat=True)[:20]) or "none yet"
        raise CommandError(f"There is no judge '{name}'. There are: {known}.")
    return found


def _plan(given: dict[str, Any], judges: list[Judge]) -> Plan:
    design, number = Design.ALL, 0
    for each, name in ((Design.PROMPTS, "some_prompts"), (Design.EACH, "pairs_each")):
        if given[name] is not None:
            design, number = each, given[name]
            if number < 1:
                raise CommandError(f"--{name.replace('_', '-')} must be at least 1.")
    if given["labels_per_pair"] is not None and not 0 <= given["labels_per_pair"] <= 99:
        raise CommandError("--labels-per-pair must be from 0 to 99.")
    return Plan(
        design=design,
        number=number,
        seed=given["seed"],
        judges=[judge.pk for judge in judges],
        labels=given["labels_per_pair"],
    )
