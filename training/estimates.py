"""What a training run needs, before it is started: memory on each device, disk, time. Pure.

States follow the two published forms for ZeRO, and the larger is taken: the paper's (Rajbhandari et al., 2020, arXiv
1910.02054, section 5: with K = 12 bytes a parameter for Adam in mixed precision) and that of DeepSpeed's own estimator
(deepspeed.runtime.zero.stage_1_and_2.estimate_zero2_model_states_mem_needs and its like for stage 3). Activations are
counted tensor by tensor as transformers' layers keep them for the way back; the constants were checked against
measurements (docs/benchmarks.md). A dry run replaces all of this by what it measured.
"""

from dataclasses import dataclass

from training.script.config import Hyperparameters
from training.shapes import Shape, flops_of

# DeepSpeed's reduce_bucket_size, in numbers.
BUCKET = 500_000_000
# Of tokens, those of answers, where nothing is known of them.
ANSWER_SHARE = 0.3


@dataclass(frozen=True)
class Memory:
    """Bytes on each device.

    states: weights, gradients and the optimizer's, by the larger of the two forms; they are all there when a step ends.
    held: those of them that are there while activations are, with the gradients of the pieces before, which are added
    up in fp32. The device needs whichever moment needs more.
    """

    states: int
    held: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        return max(self.states, self.held + self.activations + self.logits)


def memory_of(
    shape: Shape,
    given: Hyperparameters,
    *,
    devices: int,
    bf16: bool,
    answer_share: float = ANSWER_SHARE,
    fused: bool = False,
) -> Memory:
    """answer_share: of the tokens, those of answers, which alone are projected onto the vocabulary."""
    width = 2 if bf16 else 4
    if bf16 and given.zero_stage == 0:
        given = given.model_copy(update={"zero_stage": 1})  # training.script.config.deepspeed_config
    tokens = max(given.piece_tokens, given.max_length)
    trained = trained_parameters(shape, given)
    paper = _paper(shape.parameters, trained, given, devices, bf16)
    gradients = width * trained // (devices if given.zero_stage >= 2 else 1)
    bucket = width * min(BUCKET, trained) if given.zero_stage >= 1 else 0
    sums = 4 * trained // (devices if given.zero_stage >= 2 else 1)
    return Memory(
        states=max(paper, _estimator(shape.parameters, trained, given, devices, bf16)),
        # A piece's own gradients grow as its activations go; a bucket of them is on its way to the other devices.
        held=paper - gradients + bucket + sums,
        activations=tokens * _activations(shape, given, width=width, fused=fused),
        # The logits in the model's format, in fp32, their logarithm and their gradient.
        logits=int(tokens * answer_share) * shape.vocabulary * (width + 12),
    )


def trained_parameters(shape: Shape, given: Hyperparameters) -> int:
    """Of adapters on queries and values, or all."""
    if given.lora is None:
        return shape.parameters
    return shape.layers * given.lora.rank * (2 * shape.hidden + shape.hidden + shape.keys)


def _paper(all_: int, trained: int, given: Hyperparameters, devices: int, bf16: bool) -> int:
    """2 bytes a weight, 2 a gradient, 12 of the optimizer (4 less for SGD), each spread from its stage on."""
    weights, gradients = (2, 2) if bf16 else (4, 4)
    moments = 8 if given.optimizer == "adamw" else 4
    optimizer = moments + (4 if bf16 else 0)
    if given.offload:
        optimizer = 0
    stage = given.zero_stage
    return (
        weights * all_ // (devices if stage >= 3 else 1)
        + gradients * trained // (devices if stage >= 2 else 1)
        + optimizer * trained // (devices if stage >= 1 else 1)
    )


def _estimator(all_: int, trained: int, given: Hyperparameters, devices: int, bf16: bool) -> int:
    """DeepSpeed's, for Adam in mixed precision: 18 bytes a parameter over the devices, of which four are gradients in
    fp32, and before stage 3 the weights beside them on each. Stage 1 has the gradients on each too. Frozen parameters
    are two bytes each.
    """
    if given.zero_stage == 0 or not bf16 or given.optimizer != "adamw":
        return 0
    frozen = 2 * (all_ - trained)
    if given.zero_stage == 3:
        return ((2 if given.offload else 18) * trained + frozen) // devices
    if given.offload:
        return 2 * trained + frozen
    if given.zero_stage == 2:
        return 2 * trained + 18 * trained // devices + frozen
    return 4 * trained + 16 * trained // devices + frozen


def _activations(shape: Shape, given: Hyperparameters, *, width: int, fused: bool) -> int:
    """Bytes a token, through all layers: what each keeps for the way back."""
    hidden, inner = shape.hidden, shape.inner
    # A norm's input; transformers' own RMSNorm keeps it in fp32, and what came of it twice.
    norm = hidden * (8 + width) if shape.is_gated and not fused else hidden * width
    # Gate, up, their product and, unless it is computed again, the gate's activation; or what comes of a GELU's parts.
    forward = inner * width * (3 if fused and shape.is_gated else 4)
    # What the projections read; queries, keys and values spread over the heads; what attention gives, twice.
    attention = width * (hidden + 3 * hidden + 2 * hidden)
    layer = 2 * norm + width * hidden + attention + forward
    if given.gradient_checkpointing:
        # Each layer's input, and one layer at a time in full.
        return shape.layers * width * hidden + 2 * layer
    # On the way back one layer's gradients lie beside it.
    return (shape.layers + 1) * layer


def disk_of(shape: Shape, given: Hyperparameters, *, bf16: bool) -> int:
    """Bytes at most: the weights of every epoch, and two states, since the old one goes when the new one is whole."""
    width = 2 if bf16 else 4
    trained = trained_parameters(shape, given)
    moments = 8 if given.optimizer == "adamw" else 4
    state = width * trained + (moments + 4) * trained
    return given.epochs * width * shape.parameters + 2 * state


def steps_of(samples: int, given: Hyperparameters) -> int:
    return -(-samples // given.global_batch) * given.epochs


def tokens_of(samples: int, given: Hyperparameters) -> int:
    """Of an epoch, where nobody has counted them: samples that are half as long as they may be."""
    return samples * given.max_length // 2


def operations_of(shape: Shape, given: Hyperparameters, *, tokens: int) -> float:
    """FLOP of all epochs; a checkpointed run goes forward once more, which is a third on top."""
    lengths = given.max_length // 2
    once = flops_of(shape, tokens=tokens, squares=tokens * lengths, answer_tokens=int(tokens * ANSWER_SHARE))
    return once * given.epochs * (4 / 3 if given.gradient_checkpointing else 1)
