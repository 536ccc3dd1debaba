"""Packed or padded: both are tried on the same samples when a run begins, and the faster one is taken. Torch."""

import time
from dataclasses import replace

import torch

from training.script.batching import batches_of
from training.script.learner import Learner, looking
from training.script.pieces import Material

ROUNDS = 3
# Samples of each round: enough that the pieces are full, few enough to cost seconds.
PIECES = 2


def faster(learner: Learner, material: Material, *, tokens: int, seed: int, size: int) -> tuple[str, dict[str, object]]:
    """`packed` or `padded`, and real tokens a second of each. Leaves weights and gradients as they were.

    The first round warms up; of the others each form's best counts. size: the most samples to try with.
    """
    samples = material.samples
    mean = max(1, len(samples.ids) // len(samples))
    count = max(1, min(len(samples), size, PIECES * tokens // mean))
    batch = batches_of(len(samples), epoch=0, seed=seed, size=count)[0]
    real = sum(material.lengths[index] for index in batch)
    best = {"packed": 0.0, "padded": 0.0}
    for number in range(ROUNDS):
        for form in best:
            took = _time(learner, replace(material, packed=form == "packed"), batch, tokens)
            if number:
                best[form] = max(best[form], real / took)
    learner.zero_grad(set_to_none=True)
    chosen = max(best, key=best.__getitem__)
    return chosen, {"tokens_a_second": {form: round(rate, 1) for form, rate in best.items()}}


def _time(learner: Learner, material: Material, batch: list[int], tokens: int) -> float:
    pieces = material.cut(batch, world=1, tokens=tokens)
    started = time.perf_counter()
    for (piece,) in pieces:
        inputs = material.inputs(piece)
        with looking(inputs):
            learner(inputs).backward()
    if material.device.type == "cuda":
        torch.cuda.synchronize(material.device)
    return time.perf_counter() - started
