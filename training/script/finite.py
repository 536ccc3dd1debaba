"""Losses and gradients that are numbers. Torch."""

import math
from typing import Any

from torch.nn.utils import get_total_norm


class NotFiniteError(Exception):
    """The loss or the gradient is no number any more."""


def check_finite(what: str, value: float, step: int) -> None:
    if not math.isfinite(value):
        raise NotFiniteError(f"The {what} of step {step} is {value}.")


def whole_norm(engine: Any) -> float | None:
    """Of the gradients that wait for the step, where nothing is spread. Else DeepSpeed tells it after the step, which
    it leaves out where a gradient is no number.
    """
    if engine.zero_optimization():
        return None
    return float(get_total_norm([weight.grad for weight in engine.module.parameters() if weight.grad is not None]))
