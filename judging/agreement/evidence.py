"""What the agreement page is made of: every label of a dataset, its pairs, and judges as raters, as arrays."""

import hashlib
from dataclasses import dataclass

import numpy as np
from django.core.cache import cache

from annotation.bootstrap import Integers
from annotation.columns import columns
from annotation.models import Dataset, Pair, Prompt, User
from judging.models import JudgeRun
from judging.scores.comparison import decided
from judging.scores.evidence import run_evidence
from judging.scores.policies import PRESETS, Invalid

LABELS = """
    SELECT label.pair_id AS pair, label.annotator_id AS annotator, label.choice,
        coalesce(label.shown_swapped::int, -1) AS swapped, coalesce(label.seconds, 'NaN') AS seconds,
        date_part('epoch', label.changed_at) AS at, (label.revealed_at IS NOT NULL)::int AS seen,
        (coalesce(later.choice, label.choice) <> label.choice)::int AS changed
    FROM annotation_label AS label JOIN annotation_pair AS pair ON pair.id = label.pair_id
    LEFT JOIN annotation_reconsideration AS later ON later.label_id = label.id
    WHERE pair.dataset_id = %s
"""
LABEL_TYPES = {
    "pair": "bigint",
    "annotator": "bigint",
    "choice": "smallint",
    "swapped": "smallint",
    "seconds": "float8",
    "at": "float8",
    "seen": "smallint",
    "changed": "smallint",
}
# What a pair consists of never changes.
PAIRS = """
    SELECT pair.id, pair.prompt_id AS prompt, char_length(first.text) + char_length(second.text) AS length,
        CASE prompt.source WHEN '' THEN 0 ELSE hashtextextended(prompt.source, 0) END AS source
    FROM annotation_pair AS pair
    JOIN annotation_prompt AS prompt ON prompt.id = pair.prompt_id
    JOIN annotation_response AS first ON first.id = pair.response_1_id
    JOIN annotation_response AS second ON second.id = pair.response_2_id
    WHERE pair.dataset_id = %s AND ({})
"""
SOME_PAIRS = PAIRS.format("pair.id = ANY(%s)")
LABELLED_PAIRS = PAIRS.format("EXISTS (SELECT FROM annotation_label AS label WHERE label.pair_id = pair.id)")
ALL_PAIRS = PAIRS.format("true")
# So many are looked up by their ids; more are quicker found among all.
FEW_PAIRS = 5000
PAIR_TYPES = {"id": "bigint", "prompt": "bigint", "length": "integer", "source": "bigint"}
KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Labels:
    """All labels, in the order of pair and annotator: a structured array with the columns of LABELS."""

    dataset: Dataset
    rows: np.ndarray

    @property
    def content(self) -> str:
        """A name for just these labels: what is made of them is kept under it, and is never out of date."""
        return hashlib.blake2b(self.rows.tobytes(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class PairFacts:
    """Of each labelled pair, (n_pairs,): id, prompt, characters of both responses, index into the sources' names."""

    ids: Integers
    prompts: Integers
    lengths: Integers
    sources: Integers
    source_names: list[str]


@dataclass(frozen=True)
class JudgeAsRater:
    """A run and what it says of each pair under the default policy, -1 where it says nothing valid: (n_pairs,)."""

    run: JudgeRun
    choices: Integers


def read_labels(dataset: Dataset) -> Labels:
    rows = columns(LABELS, [dataset.pk], LABEL_TYPES)
    return Labels(dataset, rows[np.lexsort((rows["annotator"], rows["pair"]))])


def read_pairs(labels: Labels) -> PairFacts:
    """The pairs of these labels."""
    return pair_facts(dataset=labels.dataset, ids=np.unique(labels.rows["pair"]))


def pair_facts(*, dataset: Dataset, ids: Integers) -> PairFacts:
    """These pairs of the dataset, as far as they are there. Each is read once and kept: it stays what it is."""
    key = f"agreement-pairs:{dataset.pk}"
    kept: np.ndarray | None = cache.get(key)
    missing = ids if kept is None else np.setdiff1d(ids, kept["id"], assume_unique=True)
    if kept is None or len(missing):
        read = _read_pairs(dataset, missing)
        # Where another request was quicker, both have read the same.
        kept = read if kept is None else np.concatenate([kept, read[~np.isin(read["id"], kept["id"])]])
        kept = kept[np.argsort(kept["id"])]
        cache.set(key, kept, KEPT_SECONDS)
    rows = kept if len(kept) == len(ids) else kept[np.isin(kept["id"], ids)]
    _, examples, sources = np.unique(rows["source"], return_index=True, return_inverse=True)
    said = dict(Prompt.objects.filter(pk__in=rows["prompt"][examples].tolist()).values_list("pk", "source"))
    names = [said[int(prompt)] for prompt in rows["prompt"][examples]]
    return PairFacts(rows["id"], rows["prompt"], rows["length"], sources, names)


def of_source(name: str) -> dict[str, str]:
    """What the review list is asked for pairs whose prompt has this source, or none where it is empty."""
    return {"source": name} if name else {"sourced": "no"}


def _read_pairs(dataset: Dataset, ids: Integers) -> np.ndarray:
    if len(ids) <= FEW_PAIRS:
        return columns(SOME_PAIRS, [dataset.pk, ids.tolist()], PAIR_TYPES)
    # Where most are labelled, looking for labels costs more than the few pairs without.
    most = len(ids) > Pair.objects.filter(dataset=dataset).count() / 2
    return columns(ALL_PAIRS if most else LABELLED_PAIRS, [dataset.pk], PAIR_TYPES)


def annotators_of(labels: Labels) -> tuple[list[User], Integers]:
    """Who labelled, and for each label the index of who did."""
    ids, raters = np.unique(labels.rows["annotator"], return_inverse=True)
    users = User.objects.in_bulk([int(pk) for pk in ids])
    return [users[int(pk)] for pk in ids], raters


def judge_as_rater(run: JudgeRun, pair_ids: Integers) -> JudgeAsRater:
    passes = run_evidence(run, pair_ids).passes
    said = decided(passes, conflict=PRESETS["default"].conflict, invalid=Invalid.OUT)
    return JudgeAsRater(run, said)
