"""All that is known of a dataset's pairs, read from the database into arrays by a handful of queries."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np
from django.core.cache import cache
from django.db.models import Sum

from annotation.bootstrap import Floats, Integers
from annotation.columns import columns
from annotation.left_out import ids_left_out
from annotation.models import Dataset, Generator, Pair, User
from jobs.models import Job
from judging.backends.baseline import nearer
from judging.models import Judge, JudgeRun, Verdict
from judging.scores.comparison import ABSENT, INVALID, Passes

PAIRS = """
    SELECT pair.id, pair.prompt_id AS prompt, coalesce(first.generator_id, -1) AS generator_1,
        coalesce(second.generator_id, -1) AS generator_2, char_length(first.text) AS length_1,
        char_length(second.text) AS length_2, coalesce(adjudication.choice, -1) AS adjudication
    FROM annotation_pair AS pair
    JOIN annotation_response AS first ON first.id = pair.response_1_id
    JOIN annotation_response AS second ON second.id = pair.response_2_id
    LEFT JOIN annotation_adjudication AS adjudication ON adjudication.pair_id = pair.id AND adjudication.current
    WHERE pair.dataset_id = %s ORDER BY pair.id
"""
PAIR_TYPES = {
    "id": "bigint",
    "prompt": "bigint",
    "generator_1": "bigint",
    "generator_2": "bigint",
    "length_1": "integer",
    "length_2": "integer",
    "adjudication": "smallint",
}
LABELS = """
    SELECT label.pair_id AS pair, label.annotator_id AS annotator, label.choice,
        coalesce(label.shown_swapped::int, -1) AS swapped
    FROM annotation_label AS label JOIN annotation_pair AS pair ON pair.id = label.pair_id
    WHERE pair.dataset_id = %s AND label.annotator_id <> ALL(%s)
"""
LABEL_TYPES = {"pair": "bigint", "annotator": "bigint", "choice": "smallint", "swapped": "smallint"}
VERDICTS = """
    SELECT run_id AS run, pair_id AS pair, swapped::int AS swapped, coalesce(choice, %s) AS choice,
        coalesce(p_tie, 'NaN') AS p_tie, coalesce(p_1, 'NaN') AS p_1, coalesce(p_2, 'NaN') AS p_2
    FROM judging_verdict WHERE run_id = ANY(%s)
"""
VERDICT_TYPES = {
    "run": "bigint",
    "pair": "bigint",
    "swapped": "smallint",
    "choice": "smallint",
    "p_tie": "float8",
    "p_1": "float8",
    "p_2": "float8",
}
# Verdicts of several runs are read together, so many at most.
AT_ONCE = 500_000
# So many pairs are looked up by their ids; more are quicker found among all.
FEW_PAIRS = 5000
KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True)
class RunEvidence:
    """A run and what it said. seconds, cost: sums over its verdicts, None where none has any."""

    run: JudgeRun
    passes: Passes
    invalid: int
    seconds: float | None
    cost: float | None


@dataclass(frozen=True)
class Evidence:
    """Arrays over pairs have n_pairs elements in the order of `pair_ids`; those over labels are flat.

    first, second: index into generators, -1 where not known. adjudications: choice or -1. label_swapped: 1 where
    response 2 stood left, 0 where not, -1 where that is not known.
    """

    dataset: Dataset
    pair_ids: Integers
    prompts: Integers
    first: Integers
    second: Integers
    lengths: Integers
    adjudications: Integers
    generators: list[str]
    annotators: list[User]
    label_pairs: Integers
    label_raters: Integers
    label_choices: Integers
    label_swapped: Integers
    runs: list[RunEvidence] = field(default_factory=list)
    nearer_reference: Integers | None = None

    @property
    def n_pairs(self) -> int:
        return len(self.pair_ids)


def read_people(dataset: Dataset) -> Evidence:
    """The pairs of a dataset and what people said of them, without the judges, and without whoever is left out."""
    pairs = columns(PAIRS, [dataset.pk], PAIR_TYPES)
    labels = columns(LABELS, [dataset.pk, ids_left_out(dataset)], LABEL_TYPES)
    # A label committed after the pairs were read may be of a pair that was not there yet.
    labels = labels[np.isin(labels["pair"], pairs["id"])]
    annotator_ids, raters = np.unique(labels["annotator"], return_inverse=True)
    users = User.objects.in_bulk([int(pk) for pk in annotator_ids])
    names, first, second = _generators(pairs["generator_1"], pairs["generator_2"])
    return Evidence(
        dataset=dataset,
        pair_ids=pairs["id"],
        prompts=pairs["prompt"],
        first=first,
        second=second,
        lengths=np.stack([pairs["length_1"], pairs["length_2"]]),
        adjudications=pairs["adjudication"],
        generators=names,
        annotators=[users[int(pk)] for pk in annotator_ids],
        label_pairs=np.searchsorted(pairs["id"], labels["pair"]),
        label_raters=raters,
        label_choices=labels["choice"].astype(np.int8),
        label_swapped=labels["swapped"].astype(np.int8),
    )


def _generators(ids_1: Integers, ids_2: Integers) -> tuple[list[str], Integers, Integers]:
    """Generators' names in their order, and the index into them of each first and second response, or -1."""
    ids, index = np.unique(np.concatenate([ids_1, ids_2]), return_inverse=True)
    named = Generator.objects.in_bulk([int(pk) for pk in ids if pk >= 0])
    by_name = sorted(named.values(), key=lambda generator: generator.name)
    place = {generator.pk: number for number, generator in enumerate(by_name)}
    both = np.array([place.get(int(pk), -1) for pk in ids], dtype=np.int64)[index]
    return [generator.name for generator in by_name], both[: len(ids_1)], both[len(ids_1) :]


def read(dataset: Dataset) -> Evidence:
    """Everything: people, the run that stands for each judge, and what the references favour."""
    people = read_people(dataset)
    runs = runs_evidence(runs_that_count(dataset), people.pair_ids)
    return replace(people, runs=runs, nearer_reference=_nearer_reference(dataset, people.pair_ids))


def runs_that_count(dataset: Dataset) -> list[JudgeRun]:
    """One run a judge: the newest that is whole or imported, else the newest that has a verdict; by judge's name."""
    runs = JudgeRun.objects.filter(dataset=dataset).select_related("judge", "job").order_by("created_at", "pk")
    chosen: dict[Judge, JudgeRun] = {}
    for run in runs:
        before = chosen.get(run.judge)
        if before is None or _is_whole(run) or not _is_whole(before):
            chosen[run.judge] = run
    return sorted(chosen.values(), key=lambda run: run.judge.name)


def _is_whole(run: JudgeRun) -> bool:
    return run.job is None or run.job.state == Job.State.SUCCEEDED


def run_evidence(run: JudgeRun, pair_ids: Integers) -> RunEvidence:
    """What a run said of the pairs with these ids, which are in their order."""
    return runs_evidence([run], pair_ids)[0]


def runs_evidence(runs: Sequence[JudgeRun], pair_ids: Integers) -> list[RunEvidence]:
    """What each run said of the pairs with these ids, which are in their order; a few queries for all of them."""
    size = max(AT_ONCE // max(2 * len(pair_ids), 1), 1)
    return [
        evidence for start in range(0, len(runs), size) for evidence in _together(runs[start : start + size], pair_ids)
    ]


def _together(runs: Sequence[JudgeRun], pair_ids: Integers) -> list[RunEvidence]:
    ids = [run.pk for run in runs]
    rows = columns(VERDICTS, [INVALID, ids], VERDICT_TYPES)
    rows = rows[np.isin(rows["pair"], pair_ids)]
    sums = Verdict.objects.filter(run__in=ids).order_by().values("run").annotate(time=Sum("seconds"), price=Sum("cost"))
    spent = {each["run"]: (each["time"], each["price"]) for each in sums}
    return [_of_run(run, rows[rows["run"] == run.pk], pair_ids, *spent.get(run.pk, (None, None))) for run in runs]


def _of_run(
    run: JudgeRun, rows: np.ndarray, pair_ids: Integers, seconds: float | None, price: Decimal | None
) -> RunEvidence:
    index = np.searchsorted(pair_ids, rows["pair"])
    choices = np.full((2, len(pair_ids)), ABSENT, dtype=np.int8)
    p: Floats = np.full((2, len(pair_ids), 3), np.nan)
    choices[rows["swapped"], index] = rows["choice"]
    p[rows["swapped"], index] = np.stack([rows["p_tie"], rows["p_1"], rows["p_2"]], axis=1)
    return RunEvidence(
        run=run,
        passes=Passes(choices[0], choices[1], p[0], p[1], both_asked=run.order == JudgeRun.Order.BOTH),
        invalid=int((choices == INVALID).any(axis=0).sum()),
        seconds=seconds,
        cost=None if price is None else float(price),
    )


def _nearer_reference(dataset: Dataset, pair_ids: Integers) -> Integers | None:
    """What the token F1 baseline says of the pairs whose prompt has a reference; None where no prompt has one.

    Texts never change: each pair is looked at once, and what was found is kept.
    """
    key = f"nearer-reference:{dataset.pk}"
    kept: tuple[Integers, Integers] | None = cache.get(key)
    ids, said = kept or (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int8))
    missing = np.setdiff1d(pair_ids, ids, assume_unique=True)
    if len(missing):
        found = _compare_with_reference(dataset, missing)
        ids, said = np.concatenate([ids, missing]), np.concatenate([said, found])
        order = np.argsort(ids)
        ids, said = ids[order], said[order]
        cache.set(key, (ids, said), KEPT_SECONDS)
    nearest = said[np.searchsorted(ids, pair_ids)]
    return nearest if (nearest != ABSENT).any() else None


def _compare_with_reference(dataset: Dataset, pair_ids: Integers) -> Integers:
    """(n,): for each of these pairs which response is nearer, ABSENT where its prompt has no reference."""
    few = {"pk__in": pair_ids.tolist()} if len(pair_ids) <= FEW_PAIRS else {}
    rows = (
        Pair.objects.filter(dataset=dataset, **few)
        .exclude(prompt__reference="")
        .values_list("pk", "response_1__text", "response_2__text", "prompt__reference")
    )
    said = {pk: nearer(first, second, reference) for pk, first, second, reference in rows.iterator(chunk_size=2000)}
    return np.array([said.get(int(pk), ABSENT) for pk in pair_ids], dtype=np.int8)
