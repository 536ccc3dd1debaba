"""All that is known of a dataset's pairs, read from the database into arrays by a handful of queries."""

from dataclasses import dataclass, field, replace

import numpy as np
from django.db.models import Sum

from annotation.bootstrap import Floats, Integers
from annotation.columns import columns
from annotation.left_out import ids_left_out
from annotation.models import Dataset, Generator, Pair, User
from jobs.models import Job
from judging.backends.baseline import nearer
from judging.comparison import ABSENT, INVALID, Passes
from judging.models import Judge, JudgeRun, Verdict

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
    SELECT pair_id AS pair, swapped::int AS swapped, coalesce(choice, %s) AS choice,
        coalesce(p_tie, 'NaN') AS p_tie, coalesce(p_1, 'NaN') AS p_1, coalesce(p_2, 'NaN') AS p_2
    FROM judging_verdict WHERE run_id = %s
"""
VERDICT_TYPES = {
    "pair": "bigint",
    "swapped": "smallint",
    "choice": "smallint",
    "p_tie": "float8",
    "p_1": "float8",
    "p_2": "float8",
}


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
    runs = [run_evidence(run, people.pair_ids) for run in runs_that_count(dataset)]
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
    rows = columns(VERDICTS, [INVALID, run.pk], VERDICT_TYPES)
    rows = rows[np.isin(rows["pair"], pair_ids)]
    index = np.searchsorted(pair_ids, rows["pair"])
    choices = np.full((2, len(pair_ids)), ABSENT, dtype=np.int8)
    p: Floats = np.full((2, len(pair_ids), 3), np.nan)
    choices[rows["swapped"], index] = rows["choice"]
    p[rows["swapped"], index] = np.stack([rows["p_tie"], rows["p_1"], rows["p_2"]], axis=1)
    totals = Verdict.objects.filter(run=run).aggregate(time=Sum("seconds"), price=Sum("cost"))
    passes = Passes(choices[0], choices[1], p[0], p[1], both_asked=run.order == JudgeRun.Order.BOTH)
    return RunEvidence(
        run=run,
        passes=passes,
        invalid=int((choices == INVALID).any(axis=0).sum()),
        seconds=totals["time"],
        cost=None if totals["price"] is None else float(totals["price"]),
    )


def _nearer_reference(dataset: Dataset, pair_ids: Integers) -> Integers | None:
    """What the token F1 baseline says of the pairs whose prompt has a reference; None where no prompt has one."""
    rows = (
        Pair.objects.filter(dataset=dataset)
        .exclude(prompt__reference="")
        .values_list("pk", "response_1__text", "response_2__text", "prompt__reference")
    )
    said = {pk: nearer(first, second, reference) for pk, first, second, reference in rows.iterator(chunk_size=2000)}
    if not said:
        return None
    return np.array([said.get(int(pk), ABSENT) for pk in pair_ids], dtype=np.int8)
