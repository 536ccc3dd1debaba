"""Snapshots: asking for one, the job that makes its files, and what tells two of them apart."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from django.core.exceptions import ValidationError
from django.db import transaction
from pydantic import TypeAdapter

from annotation.models import Dataset, Generator, User
from jobs import lifecycle
from jobs.errors import PermanentError
from jobs.running import Running
from judging import artifacts
from judging.artifacts import hash_of
from judging.audits.weights import LabelWeights, NoWeightsError, label_weights
from judging.filtering import FILTERS, is_due, mark
from judging.models import Audit, JudgeRun, Verdict
from training.artifacts import snapshot_folder
from training.leakage import leaks
from training.models import Snapshot
from training.recipes import JudgeRecipe, Recipe
from training.samples import Sample, Taken, candidate_samples, judge_samples, prompt_key, share_of

WORK = "training.snapshots.build"
TRAIN, HELD_OUT = "train.jsonl", "held-out.jsonl"
SHOWN_LEAKS = 5
FILLED_LATER = ("sha256", "held_out_sha256", "count", "held_out_count", "card", "stored", "job", "created_by")
_RECIPE: TypeAdapter[Recipe] = TypeAdapter(Recipe)


def recipe_of(snapshot: Snapshot) -> Recipe:
    return _RECIPE.validate_python(snapshot.recipe)


def make_snapshot(
    *, name: str, recipe: Recipe, override: str = "", created_by: User | None = None, send: bool = True
) -> Snapshot:
    """Ask for a snapshot. Raises ValidationError by field, where the recipe names what is not there."""
    _check(recipe)
    purpose = Snapshot.Purpose.JUDGE if recipe.kind == "judge" else Snapshot.Purpose.CANDIDATE
    snapshot = Snapshot(
        name=name.strip(),
        purpose=purpose,
        recipe=recipe.model_dump(),
        override=override.strip(),
        created_by=created_by,
    )
    snapshot.clean_fields(exclude=set(FILLED_LATER))
    snapshot.validate_unique()
    with transaction.atomic():
        snapshot.save()
        snapshot.job = lifecycle.enqueue(
            kind=WORK,
            title=f"Make the snapshot {snapshot.name}",
            subject_id=snapshot.pk,
            created_by=created_by,
            send=send,
        )
        snapshot.save(update_fields=["job"])
    return snapshot


def _check(recipe: Recipe) -> None:
    if recipe.kind == "judge":
        run = JudgeRun.objects.filter(pk=recipe.run).first()
        if run is None:
            raise ValidationError({"run": f"There is no run {recipe.run}."})
        if not Verdict.objects.filter(run=run, status=Verdict.Status.OK).exists():
            raise ValidationError({"run": f"{run} has no verdicts to learn from yet."})
        if run.dataset.purpose == Dataset.Purpose.TEST:
            raise ValidationError(
                {"run": f"{run.dataset} is a test set: what learns from it cannot be tested on it. Take another run."}
            )
        unknown = [name for name in recipe.filters if name not in FILTERS]
        if unknown:
            raise ValidationError({"filters": f"There is no filter {unknown[0]}. There are: {', '.join(FILTERS)}."})
        if recipe.weights is not None:
            _check_weights(recipe.weights, run)
        return
    dataset = Dataset.objects.filter(slug=recipe.dataset).first()
    if dataset is None:
        raise ValidationError({"dataset": f"There is no dataset {recipe.dataset}."})
    if dataset.purpose == Dataset.Purpose.TEST:
        raise ValidationError({"dataset": f"{dataset} is a test set: choose another one to learn from."})
    if recipe.generator is not None and not Generator.objects.filter(name=recipe.generator).exists():
        raise ValidationError({"generator": f"There is no generator {recipe.generator}."})


def _check_weights(number: int, run: JudgeRun) -> None:
    audit = Audit.objects.select_related("run__judge", "dataset").filter(pk=number).first()
    if audit is None:
        raise ValidationError({"weights": f"There is no audit {number}."})
    if audit.run_id != run.pk:
        raise ValidationError({"weights": f"{audit} is of another run: its strata say nothing of these labels."})
    try:
        label_weights(audit)
    except NoWeightsError as error:
        raise ValidationError({"weights": str(error)}) from error


def build(running: Running) -> None:
    """Write the files beside where they belong, look for leaks, and put them there: whole or not at all."""
    snapshot = Snapshot.objects.filter(pk=running.subject_id).first()
    if snapshot is None or snapshot.is_whole:
        return
    recipe = recipe_of(snapshot)
    folder = snapshot_folder(snapshot.pk)
    draft = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    running.progress(0, None, "Looking for prompts of test sets")
    found = _leaks(running, recipe)
    if found and recipe.leaks == "refuse" and not snapshot.override:
        raise PermanentError(_refusal(found))
    if isinstance(recipe, JudgeRecipe) and recipe.filters:
        run = JudgeRun.objects.filter(pk=recipe.run).first()
        if run is not None and is_due(run):
            mark(run=run, running=running)
    leaking = {key for of_set in found.values() for key in of_set} if recipe.leaks == "leave_out" else set()
    card = _write(running, draft, recipe, leaking)
    card["leaks"] = {slug: len(keys) for slug, keys in found.items()}
    stored = artifacts.put(draft, at=folder, files=[TRAIN, HELD_OUT]) if artifacts.is_shared() else ""
    with running.writing():
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
        snapshot.sha256 = hash_of(folder / TRAIN)
        snapshot.held_out_sha256 = hash_of(folder / HELD_OUT)
        snapshot.count, snapshot.held_out_count = card["samples"], card["held_out"]
        snapshot.card, snapshot.stored = card, stored
        (folder / "card.json").write_text(
            json.dumps({"recipe": snapshot.recipe, "card": card, "sha256": snapshot.sha256}, indent=1)
        )
        snapshot.save(update_fields=["sha256", "held_out_sha256", "count", "held_out_count", "card", "stored"])


def _samples(recipe: Recipe, taken: Taken) -> Iterator[Sample]:
    return judge_samples(recipe, taken) if isinstance(recipe, JudgeRecipe) else candidate_samples(recipe, taken)


def _write(running: Running, draft: Path, recipe: Recipe, leaking: set[str]) -> dict:
    taken, choices, done = Taken(), Counter[int](), Counter[str]()
    prompts: dict[str, set[str]] = {TRAIN: set(), HELD_OUT: set()}
    with ExitStack() as stack:
        files = {name: stack.enter_context((draft / name).open("w", encoding="utf-8")) for name in prompts}
        for number, sample in enumerate(_samples(recipe, taken), 1):
            if sample.prompt in leaking:
                taken.counts["of a test set's prompt"] += 1
                continue
            part = HELD_OUT if share_of(recipe.seed, f"held out/{sample.prompt}") < recipe.held_out else TRAIN
            files[part].write(json.dumps(sample.row, ensure_ascii=False) + "\n")
            done[part] += 1
            prompts[part].add(sample.prompt)
            if part == TRAIN and "choice" in sample.row:
                choices[int(sample.row["choice"])] += 1  # type: ignore[call-overload]
            running.progress(number, None, "Writing samples")
    if not done[TRAIN]:
        raise PermanentError(_nothing_left(recipe, taken))
    return {
        "samples": done[TRAIN],
        "held_out": done[HELD_OUT],
        "prompts": len(prompts[TRAIN]),
        "held_out_prompts": len(prompts[HELD_OUT]),
        "taken": dict(taken.counts),
        "choices": {str(choice): n for choice, n in sorted(choices.items())},
    } | _weighed(taken.weights)


def _nothing_left(recipe: Recipe, taken: Taken) -> str:
    if not isinstance(recipe, JudgeRecipe):
        who = recipe.generator
        whose = f"{who} has answered none of its prompts" if who else "none of its prompts has a reference"
        return f"There is nothing to learn from in {recipe.dataset}: {whose}. Take another generator or dataset."
    left = ", ".join(f"{n} {why}" for why, n in taken.counts.items())
    return f"Nothing is left to learn from ({left}). Switch filters off, or take another run."


def _weighed(weights: LabelWeights | None) -> dict:
    """For the card: by what the samples weigh; nothing where all weigh alike."""
    if weights is None:
        return {}
    strata = [
        {"name": ", ".join(each["cells"].values()) or "all labels"}
        | {name: each[name] for name in ("population", "audited", "right", "weight")}
        for each in weights.strata
    ]
    return {"weights": {"strata": strata, "overall": weights.overall, "audited": weights.audited_weight}}


def _leaks(running: Running, recipe: Recipe) -> dict[str, list[str]]:
    """By test set: the prompts of the samples that it holds too, or nearly so."""
    keys = sorted({sample.prompt for sample in _samples(recipe, Taken())})
    found = {}
    for dataset in Dataset.objects.filter(purpose=Dataset.Purpose.TEST).order_by("slug"):
        running.check()
        rows = dataset.pairs.values_list("prompt_id", "prompt__instruction", "prompt__input").distinct()
        tested = {pk: prompt_key(instruction, given) for pk, instruction, given in rows.iterator()}
        met = leaks(enumerate(keys), tested)
        if met:
            found[dataset.slug] = [keys[leak.learnt] for leak in met]
    return found


def _refusal(found: Mapping[str, list[str]]) -> str:
    parts = []
    for slug, keys in found.items():
        shown = "; ".join(key.partition("\0")[0][:80] for key in keys[:SHOWN_LEAKS])
        parts.append(f"{len(keys)} prompts of the test set {slug} or nearly so ({shown})")
    return (
        f"The samples hold {', '.join(parts)}. Who learnt them cannot be tested there. Make another "
        "snapshot with changes: leave those prompts out, or write down why they may stay."
    )


def differences(one: Snapshot, other: Snapshot) -> dict[str, object]:
    """What sets two snapshots apart: their recipes, and if their files are here how many samples only one has."""
    recipes = {
        name: (one.recipe.get(name), other.recipe.get(name))
        for name in sorted({*one.recipe, *other.recipe})
        if one.recipe.get(name) != other.recipe.get(name)
    }
    if not all((snapshot_folder(snapshot.pk) / TRAIN).is_file() for snapshot in (one, other)):
        return {"recipes": recipes, "here": False}
    first, second = (_hashes(snapshot) for snapshot in (one, other))
    return {
        "recipes": recipes,
        "here": True,
        "in_both": len(first & second),
        "only_first": len(first - second),
        "only_second": len(second - first),
    }


def _hashes(snapshot: Snapshot) -> set[int]:
    with (snapshot_folder(snapshot.pk) / TRAIN).open("rb") as lines:
        return {hash(line) for line in lines}


def first_rows(snapshot: Snapshot, *, most: int = 3) -> list[dict]:
    """Samples as they stand in the file; none where it is not there, or on another machine."""
    path = snapshot_folder(snapshot.pk) / TRAIN
    if not snapshot.is_whole or not path.is_file():
        return []
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line, _ in zip(lines, range(most), strict=False)]
