"""What was made of a dataset's rows, kept until the rows are others: read anew each time, and so never out of date."""

import hashlib
from collections.abc import Callable
from typing import TypeVar

from django.core.cache import cache

from judging.scores.evidence import Evidence
from judging.scores.scoring import least_labels

KEPT_SECONDS = 24 * 3600
T = TypeVar("T")


def kept(name: str, content: str, make: Callable[[], T]) -> T:
    """What `make` gives, or gave when this name was last asked for with this content. One value a name is kept."""
    found = cache.get(name)
    if found is not None and found[0] == content:
        return found[1]
    made = make()
    cache.set(name, (content, made), KEPT_SECONDS)
    return made


def content_of(evidence: Evidence) -> str:
    """A name for just this evidence: another label, verdict, price or name gives another."""
    digest = hashlib.blake2b(digest_size=16)
    dataset = evidence.dataset
    digest.update(f"{dataset.pk} {dataset.slug} {least_labels(dataset)} {dataset.labels_per_pair}".encode())
    digest.update("\n".join(evidence.generators).encode())
    digest.update("\n".join(f"{user.pk} {user.get_username()}" for user in evidence.annotators).encode())
    arrays = [
        *(evidence.pair_ids, evidence.prompts, evidence.first, evidence.second, evidence.lengths),
        *(evidence.adjudications, evidence.label_pairs, evidence.label_raters, evidence.label_choices),
        *(evidence.label_swapped, evidence.nearer_reference),
    ]
    for one in evidence.runs:
        run, job = one.run, one.run.job
        facts = (run.pk, run.judge.name, run.judge.backend, run.judge.model, run.order, job and job.state)
        digest.update(f"{facts} {one.invalid} {one.seconds} {one.cost}".encode())
        arrays += [one.passes.given, one.passes.swapped, one.passes.p_given, one.passes.p_swapped]
    for array in arrays:
        if array is not None:
            digest.update(f"{array.shape} {array.dtype}".encode() + array.tobytes())
    return digest.hexdigest()
