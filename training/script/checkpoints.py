"""Saving a run and going on with it. Torch.

state: what a run goes on from, by DeepSpeed, a part of it by every process. weights: a checkpoint that any reader of
transformers' format can load: safetensors, tokenizer, generation settings.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from training.script.saved import (
    STATE,
    WEIGHTS,
    DiskFullError,
    is_disk_full,
    keep_newest_state,
    partial_of,
    seal,
    state_for,
    step_folder,
)

TAG = "parts"


def save_state(engine: Any, folder: Path, *, step: int, epoch: int, world: int, rank: int) -> int:
    """Called by all processes: bytes, in rank 0. Raises DiskFullError, and then the states before are still there."""
    path = step_folder(folder, step) / STATE
    with _writing(path, rank):
        engine.save_checkpoint(str(partial_of(path)), tag=TAG, exclude_frozen_parameters=True)
    size = 0
    if rank == 0:
        size = seal(path, step=step, epoch=epoch, world_size=world)
        keep_newest_state(folder)
    dist.barrier()
    return size


def load_state(engine: Any, folder: Path, *, world: int) -> tuple[int, int] | None:
    """(step, epoch) that were done; None where nothing was saved. Raises WorldSizeError."""
    found = state_for(folder, world=world)
    # A folder may be read while its owner tidies up.
    dist.barrier()
    if found is None:
        return None
    step, path, manifest = found
    where, _ = engine.load_checkpoint(str(path), tag=TAG, load_module_strict=False)
    if where is None:
        raise RuntimeError(f"DeepSpeed could not read {path}.")
    return step, int(manifest["epoch"])


def save_weights(
    engine: Any,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    *,
    step: int,
    epoch: int,
    rank: int,
    generation: GenerationConfig,
) -> int:
    """Called by all processes: bytes, in rank 0. Adapters are merged into the weights that they belong to."""
    path = step_folder(folder, step) / WEIGHTS
    model: PreTrainedModel = engine.module.model
    size = 0
    with _writing(path, rank), _gathered(model, engine.zero_optimization_stage() == 3):
        if rank == 0:
            draft = partial_of(path)
            before = model.generation_config
            model.generation_config = generation
            model.save_pretrained(draft, state_dict=_merged(model), safe_serialization=True)
            model.generation_config = before
            tokenizer.save_pretrained(draft)
            # The weights come out readable by their owner alone, and workers may be another user.
            for file in draft.iterdir():
                file.chmod(0o644)
            size = seal(path, step=step, epoch=epoch)
    dist.barrier()
    return size


@contextmanager
def _writing(path: Path, rank: int) -> Iterator[None]:
    draft = partial_of(path)
    try:
        if rank == 0:
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
        dist.barrier()
        yield
        dist.barrier()
    except Exception as error:
        if is_disk_full(error):
            shutil.rmtree(draft, ignore_errors=True)
            raise DiskFullError(f"There is no room for {path.parent.name}/{path.name}: {error}") from error
        raise


@contextmanager
def _gathered(model: PreTrainedModel, spread: bool) -> Iterator[None]:
    if not spread:
        yield
        return
    import deepspeed

    with deepspeed.zero.GatheredParameters(list(model.parameters()), modifier_rank=None):
        yield


@torch.no_grad()
def _merged(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """The weights under the names that the architecture knows, adapters added to what they adapt."""
    state: dict[str, torch.Tensor] = {}
    copies: dict[int, torch.Tensor] = {}
    adapted = {
        name: module for name, module in model.named_modules() if hasattr(module, "get_delta_weight") and module.lora_A
    }
    for name, tensor in model.state_dict().items():
        if ".lora_" in name:
            continue
        owner, _, rest = name.partition(".base_layer.")
        if rest == "weight" and owner in adapted:
            delta = adapted[owner].get_delta_weight("default")
            tensor = (tensor.float() + delta.float()).to(tensor.dtype)
        # What is tied stays one tensor.
        at = tensor.data_ptr()
        copies.setdefault(at, tensor.detach().cpu())
        state[f"{owner}.{rest}" if rest else name] = copies[at]
    return state
