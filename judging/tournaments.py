"""From ready answers of several generators to a ranking: read them, make their pairs, start the judges.

Two jobs: `read` finds out what there is and what is wrong with it, and stores no pair; `make` stores all pairs and
starts all runs in one transaction, or nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import numpy as np
from django.conf import settings
from django.core.files import File
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import get_random_string

from annotation.importing.candidates import Answers, Candidates, read_answers, read_prompts, stored_candidates
from annotation.importing.pairs import check_pairs, insert_pairs
from annotation.importing.problems import KEPT, Problems, RejectedError
from annotation.importing.rows import PairRow
from annotation.importing.run import USUAL_LABELS, wait_for_other_imports
from annotation.importing.staging import Stage
from annotation.models import Dataset, Pair, Prompt, Response, User
from annotation.pairing import Answered, Design, Drawn, draw_pairs
from annotation.slots import make_slots
from jobs import lifecycle
from jobs.errors import PermanentError
from jobs.models import Job
from jobs.running import Running
from judging.models import Judge, JudgeRun, Tournament, TournamentFile
from judging.runs.planning import RunPlan, plan_pairs
from judging.runs.starting import RunError, start_run

READ, MAKE = "judging.tournaments.read", "judging.tournaments.make"
MOST_GENERATORS = 50
MOST_PAIRS = 300_000
# By so many pairs the price of a judge is estimated.
SAMPLED = 100
GONE = "A file of it is gone from the server. Begin a new one and upload the files again."


class TournamentError(Exception):
    """It cannot begin or go on; the text says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An uploaded file: of a generator's answers, or, without a generator, of the prompts."""

    file: File
    file_name: str
    generator: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be made. number: as the design has it. judges: their ids. labels: wanted of people for each pair."""

    design: Design = Design.ALL
    number: int = 0
    seed: int = 0
    judges: Sequence[int] = field(default_factory=list)
    labels: int | None = None

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        return cls(**values | {"design": Design(values["design"])})


@dataclass(frozen=True)
class JudgePlan:
    """What one judge has to do. plan: of a judge that costs money, else None."""

    judge: Judge
    verdicts: int
    plan: RunPlan | None


def begin(
    *,
    dataset_slug: str,
    purpose: str,
    files: Iterable[Entry] = (),
    answered: Dataset | None = None,
    generators: Sequence[str] = (),
    created_by: User | None = None,
    send: bool = True,
) -> Tournament:
    """Store what the candidates are and queue their reading. Raises TournamentError."""
    entries = list(files)
    names = [entry.generator for entry in entries if entry.generator] or list(generators)
    _check_names(dataset_slug, names)
    with transaction.atomic():
        made = Tournament.objects.create(
            dataset_slug=dataset_slug,
            purpose=purpose,
            answered=answered,
            generators=list(generators),
            created_by=created_by,
        )
        for entry in entries:
            stored = TournamentFile(tournament=made, generator=entry.generator, file_name=entry.file_name[-255:])
            stored.file.save(f"{get_random_string(32)}.data", entry.file, save=True)
        title = f"Read {len(names)} candidates for {dataset_slug}"
        made.reading = lifecycle.enqueue(kind=READ, title=title, subject_id=made.pk, created_by=created_by, send=send)
        made.save(update_fields=["reading"])
    return made


def name_of(file_name: str) -> str:
    """A generator's name by its file: what stands before .jsonl and the like."""
    return Path(file_name).name.split(".json")[0].split(".csv")[0][:200]


def read(running: Running) -> None:
    """The first job. What is wrong with the files is kept with the tournament; raises RejectedError if that is much."""
    tournament = Tournament.objects.get(pk=running.subject_id)
    problems: list[tuple[str, Problems]] = []
    candidates = _candidates(tournament, problems, running)
    found = _told(problems) | {"prompts": len(candidates.prompts), "generators": _facts(tournament, candidates)}
    with running.writing():
        tournament.found = found
        tournament.sample = [] if found["errors"] else _sample(candidates)
        tournament.save(update_fields=["found", "sample"])
    if found["errors"]:
        errors = f"{found['errors']:,} error{'' if found['errors'] == 1 else 's'}"
        raise RejectedError(f"The files have {errors}. Mend them and begin anew: nothing was stored.")


def pairs_of(tournament: Tournament, plan: Plan) -> Drawn:
    """The very pairs that will be made, by what the reading found."""
    return draw_pairs(_answered(tournament), design=plan.design, number=plan.number, seed=plan.seed)


def plan_judges(tournament: Tournament, pairs: int, judges: Iterable[Judge]) -> list[JudgePlan]:
    """Verdicts in both orders, and what they cost where the judge costs money."""
    order = JudgeRun.Order.BOTH
    sample = [_unstored(each) for each in tournament.sample]
    return [
        JudgePlan(
            judge,
            2 * pairs,
            plan_pairs(judge=judge, sample=sample, pairs=pairs, order=order)
            if judge.backend == Judge.Backend.OPENAI
            else None,
        )
        for judge in judges
    ]


def start(*, tournament: Tournament, plan: Plan, created_by: User | None = None, send: bool = True) -> Tournament:
    """Queue the making of pairs and runs. Raises TournamentError."""
    with transaction.atomic():
        locked = Tournament.objects.select_for_update().get(pk=tournament.pk)
        if not locked.is_read:
            raise TournamentError("The candidates are not read yet, or have errors.")
        if locked.making_id is not None:
            raise TournamentError("It was started already.")
        _check_free(locked.dataset_slug)
        count = len(pairs_of(locked, plan))
        if not count:
            raise TournamentError("That makes no pair: no two generators have answered the same prompt.")
        if count > MOST_PAIRS:
            raise TournamentError(f"That makes {count:,} pairs, more than {MOST_PAIRS:,}. Draw some of them.")
        locked.design = asdict(plan)
        title = f"Make {count:,} pairs of {locked.dataset_slug}"
        locked.making = lifecycle.enqueue(
            kind=MAKE, title=title, subject_id=locked.pk, created_by=created_by, send=send
        )
        locked.save(update_fields=["design", "making"])
    return locked


def make(running: Running) -> None:
    """The second job: the dataset, its pairs and the judges' runs, all of it or nothing."""
    tournament = Tournament.objects.get(pk=running.subject_id)
    if tournament.dataset_id is not None:
        return
    plan = Plan.from_json(tournament.design)
    problems: list[tuple[str, Problems]] = []
    candidates = _candidates(tournament, problems, running)
    if any(each.errors for _, each in problems):
        raise PermanentError("What was read before can no longer be read. Begin anew.")
    drawn = draw_pairs(candidates.answered, design=plan.design, number=plan.number, seed=plan.seed)
    with running.writing():
        wait_for_other_imports(running)
        dataset = _store(tournament, plan, candidates, drawn, running)
        _start_judges(dataset, plan, tournament.created_by)
        tournament.dataset = dataset
        tournament.save(update_fields=["dataset"])
    _delete_files(tournament)


def delete_old_files() -> int:
    """Delete files of tournaments that nobody went on with for UPLOAD_KEEP_DAYS; how many went."""
    before = timezone.now() - timedelta(days=settings.UPLOAD_KEEP_DAYS)
    live = Q(reading__state__in=Job.LIVE) | Q(making__state__in=Job.LIVE)
    old = Tournament.objects.filter(created_at__lt=before, files__isnull=False).exclude(files__file="").exclude(live)
    return sum(_delete_files(tournament) for tournament in old.distinct())


def _delete_files(tournament: Tournament) -> int:
    stored = list(tournament.files.exclude(file=""))
    for each in stored:
        name, storage = each.file.name, each.file.storage
        TournamentFile.objects.filter(pk=each.pk).update(file="")
        storage.delete(name)
    return len(stored)


def _check_names(dataset_slug: str, names: Sequence[str]) -> None:
    _check_free(dataset_slug)
    if len(names) < 2:
        raise TournamentError("A comparison takes at least two generators.")
    if len(names) > MOST_GENERATORS:
        raise TournamentError(f"At most {MOST_GENERATORS} generators are compared at once.")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise TournamentError(f"Two files name the generator “{twice}”. A file is named for its generator: rename one.")


def _check_free(dataset_slug: str) -> None:
    if Dataset.objects.filter(slug=dataset_slug).exists():
        raise TournamentError(f"There is a dataset {dataset_slug} already. Choose another name for the new one.")


def _candidates(tournament: Tournament, problems: list[tuple[str, Problems]], running: Running) -> Candidates:
    """Read them, with the problems of each file by its name."""
    if tournament.generators:
        if tournament.answered is None:
            raise PermanentError("The dataset whose prompts were answered was removed.")
        running.progress(0, None, "Reading answers")
        return stored_candidates(dataset=tournament.answered, generators=tournament.generators)
    candidates = Candidates([], {})
    keys: dict[tuple[str, str], int] = {}
    files = sorted(tournament.files.all(), key=lambda each: bool(each.generator))
    for done, each in enumerate(files):
        running.progress(done, len(files), f"Reading {each.file_name}")
        if not each.file:
            raise PermanentError(GONE)
        problems.append((each.file_name, Problems()))
        told = {"name": each.file_name, "problems": problems[-1][1]}
        try:
            if each.generator:
                candidates.by_generator[each.generator] = read_answers(each.file.path, prompts=keys, **told)
            else:
                candidates.prompts = read_prompts(each.file.path, **told)
                keys = {prompt.key: index for index, prompt in enumerate(candidates.prompts)}
                if problems[-1][1].errors:
                    # Against prompts that are wrong every answer would be.
                    break
        except FileNotFoundError as error:
            raise PermanentError(GONE) from error
    else:
        running.progress(len(files), len(files), "Reading answers")
    return candidates


def _told(problems: list[tuple[str, Problems]]) -> dict[str, Any]:
    kept = [{"file": name} | asdict(each) for name, of_file in problems for each in of_file.kept]
    kept.sort(key=lambda each: not each["is_error"])
    return {
        "errors": sum(each.errors for _, each in problems),
        "warnings": sum(each.warnings for _, each in problems),
        "problems": kept[:KEPT],
    }


def _facts(tournament: Tournament, candidates: Candidates) -> list[dict[str, Any]]:
    """Of each generator: counts, and which prompts it answered as bits in hexadecimal digits."""
    files = {each.generator: each.file_name for each in tournament.files.all()}
    asked = len(candidates.prompts)

    def facts(name: str, answers: Answers, row: Answered) -> dict[str, Any]:
        return {
            "name": name,
            "file": files.get(name, ""),
            "answers": len(answers.texts),
            "missing": asked - len(answers.texts),
            "empty": answers.empty,
            "other": answers.other,
            "answered": np.packbits(row).tobytes().hex(),
        }

    rows = zip(candidates.by_generator.items(), candidates.answered, strict=True)
    return [facts(name, answers, row) for (name, answers), row in rows]


def _answered(tournament: Tournament) -> Answered:
    """(generators, prompts), as the reading found it."""
    n = tournament.found["prompts"]
    bits = [np.frombuffer(bytes.fromhex(each["answered"]), dtype=np.uint8) for each in tournament.found["generators"]]
    return np.array([np.unpackbits(row, count=n) for row in bits], dtype=bool).reshape(len(bits), n)


def _sample(candidates: Candidates) -> list[list[str]]:
    """Texts of some pairs of all: instruction, input, reference, both responses."""
    drawn = draw_pairs(candidates.answered, design=Design.ALL)
    some = np.random.default_rng(0).permutation(len(drawn))[:SAMPLED]
    rows = [_row(candidates, drawn, int(index)) for index in np.sort(some)]
    return [[row.instruction, row.input, row.reference, row.response_1, row.response_2] for row in rows]


def _unstored(texts: Sequence[str]) -> Pair:
    instruction, given, reference, one, two = texts
    prompt = Prompt(instruction=instruction, input=given, reference=reference)
    return Pair(prompt=prompt, response_1=Response(text=one), response_2=Response(text=two))


def _row(candidates: Candidates, drawn: Drawn, index: int) -> PairRow:
    names = list(candidates.by_generator)
    at, first, second = (int(each[index]) for each in (drawn.prompts, drawn.first, drawn.second))
    prompt = candidates.prompts[at]
    return PairRow(
        instruction=prompt.instruction,
        input=prompt.input,
        source=prompt.source,
        reference=prompt.reference,
        response_1=candidates.by_generator[names[first]].texts[at],
        response_2=candidates.by_generator[names[second]].texts[at],
        generator_1=names[first],
        generator_2=names[second],
        metadata={"prompt": prompt.name} if prompt.name else {},
    )


def _store(tournament: Tournament, plan: Plan, candidates: Candidates, drawn: Drawn, running: Running) -> Dataset:
    """The dataset with its pairs, by the way that an import takes."""
    if Dataset.objects.filter(slug=tournament.dataset_slug).exists():
        raise PermanentError(f"There is a dataset {tournament.dataset_slug} by now. Begin anew under another name.")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with Stage() as stage:
        for index in range(len(drawn)):
            stage.add(index + 1, _row(candidates, drawn, index))
            if not index % 500:
                running.progress(index, len(drawn), "Storing pairs")
        stage.finish()
    running.progress(len(drawn), len(drawn), "Storing pairs")
    problems = Problems()
    check_pairs(dataset_id=None, slug=tournament.dataset_slug, replace=False, references=0, problems=problems)
    if problems.errors:
        raise PermanentError(problems.kept[0].message)
    purpose = Dataset.Purpose(tournament.purpose)
    labels = USUAL_LABELS.get(purpose, 0) if plan.labels is None else plan.labels
    dataset = Dataset.objects.create(slug=tournament.dataset_slug, purpose=purpose, labels_per_pair=labels)
    insert_pairs(dataset_id=dataset.pk, replace=False)
    make_slots(dataset=dataset)
    return dataset


def _start_judges(dataset: Dataset, plan: Plan, created_by: User | None) -> None:
    """A judge that cannot run keeps all of it from being made: PermanentError says which and why."""
    for judge in Judge.objects.filter(pk__in=plan.judges):
        try:
            start_run(judge=judge, dataset=dataset, order=JudgeRun.Order.BOTH, created_by=created_by)
        except RunError as error:
            raise PermanentError(f"{judge} could not be started, so nothing was made: {error}") from error
