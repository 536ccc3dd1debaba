"""Sizes read off a folder, the published forms for memory, and what was measured on a GPU."""

import json
import shutil
import struct

import pytest

from judging.models import JudgeRun
from tests import factories
from tests.training.made import make_training_run
from training.estimates import disk_of, memory_of, steps_of
from training.models import StepMetric, TrainingRun
from training.pages import estimate_of
from training.script.config import Hyperparameters, Lora
from training.shapes import NoShapeError, Shape, flops_of, shape_of

# LLaMA-7B and the model that was measured (docs/benchmarks.md).
SEVEN = Shape("llama", 6_738_415_616, 2 * 32000 * 4096, 32, 4096, 11008, 4096, 32000, 2048)
MEASURED = Shape("llama", 1_002_530_816, 2 * 8192 * 2048, 22, 2048, 5632, 256, 8192, 4096)


def test_the_shape_of_a_folder_is_that_of_the_model(base_model):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base_model)
    shape = shape_of(base_model)
    assert shape.parameters == sum(weight.numel() for weight in model.parameters())
    assert shape.body == shape.parameters - model.get_input_embeddings().weight.numel()
    assert (shape.family, shape.layers, shape.hidden, shape.inner, shape.keys) == ("llama", 3, 128, 344, 128)


def test_a_folder_that_tells_no_shape_is_named(tmp_path):
    with pytest.raises(NoShapeError, match=r"config\.json cannot be read"):
        shape_of(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"num_hidden_layers": 2, "hidden_size": 4, "vocab_size": 8}))
    with pytest.raises(NoShapeError, match="holds no"):
        shape_of(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", 10**12))
    with pytest.raises(NoShapeError, match="is no safetensors file"):
        shape_of(tmp_path)


@pytest.mark.parametrize(
    ("stage", "devices", "bytes_a_parameter"),
    # ZeRO (arXiv 1910.02054), figure 1: 7.5 billion parameters on 64 devices take 120, 31.4, 16.6 and 1.9 GB.
    [(0, 64, 120 / 7.5), (1, 64, 31.4 / 7.5), (2, 64, 16.6 / 7.5), (3, 64, 1.9 / 7.5)],
)
def test_states_are_those_of_the_zero_paper(stage, devices, bytes_a_parameter):
    from training.estimates import _paper

    parameters = 7_500_000_000
    found = _paper(parameters, parameters, Hyperparameters(zero_stage=stage), devices, True)
    assert found / parameters == pytest.approx(bytes_a_parameter, rel=0.02)


@pytest.mark.parametrize("offload", [False, True])
@pytest.mark.parametrize("devices", [1, 8])
def test_states_are_those_of_deepspeeds_own_estimator(offload, devices):
    from deepspeed.runtime.zero.stage_1_and_2 import estimate_zero2_model_states_mem_needs

    from training.estimates import _estimator

    theirs = estimate_zero2_model_states_mem_needs(
        total_params=SEVEN.parameters,
        num_gpus_per_node=devices,
        num_nodes=1,
        cpu_offload=offload,
        additional_buffer_factor=1.5,
    )[1]
    ours = _estimator(SEVEN.parameters, SEVEN.parameters, Hyperparameters(zero_stage=2, offload=offload), devices, True)
    assert ours == pytest.approx(theirs, rel=1e-6)


def test_the_memory_that_was_measured_is_within_a_tenth_of_the_estimate():
    """One H100, pieces of 10,581 tokens with Liger's kernels: 32,868,357,120 bytes at most.

    The gradients of the pieces were added up in bf16 then; fp32 takes two bytes a parameter more.
    """
    given = Hyperparameters(piece_tokens=10_581)
    found = memory_of(MEASURED, given, devices=1, bf16=True, answer_share=6545 / 21162, fused=True)
    assert found.total == pytest.approx(32_868_357_120 + 2 * MEASURED.parameters, rel=0.1)
    # 65,807 real tokens a second were 39.5% of the device's peak.
    rate = 65_807 * flops_of(MEASURED, tokens=19376, squares=6910126, answer_tokens=5686) / 19376
    assert rate / 989e12 == pytest.approx(0.395, abs=0.001)


def test_what_saves_memory_saves_it():
    def total(**more):
        return memory_of(SEVEN, Hyperparameters(**more), devices=8, bf16=True).total

    assert total(gradient_checkpointing=True) < total()
    assert total(piece_tokens=2048) < total()
    assert total(zero_stage=3, gradient_checkpointing=True) < total(gradient_checkpointing=True)
    assert total(lora=Lora(), gradient_checkpointing=True) < total(gradient_checkpointing=True)


@pytest.mark.django_db
def test_time_is_reckoned_from_what_ran_before(base_model, tmp_path):
    """This model's own run counts first, then its dry run, then how fast another model's operations were."""
    shutil.copytree(base_model, tmp_path / "other")
    judge_run = JudgeRun.objects.create(judge=factories.make_judge(), dataset=factories.make_dataset(purpose="train"))
    run = make_training_run(judge_run=judge_run, by=factories.make_user(), purpose="candidate")
    given = Hyperparameters(max_length=512, epochs=2)

    def estimated(folder):
        found = estimate_of(base_model=str(folder), hyperparameters=given, devices=1, samples=1000)
        return found.took, found.by

    assert estimated(base_model) == ("", "")
    # 4,000 tokens in half a second; samples of half their length make 512,000 in two epochs.
    TrainingRun.objects.update(base_model=str(base_model))
    assert estimated(base_model) == ("1 min 4 s", "as the newest run of this model went")
    StepMetric.objects.update(squares=4000 * 256, answer_tokens=1200)
    assert estimated(tmp_path / "other") == ("1 min 4 s", f"by its operations, as {run} did them on cpu")
    TrainingRun.objects.update(
        base_model=str(tmp_path / "other"),
        dry=True,
        hyperparameters=given.model_dump(),
        found={"dry": {"tokens": 1000, "seconds": 0.25}},
    )
    StepMetric.objects.all().delete()
    assert estimated(tmp_path / "other") == ("2 min 8 s", "as two steps of it took")


def test_disk_and_steps():
    given = Hyperparameters(epochs=2, global_batch=128)
    assert disk_of(SEVEN, given, bf16=True) == 2 * 2 * SEVEN.parameters + 2 * 14 * SEVEN.parameters
    assert steps_of(300_000, given) == 4688
