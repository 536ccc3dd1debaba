"""python -m tests.training.adding: what DeepSpeed makes of gradients and weights in bf16 as it is told to work. JSON.

One process, one weight for each stage of ZeRO. Many small gradients behind a large one are lost in bf16, which has
eight bits, and so is a small step of a weight.
"""

import json
import os
import sys

import deepspeed
import deepspeed.ops
import torch
import torch.distributed as dist

from training.script.config import Hyperparameters, deepspeed_config

deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
PIECES = [256.0] + [1.0] * 64
STEPS = 50


class Weight(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1, 1, dtype=torch.bfloat16))

    def forward(self, slope: float) -> torch.Tensor:
        return (self.weight * slope).float().sum()


def engine_of(stage: int, *, rate: float):
    model = Weight()
    optimizer = torch.optim.SGD([{"params": [model.weight]}], lr=rate)
    config = deepspeed_config(Hyperparameters(zero_stage=stage, gradient_clipping=0), bf16=True)
    return deepspeed.initialize(model=model, optimizer=optimizer, config=config, dist_init_required=False)[0]


def norm_of(stage: int) -> float:
    """Of the sum of many pieces' gradients."""
    engine = engine_of(stage, rate=1e-9)
    for number, slope in enumerate(PIECES, 1):
        engine.set_gradient_accumulation_boundary(number == len(PIECES))
        engine.backward(engine(slope))
        engine.step()
    return float(engine.get_global_grad_norm())


def weight_after(stage: int) -> float:
    """Steps of a ten thousandth each."""
    engine = engine_of(stage, rate=1e-4)
    for _ in range(STEPS):
        engine.set_gradient_accumulation_boundary(True)
        engine.backward(engine(1.0))
        engine.step()
    with deepspeed.zero.GatheredParameters(list(engine.module.parameters()), enabled=stage == 3):
        return float(engine.module.weight)


def main() -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}
    dist.init_process_group("gloo")
    found = {stage: {"norm": norm_of(stage), "weight": weight_after(stage)} for stage in range(4)}
    dist.destroy_process_group()
    sys.stdout.write(f"\n{json.dumps(found)}\n")


if __name__ == "__main__":
    main()
