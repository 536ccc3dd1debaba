"""What a training run is asked to do: validated before anything is queued, frozen in config.json, read by the script.

Defaults of a judge are those of PandaLM (arXiv 2306.05087, section 3 and its published code).
"""

from math import ceil, cos, pi
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Purpose = Literal["judge", "candidate"]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Lora(Frozen):
    """Low-rank adapters (arXiv 2106.09685) instead of all weights."""

    rank: int = Field(8, ge=1, le=512, description="Rank of the adapters.")
    alpha: int = Field(16, ge=1, le=1024, description="The adapters' weight is alpha / rank.")
    dropout: float = Field(0.05, ge=0, lt=1, description="Share of the adapters' inputs that is dropped.")


class Hyperparameters(Frozen):
    """How a model is trained. Every field has a sensible value, and a word on what it does."""

    optimizer: Literal["adamw", "sgd"] = Field("adamw", description="AdamW (0.9, 0.999), or SGD with momentum 0.9.")
    learning_rate: float = Field(2e-5, gt=0, le=1, description="At its highest, after the warm-up.")
    schedule: Literal["cosine", "linear", "constant"] = Field("cosine", description="How it falls after the warm-up.")
    warmup_ratio: float = Field(0.03, ge=0, lt=1, description="Share of the steps in which it rises from 0.")
    weight_decay: float = Field(0.0, ge=0, le=1, description="Not on biases and norms.")
    gradient_clipping: float = Field(1.0, ge=0, le=1000, description="The gradient's largest norm; 0 clips nothing.")
    epochs: int = Field(2, ge=1, le=100, description="How often each sample is learnt from.")
    global_batch: int = Field(128, ge=1, le=65536, description="Samples in a step, over all devices.")
    piece_tokens: int = Field(
        8192, ge=64, le=2**20, description="Tokens that go through the model at once on a device: what memory allows."
    )
    max_length: int = Field(
        1024,
        ge=32,
        le=131072,
        description="Tokens of a sample; what is longer loses its end; one whose prompt fills them is left out.",
    )
    batching: Literal["auto", "packed", "padded"] = Field(
        "auto", description="Packed: samples lie in one row, without padding. Auto: whichever is faster at the start."
    )
    precision: Literal["auto", "bf16", "fp32"] = Field("auto", description="Auto: bf16 on GPUs that have it.")
    zero_stage: Literal[0, 1, 2, 3] = Field(
        2, description="What DeepSpeed's ZeRO spreads over the devices. In bf16 there is no 0: it becomes 1."
    )
    offload: bool = Field(False, description="Keep the optimizer's state in the machine's memory.")
    gradient_checkpointing: bool = Field(False, description="Compute activations twice rather than keep them.")
    lora: Lora | None = Field(None, description="Adapters instead of all weights.")
    fused_kernels: Literal["auto", "off"] = Field("auto", description="Auto: Liger's kernels, where a GPU has them.")
    choice_weight: float = Field(
        1.0, ge=0, le=1000, description="Of the token that decides; each other token of the answer weighs 1."
    )
    checkpoint_steps: int = Field(
        0, ge=0, description="Save what a killed run goes on from after so many steps too; 0: after epochs alone."
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Of the order of samples and of what is dropped.")

    @model_validator(mode="after")
    def fit_together(self) -> "Hyperparameters":
        if self.piece_tokens < self.max_length:
            raise ValueError(
                f"piece_tokens ({self.piece_tokens}) must hold the longest sample: at least max_length "
                f"({self.max_length})."
            )
        if self.zero_stage == 3 and self.lora:
            raise ValueError("Adapters are small: train them with zero_stage 0, 1 or 2.")
        if self.offload and self.zero_stage == 0:
            raise ValueError("offload moves what ZeRO manages: choose zero_stage 1, 2 or 3.")
        return self


class Examination(Frozen):
    """Pairs that a judge is asked about at each checkpoint. path: JSON Lines of the samples' form, with `pair`."""

    dataset: str
    path: str


class RunConfig(Frozen):
    """All that a run's processes know. Paths are absolute.

    revision: of a hub id. devices: how many processes. dry_steps: measure so many steps at full length and stop.
    """

    purpose: Purpose
    base_model: str
    revision: str = ""
    snapshot: str
    snapshot_sha256: str
    held_out: str | None = None
    examinations: list[Examination] = []
    hyperparameters: Hyperparameters = Hyperparameters()
    devices: int = Field(1, ge=1, le=1024)
    dry_steps: int = Field(0, ge=0, le=100)

    @classmethod
    def read(cls, folder: Path) -> "RunConfig":
        return cls.model_validate_json((folder / "config.json").read_text())


def deepspeed_config(given: Hyperparameters, *, bf16: bool) -> dict[str, object]:
    """DeepSpeed's configuration. The script cuts steps into pieces itself, so DeepSpeed is told of pieces of one."""
    # Without ZeRO DeepSpeed would add the gradients of a step's pieces up in bf16, where small ones are lost.
    stage = max(1, given.zero_stage) if bf16 else given.zero_stage
    zero: dict[str, object] = {"stage": stage}
    if stage in {1, 2}:
        zero |= {"contiguous_gradients": True, "overlap_comm": False}
    if given.offload:
        zero["offload_optimizer"] = {"device": "cpu"}
        if given.zero_stage == 3:
            zero["offload_param"] = {"device": "cpu"}
    config: dict[str, object] = {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": given.gradient_clipping,
        "zero_optimization": zero,
        # The optimizer is torch's own, so that nothing has to be compiled at the first start.
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 2**31,
        "wall_clock_breakdown": False,
    }
    if bf16:
        config["bf16"] = {"enabled": True}
        config["data_types"] = {"grad_accum_dtype": "fp32"}
    return config


def rate_at(step: int, *, steps: int, given: Hyperparameters) -> float:
    """The learning rate of step 1..steps: up in a line during the warm-up, then down to 0 as the schedule says.

    As transformers' schedules: the first step of a run without warm-up has the full rate.
    """
    warm = ceil(given.warmup_ratio * steps)
    done = step - 1
    if done < warm:
        return given.learning_rate * done / warm
    if given.schedule == "constant":
        return given.learning_rate
    share = (done - warm) / max(1, steps - warm)
    return given.learning_rate * (0.5 * (1 + cos(pi * share)) if given.schedule == "cosine" else 1 - share)
