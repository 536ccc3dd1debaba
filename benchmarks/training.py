"""Training against the reference's way on the same model, samples and machine, in one run.

    python benchmarks/training.py --pandalm FOLDER [--shape tiny|160m|1b] [--rounds 3] [--steps 6] [--samples 384]

FOLDER holds PandaLM's test set and GPT-3.5's verdicts on it (testset-v1.json, gpt-3.5-turbo-testset-v1.json): the pairs
in both orders with GPT-3.5's choice, reason and reference are the samples. A random LLaMA of the shape and a tokenizer
of the samples are made on the spot.

The reference's way is transformers' Trainer as PandaLM set it: batches of 2 padded to the longest, logits of all
tokens, gradients summed up to the global batch; once more with batches of 16. Tiebreak is training.script,
started by DeepSpeed's launcher: ZeRO-2, left to choose its form itself, and once held to padded pieces. All take the
same samples in the same order with the same optimizer and rates. In every round each way runs once, in random order.

Prints JSON: for each way real tokens a second (median of the steps after the first two), the median over the rounds of
the ratio to the reference's, memory on a GPU, seconds from launch to the first step, and the losses; `same_losses`
says by how much at most those of a step differ from the reference's.
"""

import argparse
import hashlib
import json
import os
import platform
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from training.estimates import memory_of  # noqa: E402
from training.script.config import Hyperparameters, RunConfig  # noqa: E402
from training.script.journal import Reader  # noqa: E402
from training.script.texts import judge_texts  # noqa: E402
from training.shapes import flops_of, shape_of  # noqa: E402

# hidden, inner, layers, heads, key heads
SHAPES = {
    "tiny": (128, 344, 3, 4, 4),
    "160m": (768, 2048, 24, 12, 12),
    "1b": (2048, 5632, 22, 32, 4),
}
VOCABULARY = {"tiny": 2048, "160m": 8192, "1b": 8192}
WARM = 2
WAYS = ("trainer, batches of 2", "trainer, batches of 16", "tiebreak", "tiebreak, padded")
REFERENCE = WAYS[0]


def main() -> None:
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="training-"))
    try:
        report = _compare(folder, options)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(f"{json.dumps(report, indent=2)}\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pandalm", type=Path, help="A folder with PandaLM's test set and GPT-3.5's verdicts.")
    parser.add_argument("--shape", choices=tuple(SHAPES), default="tiny")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--samples", type=int, default=384)
    parser.add_argument("--global-batch", type=int, default=64)
    parser.add_argument("--piece-tokens", type=int, default=4096)
    parser.add_argument("--max-length", type=int, default=1024)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--ways", default=",".join(map(str, range(len(WAYS)))), help="Numbers of the ways, by comma.")
    parser.add_argument("--gradient-checkpointing", action="store_true")
    parser.add_argument("--keep", action="store_true", help="Keep the folder with models and logs.")
    return parser.parse_args()


def _compare(folder: Path, options: argparse.Namespace) -> dict:
    rows = _rows(options.pandalm)
    random.Random(0).shuffle(rows)
    rows = (rows * (1 + options.samples // len(rows)))[: options.samples]
    snapshot = folder / "snapshot.jsonl"
    snapshot.write_text("".join(json.dumps(row) + "\n" for row in rows))
    _make_model(folder / "base", rows, options.shape)
    ways = [WAYS[int(number)] for number in options.ways.split(",")]
    told: dict[str, list[dict]] = {way: [] for way in ways}
    for round_ in range(options.rounds):
        order = list(ways)
        random.Random(round_).shuffle(order)
        for way in order:
            place = folder / f"{round_}-{WAYS.index(way)}"
            place.mkdir()
            config = _config(folder, options, way)
            (place / "config.json").write_text(config.model_dump_json())
            told[way].append(_run(place, way, options))
            rate = told[way][-1]["tokens_a_second"]
            sys.stderr.write(f"round {round_ + 1}: {way} {rate:.0f} real tokens/s\n")
    return _report(folder, options, told)


def _config(folder: Path, options: argparse.Namespace, way: str) -> RunConfig:
    epochs = -(-options.steps * options.global_batch // options.samples)
    return RunConfig(
        purpose="judge",
        base_model=str(folder / "base"),
        snapshot=str(folder / "snapshot.jsonl"),
        snapshot_sha256=hashlib.sha256((folder / "snapshot.jsonl").read_bytes()).hexdigest(),
        devices=options.devices,
        hyperparameters=Hyperparameters(
            learning_rate=1e-3 if options.shape == "tiny" else 1e-4,
            global_batch=options.global_batch,
            piece_tokens=options.piece_tokens,
            max_length=options.max_length,
            batching="padded" if way.endswith("padded") else "auto",
            epochs=epochs,
            warmup_ratio=0.0,
            gradient_checkpointing=options.gradient_checkpointing,
        ),
    )


# ---- what is learnt from


def _rows(folder: Path) -> list[dict]:
    """GPT-3.5's labels of the test set in both orders; rows without a label or with responses that are no texts not."""
    verdicts = {str(row["idx"]): row for row in json.loads((folder / "gpt-3.5-turbo-testset-v1.json").read_text())}
    rows = []
    for row in json.loads((folder / "testset-v1.json").read_text()):
        said = verdicts.get(str(row["idx"]), {})
        choice = {"1": 1, "2": 2, "Tie": 0, "tie": 0}.get(str(_first(said, "gpt_result", "evaluation_result")))
        texts = (row["response1"], row["response2"])
        if choice is None or not all(isinstance(text, str) for text in texts):
            continue
        for swapped in (False, True):
            first, second = texts[::-1] if swapped else texts
            shown = (0, 2, 1)[choice] if swapped else choice
            rows.append(
                {
                    "instruction": row["instruction"],
                    "input": row["input"],
                    "response_1": first,
                    "response_2": second,
                    "choice": shown,
                    "reason": str(_first(said, "gpt_reason", "evaluation_reason")),
                    "reference": str(_first(said, "gpt_reference", "reference_response")),
                }
            )
    return rows


def _first(row: dict, *names: str) -> object:
    return next((row[name] for name in names if name in row), "")


def _make_model(folder: Path, rows: list[dict], shape: str) -> None:
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    if not torch.cuda.is_available():
        # Else DeepSpeed, which transformers imports, says on the standard output what it found.
        os.environ["DS_ACCELERATOR"] = "cpu"
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY[shape],
        special_tokens=["<s>", "</s>", "[PAD]"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(("".join(judge_texts(row)) for row in rows), trainer)
    core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", pad_token="[PAD]", model_max_length=4096
    )
    tokenizer.save_pretrained(folder)
    hidden, inner, layers, heads, keys = SHAPES[shape]
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=VOCABULARY[shape],
                hidden_size=hidden,
                intermediate_size=inner,
                num_hidden_layers=layers,
                num_attention_heads=heads,
                num_key_value_heads=keys,
                max_position_embeddings=4096,
                tie_word_embeddings=False,
                bos_token_id=0,
                eos_token_id=1,
                pad_token_id=2,
            )
        )
    model.save_pretrained(folder)


# ---- the two


def _run(place: Path, way: str, options: argparse.Namespace) -> dict:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    if way.startswith("trainer"):
        batch = way.rpartition(" ")[2]
        script = Path(__file__).with_name("training_reference.py")
        command = [sys.executable, str(script), str(place), batch]
    else:
        import torch

        if not torch.cuda.is_available():
            environment |= {"DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": str(max(1, os.cpu_count() // options.devices))}
        command = [sys.executable, "-m", "deepspeed.launcher.runner", "--num_gpus", str(options.devices)]
        command += ["--master_port", "29631", "--no_local_rank", "--module", "training.script", str(place)]
    started = time.time()
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
        _wait_for_steps(process, place, options.steps)
    told = list(Reader(place).lines())
    steps = [line for line in told if line["kind"] == "step"][: options.steps]
    if len(steps) < options.steps:
        raise SystemExit(f"{way} ended after {len(steps)} steps:\n{(place / 'log').read_text()[-3000:]}")
    late = steps[WARM:]
    return {
        "tokens_a_second": statistics.median(step["tokens"] / step["seconds"] for step in late),
        "steps": steps,
        "first_step_after": round(steps[0]["at"] - started, 2),
        "memory": max(step["memory"] or 0 for step in steps),
        "told": {line["kind"]: line for line in told if line["kind"] in {"choice", "started", "kernels"}},
    }


def _wait_for_steps(process: subprocess.Popen, place: Path, wanted: int) -> None:
    """End it when it has done what is measured; what it would save is of no use."""
    reader, seen = Reader(place), 0
    while process.poll() is None and seen < wanted:
        time.sleep(0.2)
        seen += sum(line["kind"] == "step" for line in reader.lines())
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


# ---- what came out


def _report(folder: Path, options: argparse.Namespace, told: dict[str, list[dict]]) -> dict:
    shape = shape_of(folder / "base")
    reference = told.get(REFERENCE) or next(iter(told.values()))
    found = {}
    for way, runs in told.items():
        ratios = sorted(
            mine["tokens_a_second"] / theirs["tokens_a_second"] for mine, theirs in zip(runs, reference, strict=True)
        )
        losses = [step["loss"] for step in runs[0]["steps"]]
        found[way] = {
            "tokens_a_second": round(statistics.median(run["tokens_a_second"] for run in runs)),
            "ratio": {
                "median": round(statistics.median(ratios), 2),
                "low": round(ratios[0], 2),
                "high": round(ratios[-1], 2),
            },
            "first_step_after": statistics.median(run["first_step_after"] for run in runs),
            "memory": max(run["memory"] for run in runs) or None,
            "losses": [round(loss, 5) for loss in losses],
            "same_losses": max(
                abs(mine - theirs["loss"]) for mine, theirs in zip(losses, reference[0]["steps"], strict=True)
            ),
            "told": runs[0]["told"],
        }
        peak = runs[0]["told"].get("started", {}).get("hardware", {}).get("peak")
        if peak:
            found[way]["mfu"] = [
                round(
                    statistics.median(
                        flops_of(
                            shape,
                            tokens=step["tokens"],
                            squares=step["squares"],
                            answer_tokens=step["answer_tokens"],
                        )
                        / step["seconds"]
                        / peak
                        / options.devices
                        for step in run["steps"][WARM:]
                    ),
                    3,
                )
                for run in runs
            ]
            config = _config(folder, options, way)
            found[way]["estimated_memory"] = memory_of(
                shape,
                config.hyperparameters,
                devices=options.devices,
                bf16=True,
                answer_share=_answer_share(runs[0]["steps"]),
            ).total
    return {
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
        "model": {"shape": options.shape, "parameters": shape.parameters, "body": shape.body},
        "samples": options.samples,
        "global_batch": options.global_batch,
        "piece_tokens": options.piece_tokens,
        "rounds": options.rounds,
        "ways": found,
    }


def _answer_share(steps: list[dict]) -> float:
    return sum(step["answer_tokens"] for step in steps) / sum(step["tokens"] for step in steps)


if __name__ == "__main__":
    main()
