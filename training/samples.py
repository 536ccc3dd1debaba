"""The rows of a snapshot, read from the database in a fixed order: what a recipe takes, and what it leaves out."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import md5

from annotation.models import Choice, Dataset, Response
from jobs.errors import PermanentError
from judging.audits.weights import LabelWeights, NoWeightsError, label_weights
from judging.models import Audit, AuditItem, FilterMark, JudgeRun, Verdict
from training.recipes import CandidateRecipe, JudgeRecipe
from training.swapping import other_way_round

CHUNK = 2000

Row = dict[str, object]


@dataclass
class Sample:
    """prompt: what tells prompts apart, whatever file they came from."""

    prompt: str
    row: Row


@dataclass
class Taken:
    """What became of the labels on the way, by name, for the data card, and what they weigh, if not all alike."""

    counts: Counter[str] = field(default_factory=Counter)
    weights: LabelWeights | None = None


def prompt_key(instruction: str, given: str) -> str:
    return f"{instruction}\0{given}"


def share_of(seed: int, what: object) -> float:
    """A number in [0, 1) that follows from both: a draw that does not depend on what else there is."""
    return int.from_bytes(md5(f"{seed}/{what}".encode(), usedforsecurity=False).digest()[:6], "big") / 2**48


def judge_samples(recipe: JudgeRecipe, taken: Taken) -> Iterator[Sample]:
    """Verdicts of the run, each in the order that the judge saw, and their copies the other way round."""
    run = JudgeRun.objects.filter(pk=recipe.run).first()
    if run is None:
        raise PermanentError(f"Run {recipe.run}, whose labels were to be learnt, was removed.")
    left_out = set(
        FilterMark.objects.filter(run=run, filter__in=recipe.filters).values_list("pair", flat=True).iterator()
    )
    chosen = _chosen(run, recipe, left_out)
    found = _audited(run) if recipe.corrections else {}
    taken.weights = weights = _weights(recipe)
    both = set(Verdict.objects.filter(run=run, swapped=True).values_list("pair", flat=True).iterator())
    verdicts = Verdict.objects.filter(run=run).order_by("pair_id", "swapped")
    rows = verdicts.values_list(
        "pair_id",
        "swapped",
        "status",
        "choice",
        "reason",
        "reference",
        "pair__prompt__instruction",
        "pair__prompt__input",
        "pair__response_1__text",
        "pair__response_2__text",
    )
    for pair, swapped, status, choice, reason, reference, instruction, given, one, two in rows.iterator(CHUNK):
        taken.counts["verdicts"] += 1
        if status != Verdict.Status.OK:
            taken.counts["without a choice"] += 1
            continue
        if pair in left_out:
            taken.counts["left out by filters"] += 1
            continue
        if chosen is not None and pair not in chosen:
            taken.counts["beyond the size"] += 1
            continue
        if pair in found:
            audited = found[pair]
            if audited is None:
                taken.counts["left out by audits"] += 1
                continue
            right, note = audited
            if right != choice:
                if not note or swapped:
                    # Its reason speaks for the wrong choice, and nobody wrote another.
                    taken.counts["left out by audits"] += 1
                    continue
                choice, reason = right, note
                taken.counts["corrected by audits"] += 1
        if share_of(recipe.seed, f"reference/{pair}") >= recipe.references:
            reference = ""
            taken.counts["without their reference"] += 1
        shown = int(Choice(choice).swapped) if swapped else int(choice)
        texts = (two, one) if swapped else (one, two)
        row = _judge_row(pair, swapped, instruction, given, texts, shown, reason, reference)
        weight = {} if weights is None else {"weight": round(weights.of(pair, corrected=recipe.corrections), 6)}
        row |= weight
        yield Sample(prompt_key(instruction, given), row)
        if recipe.swap and not swapped and pair not in both:
            taken.counts["copies the other way round"] += 1
            turned = other_way_round(reason)
            row = _judge_row(
                pair, True, instruction, given, texts[::-1], int(Choice(choice).swapped), turned, reference
            )
            row |= weight
            yield Sample(prompt_key(instruction, given), row)


def _judge_row(
    pair: int,
    swapped: bool,
    instruction: str,
    given: str,
    texts: tuple[str, str],
    choice: int,
    reason: str,
    reference: str,
) -> Row:
    """Responses and choice as shown."""
    return {
        "pair": pair,
        "swapped": swapped,
        "instruction": instruction,
        "input": given,
        "response_1": texts[0],
        "response_2": texts[1],
        "choice": choice,
        "reason": reason,
        "reference": reference,
    }


def _chosen(run: JudgeRun, recipe: JudgeRecipe, left_out: set[int]) -> set[int] | None:
    """The pairs that a limited size leaves, drawn by their numbers; None where there is no limit."""
    if recipe.size is None:
        return None
    pairs = Verdict.objects.filter(run=run, status=Verdict.Status.OK).values_list("pair", flat=True).distinct()
    open_ = [pair for pair in pairs.iterator() if pair not in left_out]
    return set(sorted(open_, key=lambda pair: (share_of(recipe.seed, f"size/{pair}"), pair))[: recipe.size])


def _weights(recipe: JudgeRecipe) -> LabelWeights | None:
    if recipe.weights is None:
        return None
    audit = Audit.objects.select_related("run__judge", "dataset").filter(pk=recipe.weights, run=recipe.run).first()
    if audit is None:
        raise PermanentError(f"Audit {recipe.weights}, by which the labels were to weigh, was removed.")
    try:
        return label_weights(audit)
    except NoWeightsError as error:
        raise PermanentError(str(error)) from error


def _audited(run: JudgeRun) -> dict[int, tuple[int, str] | None]:
    """By pair: the choice that an audit found right, with its auditor's note; None for what it left out.

    Where several audits met a pair, the latest decision speaks, also where it finds the label right.
    """
    items = AuditItem.objects.filter(audit__run=run, state=AuditItem.State.DECIDED).order_by("decided_at", "pk")
    latest = {
        pair: (outcome, right, note)
        for pair, outcome, right, note in items.values_list("pair", "outcome", "right_choice", "note")
    }
    return {
        pair: None if right is None else (right, note)
        for pair, (outcome, right, note) in latest.items()
        if outcome != AuditItem.Outcome.RIGHT
    }


def candidate_samples(recipe: CandidateRecipe, taken: Taken) -> Iterator[Sample]:
    """Prompts of the dataset with their reference, or with each text that the generator wrote."""
    dataset = Dataset.objects.filter(slug=recipe.dataset).first()
    if dataset is None:
        raise PermanentError(f"The dataset {recipe.dataset}, whose prompts were to be learnt, was removed.")
    prompts = dataset.pairs.order_by("prompt").values_list("prompt", flat=True).distinct()
    responses = Response.objects.filter(prompt__in=prompts).order_by("prompt", "pk")
    if recipe.generator is not None:
        rows = responses.filter(generator__name=recipe.generator).values_list(
            "prompt__instruction", "prompt__input", "text"
        )
    else:
        rows = (
            responses.order_by("prompt")
            .distinct("prompt")
            .values_list("prompt__instruction", "prompt__input", "prompt__reference")
        )
    seen: set[str] = set()
    kept: list[Sample] = []
    for instruction, given, output in rows.iterator(CHUNK):
        taken.counts["prompts"] += 1
        if not output.strip():
            taken.counts["without an answer"] += 1
            continue
        key = prompt_key(instruction, given)
        if key in seen:
            taken.counts["the same prompt again"] += 1
            continue
        seen.add(key)
        kept.append(Sample(key, {"instruction": instruction, "input": given, "output": output}))
    if recipe.size is not None and len(kept) > recipe.size:
        taken.counts["beyond the size"] += len(kept) - recipe.size
        drawn = sorted(kept, key=lambda sample: share_of(recipe.seed, f"size/{sample.prompt}"))[: recipe.size]
        keys = {sample.prompt for sample in drawn}
        kept = [sample for sample in kept if sample.prompt in keys]
    yield from kept


def exam_rows(dataset: Dataset) -> Iterator[Row]:
    """Every pair of a test set in both orders, as a judge is asked about it; its labels stay here."""
    pairs = dataset.pairs.order_by("pk").values_list(
        "pk", "prompt__instruction", "prompt__input", "response_1__text", "response_2__text"
    )
    for pair, instruction, given, one, two in pairs.iterator(CHUNK):
        for swapped, texts in ((False, (one, two)), (True, (two, one))):
            yield {
                "pair": pair,
                "swapped": swapped,
                "instruction": instruction,
                "input": given,
                "response_1": texts[0],
                "response_2": texts[1],
            }
