"""A tiny base model, a snapshot of made-up labels, and what a run of both is started with."""

import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from annotation.models import Choice, Dataset
from jobs.running import run_here
from judging.models import JudgeRun, Verdict
from tests import factories
from training.models import Snapshot, StepMetric, TrainingRun
from training.recipes import JudgeRecipe
from training.snapshots import make_snapshot
from training.tiny_judge_data import example


@pytest.fixture(scope="session")
def base_model(tmp_path_factory) -> Path:
    """A LLaMA of 0.7 million random weights with a tokenizer of its own."""
    import torch

    from training.tiny_judge_train import make_model, make_tokenizer

    folder = tmp_path_factory.mktemp("base") / "tiny"
    torch.manual_seed(0)
    tokenizer = make_tokenizer(random.Random(0))
    model = make_model(tokenizer)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def _training_root(settings, tmp_path):
    settings.TRAINING_ROOT = tmp_path / "training"


def made_pairs(dataset: Dataset, count: int, *, seed: int) -> list:
    """Pairs with what is right of each. Their prompts share no words, so that none leaks into another set."""
    rng = random.Random(f"{dataset.pk}/{seed}")
    made = []
    for number in range(count):
        one = example(rng)
        words = ["".join(rng.choices("abcdefghij", k=5)) for _ in range(4)]
        prompt = factories.make_prompt(instruction=f"{' '.join(words)} {number}", given=one.asked.input)
        texts = (one.asked.first, one.asked.second)
        made.append((factories.make_pair(dataset=dataset, prompt=prompt, texts=texts, generators=("one", "two")), one))
    return made


def losses(run: TrainingRun) -> dict[int, float]:
    """By step."""
    return dict(StepMetric.objects.filter(run=run).values_list("step", "loss"))


@pytest.fixture
def labels() -> JudgeRun:
    """A run with a verdict on each of 60 pairs of a train dataset, in the given order."""
    dataset = factories.make_dataset(purpose=Dataset.Purpose.TRAIN)
    run = JudgeRun.objects.create(judge=factories.make_judge(), dataset=dataset)
    Verdict.objects.bulk_create(
        Verdict(run=run, pair=pair, choice=one.choice, reason=one.reason, reference=one.reference, raw="x")
        for pair, one in made_pairs(dataset, 60, seed=1)
    )
    return run


@pytest.fixture
def snapshot(labels) -> Snapshot:
    return make(JudgeRecipe(run=labels.pk, held_out=0.1, swap=False))


def make(recipe, **told) -> Snapshot:
    """A snapshot whose job has run."""
    found = make_snapshot(name=told.pop("name", "labels"), recipe=recipe, send=False, **told)
    run_here(job=found.job, out=io.StringIO())
    found.refresh_from_db()
    return found


@pytest.fixture
def test_set() -> Dataset:
    """Twenty pairs with two people's labels."""
    dataset = factories.make_dataset(labels_per_pair=2)
    people = [factories.make_user() for _ in range(2)]
    for pair, one in made_pairs(dataset, 20, seed=2):
        for person in people:
            factories.make_label(pair=pair, annotator=person, choice=Choice(one.choice))
    return dataset


@pytest.fixture
def asked(snapshot, base_model) -> Callable[..., dict]:
    """What a short run is started with."""

    def told(**more) -> dict:
        hyperparameters = {
            "learning_rate": 1e-3,
            "global_batch": 16,
            "piece_tokens": 1024,
            "max_length": 512,
            "epochs": 2,
            "batching": "packed",
        } | more.pop("hyperparameters", {})
        return {
            "name": "short",
            "snapshot": snapshot,
            "base_model": str(base_model),
            "hyperparameters": hyperparameters,
            "send": False,
        } | more

    return told
