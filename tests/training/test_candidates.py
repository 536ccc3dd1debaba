"""Candidates: tuned by their real architectures, and their answers stored as a generator's responses."""

import io
import random
from pathlib import Path

import pytest
import torch

from annotation.models import Dataset, Generator, Response
from jobs.running import run_here
from tests import factories
from tests.training.conftest import made_pairs, make
from tests.training.test_families import FAMILIES, VOCABULARY
from training.models import Checkpoint, StepMetric
from training.promotion import ask_for_answers
from training.recipes import CandidateRecipe
from training.runs import TrainingError, start_training, weights_folder

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SHORT = {"global_batch": 8, "piece_tokens": 1024, "max_length": 256, "learning_rate": 0.01, "epochs": 1}
ADAPTERS = {"lora": {"rank": 4, "alpha": 8, "dropout": 0.1}, "optimizer": "sgd", "schedule": "linear"}


@pytest.fixture(scope="module")
def tokenizer():
    from training.tiny_judge_train import make_tokenizer

    return make_tokenizer(random.Random(0))


def base_of(family: str, tokenizer, folder: Path) -> Path:
    torch.manual_seed(0)
    model = FAMILIES[family]()
    assert len(tokenizer) != VOCABULARY
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def answers() -> Dataset:
    dataset = factories.make_dataset(slug="instructions", purpose=Dataset.Purpose.TRAIN)
    made_pairs(dataset, 24, seed=3)
    return dataset


@pytest.mark.parametrize(("family", "more"), [("bloom", {}), ("opt", ADAPTERS)])
def test_a_candidate_is_tuned_and_answers_every_prompt_once(family, more, tokenizer, answers, tmp_path):
    snapshot = make(CandidateRecipe(dataset="instructions", generator="one", held_out=0))
    run = start_training(
        name=family,
        snapshot=snapshot,
        base_model=str(base_of(family, tokenizer, tmp_path / family)),
        hyperparameters=SHORT | more,
        send=False,
    )
    run_here(job=run.job, out=io.StringIO())
    run.refresh_from_db()
    assert run.found["choice"]["can_pack"] == (family != "bloom")
    assert StepMetric.objects.filter(run=run).count() == 3
    checkpoint = Checkpoint.objects.get(run=run)
    weights = weights_folder(run, checkpoint.step)
    # Adapters are merged: whatever reads the architecture reads this, and it is not the base any more.
    from transformers import AutoModelForCausalLM

    tuned = AutoModelForCausalLM.from_pretrained(weights)
    base = AutoModelForCausalLM.from_pretrained(run.base_model)
    assert tuned.state_dict().keys() == base.state_dict().keys()
    assert any(not torch.equal(value, base.state_dict()[name]) for name, value in tuned.state_dict().items())

    asked = factories.make_dataset(slug="to-answer")
    made_pairs(asked, 6, seed=4)
    job = ask_for_answers(checkpoint=checkpoint, dataset=asked, send=False)
    with pytest.raises(TrainingError, match="answering already"):
        ask_for_answers(checkpoint=checkpoint, dataset=asked)
    run_here(job=job, out=io.StringIO())
    generator = Generator.objects.get(name=f"{family}, epoch 1")
    before = dict(Response.objects.filter(generator=generator).values_list("prompt", "pk"))
    assert set(before) == set(asked.pairs.values_list("prompt", flat=True))
    # What is missing is written, what is there stays.
    lost = min(before)
    Response.objects.filter(pk=before[lost]).delete()
    run_here(job=ask_for_answers(checkpoint=checkpoint, dataset=asked, send=False), out=io.StringIO())
    after = dict(Response.objects.filter(generator=generator).values_list("prompt", "pk"))
    assert after.keys() == before.keys()
    assert {prompt for prompt in before if after[prompt] != before[prompt]} == {lost}
