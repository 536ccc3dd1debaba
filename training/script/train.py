"""Trains a judge or a candidate, in one process a device: see training.script.__main__.

Imports torch and no Django. It reads from top to bottom: the processes, the texts, the model, the engine, the steps.
FOLDER holds config.json; what becomes of the run is written there too (training.script.journal), and its checkpoints.
It goes on from the newest whole state that it finds. A file called `stop`, or TERM, makes it save and end with 0.
"""

import hashlib
import math
import os
import platform
import signal
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import deepspeed
import deepspeed.ops
import numpy as np
import torch
import torch.distributed as dist
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from judging.backends import packed
from judging.backends.checkpoints import find_checkpoint
from judging.backends.loading import load_model, load_tokenizer, pad_of
from judging.backends.spellings import Encode, find_spellings
from judging.prompts.built_in import PANDALM_WORDS, pandalm_prompt
from training.script import choosing
from training.script.batching import batches_of
from training.script.checkpoints import load_state, save_state, save_weights
from training.script.config import Hyperparameters, Lora, RunConfig, deepspeed_config, rate_at
from training.script.devices import Device, compute_activations_anew, fused_kernels, the_device
from training.script.examining import Examiner, held_out_loss
from training.script.finite import check_finite, whole_norm
from training.script.journal import Journal
from training.script.learner import Learner, looking
from training.script.pieces import Material, Weights
from training.script.saved import STATE, WEIGHTS
from training.script.texts import Samples, read_rows, tokenise

# Nothing is compiled for the sake of CPUs: the first start would take minutes.
deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False

# Of one process for another. Whether a run hangs is for its supervisor to say (TRAINING_SILENCE_SECONDS): others wait
# while the first one counts the tokens of a large snapshot or a disk takes its time.
LONGEST_WAIT = timedelta(hours=12)
LIBRARIES = ("torch", "transformers", "deepspeed", "peft", "tokenizers", "numpy")


class SnapshotChangedError(Exception):
    """The file is not the one that the run was made for."""


@dataclass
class Run:
    """stopping: TERM came. rank, world: this process and how many there are."""

    folder: Path
    config: RunConfig
    journal: Journal
    rank: int
    world: int
    device: Device
    stopping: bool = False

    @property
    def given(self) -> Hyperparameters:
        return self.config.hyperparameters

    def stop(self, *_: object) -> None:
        self.stopping = True


def run_in(place: str) -> int:
    folder = Path(place)
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    journal = Journal(folder, rank=rank)
    try:
        config = RunConfig.read(folder)
        run = Run(folder, config, journal, rank, world, the_device(config.hyperparameters.precision))
        signal.signal(signal.SIGTERM, run.stop)
        torch.manual_seed(run.given.seed)
        dist.init_process_group(run.device.backend, timeout=LONGEST_WAIT)
        train(run)
    except BaseException as error:
        journal.fail(error)
        raise
    dist.destroy_process_group()
    return 0


def train(run: Run) -> None:
    tell_what_there_is(run)
    tokenizer = load_tokenizer(find_checkpoint(model=run.config.base_model, revision=run.config.revision))
    encode: Encode = lambda texts: tokenizer(list(texts), split_special_tokens=True).input_ids  # noqa: E731
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    read = partial(tokens_of, run, encode, end)
    samples = read("snapshot", Path(run.config.snapshot), sha256=run.config.snapshot_sha256)
    held_out = read("held-out", Path(run.config.held_out)) if run.config.held_out else None

    spellings = weights = None
    if run.config.purpose == "judge":
        spellings = find_spellings(
            encode, prompt=pandalm_prompt, words={choice: (word,) for choice, word in PANDALM_WORDS.items()}
        )
        weights = Weights(run.given.choice_weight, len(spellings.lead))
    model = model_of(run)
    learner = Learner(model)
    material = Material(samples, weights or Weights(), False, pad_of(tokenizer), run.device.device)
    material = replace(material, packed=is_to_be_packed(run, learner, material))
    engine = engine_of(run, learner)
    if run.config.dry_steps:
        dry_run(run, engine, material)
        return
    examiner = None
    if spellings and run.config.examinations:
        examiner = Examiner(model, tokenizer, spellings, run.config, pad=material.pad, rank=run.rank, world=run.world)

    look = partial(look_at, run, engine, examiner, replace(material, samples=held_out) if held_out else None)
    step, epoch = load_state(engine, run.folder, world=run.world) or (0, 0)
    per_epoch = math.ceil(len(samples) / run.given.global_batch)
    steps = per_epoch * run.given.epochs
    run.journal.tell("begin", step=step, steps=steps, epochs=run.given.epochs)
    if epoch and step == epoch * per_epoch:
        look(step=step, epoch=epoch)  # The attempt before may have been killed meanwhile.
    while epoch < run.given.epochs:
        batches = batches_of(len(samples), epoch=epoch, seed=run.given.seed, size=run.given.global_batch)
        for batch in batches[step - epoch * per_epoch :]:
            step += 1
            take_step(run, engine, material, batch, step=step, steps=steps)
            if step == (epoch + 1) * per_epoch:
                break
            stopping = is_asked_to_stop(run)
            if stopping or (run.given.checkpoint_steps and step % run.given.checkpoint_steps == 0):
                keep_state(run, engine, step=step, epoch=epoch)
            if stopping:
                run.journal.tell("stopped", step=step)
                return
        epoch += 1
        keep_weights(run, engine, tokenizer, material.pad, step=step, epoch=epoch)
        keep_state(run, engine, step=step, epoch=epoch)
        look(step=step, epoch=epoch)
        if epoch < run.given.epochs and is_asked_to_stop(run):
            run.journal.tell("stopped", step=step)
            return
    run.journal.tell("done", step=step)


# ---- what there is


def tell_what_there_is(run: Run) -> None:
    run.journal.tell(
        "started",
        world=run.world,
        hardware=run.device.told(),
        python=platform.python_version(),
        libraries={name: version(name) for name in LIBRARIES},
        cpus=os.cpu_count(),
        threads=torch.get_num_threads(),
    )


def tokens_of(run: Run, encode: Encode, end: list[int], name: str, path: Path, *, sha256: str | None = None) -> Samples:
    """Tokenised once, by rank 0, and kept: an attempt that goes on reads what the first one learnt from."""
    kept = run.folder / f"{name}.npz"
    if run.rank == 0 and not kept.exists():
        if sha256 is not None:
            check_snapshot(path, sha256)
        samples = tokenise(
            read_rows(path),
            purpose=run.config.purpose,
            encode=encode,
            end=end,
            max_length=run.given.max_length,
            tell=run.journal.beat,
        )
        draft = kept.with_name(f"draft-{kept.name}")
        samples.save(draft)
        draft.rename(kept)
        run.journal.tell(
            "tokens", of=name, samples=len(samples), tokens=len(samples.ids), cut=samples.cut, dropped=samples.dropped
        )
    dist.barrier()
    return Samples.load(kept)


def check_snapshot(path: Path, sha256: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise SnapshotChangedError(
            f"{path} has changed since the run was made: its hash is {found[:12]}, the run's is {sha256[:12]}. "
            "Put the file back, or make a new snapshot and a run of it."
        )


def model_of(run: Run) -> PreTrainedModel:
    found = find_checkpoint(model=run.config.base_model, revision=run.config.revision)
    model = load_model(found, dtype=run.device.dtype)
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if positions and positions < run.given.max_length:
        raise ValueError(f"The model takes {positions} tokens: choose a max_length of at most that.")
    if run.given.lora:
        put_adapters(model, run.given.lora)
    if run.given.gradient_checkpointing:
        compute_activations_anew(model)
    if run.given.fused_kernels == "auto" and fused_kernels(model, run.device):
        run.journal.tell("kernels", fused=True)
    model.to(run.device.device)
    return model.train()


def put_adapters(model: PreTrainedModel, lora: Lora) -> None:
    # Here, because it takes as long to load as all else together.
    from peft import LoraConfig, inject_adapter_in_model

    how = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, task_type="CAUSAL_LM")
    inject_adapter_in_model(how, model)


def is_to_be_packed(run: Run, learner: Learner, material: Material) -> bool:
    """Measured once by rank 0, kept beside the run, and so the same for every attempt."""
    can = not drops_attention(learner.model) and packed.takes_packs(learner.model)
    if run.given.batching == "packed" and not can:
        raise ValueError("This model's attention cannot be packed: choose padded, or auto.")
    kept = run.folder / "batching"
    if run.rank == 0 and not kept.exists():
        told: dict[str, object] = {}
        chosen = run.given.batching if run.given.batching != "auto" else "padded"
        if run.given.batching == "auto" and can:
            chosen, told = choosing.faster(
                learner,
                material,
                tokens=run.given.piece_tokens,
                seed=run.given.seed,
                size=run.given.global_batch,
            )
        kept.write_text(chosen)
        run.journal.tell("choice", batching=chosen, can_pack=can, **told)
    dist.barrier()
    return kept.read_text() == "packed"


def drops_attention(model: PreTrainedModel) -> bool:
    """Whether attention is dropped at random in training, which rows of packed samples cannot do."""
    config = model.config.get_text_config()
    return any(getattr(config, name, 0) for name in ("attention_dropout", "attn_pdrop", "attn_dropout"))


def engine_of(run: Run, learner: Learner) -> Any:
    trained = [weight for weight in learner.parameters() if weight.requires_grad]
    # Biases and the weights of norms are vectors; to let them decay helps nobody.
    groups = [
        {"params": [weight for weight in trained if weight.ndim > 1], "weight_decay": run.given.weight_decay},
        {"params": [weight for weight in trained if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    optimizer: torch.optim.Optimizer
    if run.given.optimizer == "sgd":
        optimizer = torch.optim.SGD(groups, lr=run.given.learning_rate, momentum=0.9)
    else:
        fused = run.device.is_gpu and not run.given.offload
        optimizer = torch.optim.AdamW(groups, lr=run.given.learning_rate, betas=(0.9, 0.999), eps=1e-8, fused=fused)
    engine, *_ = deepspeed.initialize(
        model=learner,
        optimizer=optimizer,
        config=deepspeed_config(run.given, bf16=run.device.dtype == torch.bfloat16),
        dist_init_required=False,
    )
    return engine


# ---- the steps


def take_step(run: Run, engine: Any, material: Material, batch: list[int], *, step: int, steps: int) -> None:
    """One change of the weights. The loss is the mean over the answers' tokens of all the step's samples, in which a
    token counts by what its sample weighs.
    """
    started = time.perf_counter()
    # What is dropped follows from the step, so a run that goes on drops what it would have dropped.
    torch.manual_seed(hash((run.given.seed, step, run.rank)) % 2**63)
    rate = rate_at(step, steps=steps, given=run.given)
    for group in engine.optimizer.param_groups:
        group["lr"] = rate
    rounds = material.cut(batch, world=run.world, tokens=run.given.piece_tokens)
    total = float(material.heavy[batch].sum())
    loss = torch.zeros((), device=run.device.device)
    for number, pieces in enumerate(rounds, 1):
        engine.set_gradient_accumulation_boundary(number == len(rounds))
        inputs = material.inputs(pieces[run.rank])
        with looking(inputs):
            part = engine(inputs)
            loss += part.detach()
            # DeepSpeed takes the mean over the processes; this makes it the sum.
            engine.backward(part * (run.world / total))
        if number == len(rounds):
            dist.all_reduce(loss)
            check_finite("loss", float(loss), step)
            whole = whole_norm(engine)
            check_finite("gradient", whole or 0.0, step)
        engine.step()
    norm = float(engine.get_global_grad_norm()) if whole is None else whole
    check_finite("gradient", norm, step)
    run.device.wait()
    lengths = material.samples.lengths[batch]
    run.journal.tell(
        "step",
        step=step,
        steps=steps,
        epoch=round(step / steps * run.given.epochs, 4),
        loss=float(loss) / total,
        learning_rate=rate,
        gradient_norm=norm,
        samples=len(batch),
        tokens=int(lengths.sum()),
        squares=int((lengths.astype(np.int64) ** 2).sum()),
        answer_tokens=int((lengths - material.samples.begins[batch]).sum()),
        rounds=len(rounds),
        seconds=round(time.perf_counter() - started, 6),
        memory=run.device.peak(),
    )


def is_asked_to_stop(run: Run) -> bool:
    """Of all processes alike, whichever of them was told."""
    told = torch.tensor([int(run.stopping or run.journal.is_asked_to_stop)])
    dist.all_reduce(told, op=dist.ReduceOp.MAX)
    return bool(told)


def keep_state(run: Run, engine: Any, *, step: int, epoch: int) -> None:
    started = time.perf_counter()
    size = save_state(engine, run.folder, step=step, epoch=epoch, world=run.world, rank=run.rank)
    tell_of_checkpoint(run, STATE, started, size, step=step, epoch=epoch)


def keep_weights(run: Run, engine: Any, tokenizer: PreTrainedTokenizerBase, pad: int, *, step: int, epoch: int) -> None:
    started = time.perf_counter()
    size = save_weights(
        engine,
        tokenizer,
        run.folder,
        step=step,
        epoch=epoch,
        rank=run.rank,
        generation=GenerationConfig(do_sample=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=pad),
    )
    tell_of_checkpoint(run, WEIGHTS, started, size, step=step, epoch=epoch)


def tell_of_checkpoint(run: Run, part: str, started: float, size: int, *, step: int, epoch: int) -> None:
    seconds = round(time.perf_counter() - started, 3)
    run.journal.tell("checkpoint", part=part, step=step, epoch=epoch, bytes=size, seconds=seconds)


def look_at(
    run: Run, engine: Any, examiner: Examiner | None, held_out: Material | None, *, step: int, epoch: int
) -> None:
    """What the weights of an epoch's end are worth, on what they did not learn from."""
    if held_out is not None:
        loss = held_out_loss(engine.module, held_out, tokens=run.given.piece_tokens, rank=run.rank, world=run.world)
        run.journal.tell("held_out", step=step, epoch=epoch, loss=loss, samples=len(held_out.samples))
    for each in run.config.examinations if examiner else []:
        answers = examiner.examine(each.dataset)
        written = examiner.write_some(each.dataset) if run.given.zero_stage < 3 else []
        run.journal.tell("examination", step=step, epoch=epoch, dataset=each.dataset, answers=answers, written=written)


def dry_run(run: Run, engine: Any, material: Material) -> None:
    """Steps of the greatest size that may come: full pieces of the longest samples. What they take is told."""
    length = run.given.max_length
    rows = max(1, run.given.piece_tokens // length)
    # With a second piece the gradients of the first lie beside its activations.
    pieces = 2 if run.given.global_batch > rows * run.world else 1
    ids = np.resize(material.samples.ids, length * rows)
    full = replace(
        material, samples=Samples(ids, np.arange(1, rows + 1) * length, np.full(rows, length // 2), cut=0, dropped=0)
    )
    for number in range(1, run.config.dry_steps + 1):
        started = time.perf_counter()
        for piece in range(1, pieces + 1):
            engine.set_gradient_accumulation_boundary(piece == pieces)
            inputs = full.inputs(range(rows))
            with looking(inputs):
                engine.backward(engine(inputs) / float(full.heavy.sum()))
            engine.step()
        run.device.wait()
        seconds = round(time.perf_counter() - started, 6)
        run.journal.tell(
            "dry", step=number, tokens=length * rows * pieces * run.world, seconds=seconds, memory=run.device.peak()
        )
