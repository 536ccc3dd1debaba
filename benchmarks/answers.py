"""A candidate's answers against transformers' own generation, one prompt at a time, on the same model in one run.

    python benchmarks/answers.py --pandalm FOLDER [--shape tiny] [--room 48] [--prompts 170] [--some 12] [--rounds 3]

FOLDER holds PandaLM's test set; its prompts are answered in Alpaca's format by a random LLaMA made on the spot, four
beams, penalty 1.2, `room` new tokens at most. The reference answers `some` of them, drawn by seed, and its time is
scaled. Prints JSON: prompts a second of both, the ratio (median, lowest, highest over the rounds), and how many of the
reference's answers are the same text.
"""

import argparse
import importlib.util
import json
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django  # noqa: E402

django.setup()

import torch  # noqa: E402
from transformers import GenerationConfig  # noqa: E402

from training.alpaca import alpaca_prompt  # noqa: E402
from training.generating import BEAMS, PENALTY, Writer  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pandalm", type=Path, required=True)
    parser.add_argument("--shape", default="tiny")
    parser.add_argument("--room", type=int, default=48)
    parser.add_argument("--prompts", type=int, default=170)
    parser.add_argument("--some", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found = importlib.util.spec_from_file_location("training_benchmark", Path(__file__).with_name("training.py"))
    assert found is not None
    assert found.loader is not None
    made = importlib.util.module_from_spec(found)
    found.loader.exec_module(made)

    rows = made._rows(options.pandalm)
    texts = sorted({alpaca_prompt(instruction=row["instruction"], input=row["input"]) for row in rows})
    texts = texts[: options.prompts]
    some = random.Random(0).sample(range(len(texts)), min(options.some, len(texts)))
    with tempfile.TemporaryDirectory() as folder:
        made._make_model(Path(folder), rows, options.shape)
        writer = Writer(folder, room=options.room)
    writer.write(texts[:4])  # Warm.
    times: dict[str, list[float]] = {"one at a time": [], "tiebreak": []}
    theirs: list[str] = []
    ours: list[str] = []
    for _ in range(options.rounds):
        started = time.perf_counter()
        theirs = [_alone(writer, texts[index], options.room) for index in some]
        times["one at a time"].append((time.perf_counter() - started) * len(texts) / len(some))
        started = time.perf_counter()
        ours = writer.write(texts)
        times["tiebreak"].append(time.perf_counter() - started)
    ratios = sorted(slow / fast for slow, fast in zip(*times.values(), strict=True))
    ends = (ratios[0], statistics.median(ratios), ratios[-1])
    same = sum(ours[index] == text for index, text in zip(some, theirs, strict=True))
    report = {
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "torch": torch.__version__},
        "prompts": len(texts),
        "room": options.room,
        "rounds": options.rounds,
        "prompts_a_second": {way: round(len(texts) / statistics.median(took), 2) for way, took in times.items()},
        "ratio": dict(zip(("low", "median", "high"), (round(each, 2) for each in ends), strict=True)),
        "same_text": f"{same} of {len(some)}",
    }
    sys.stdout.write(f"{json.dumps(report, indent=2)}\n")


@torch.inference_mode()
def _alone(writer: Writer, text: str, room: int) -> str:
    ids = torch.tensor(writer.tokenizer([text], split_special_tokens=True).input_ids, device=writer.model.device)
    how = GenerationConfig(
        max_new_tokens=room,
        do_sample=False,
        num_beams=BEAMS,
        early_stopping=True,
        repetition_penalty=PENALTY,
        eos_token_id=writer.tokenizer.eos_token_id,
        pad_token_id=writer.tokenizer.pad_token_id,
    )
    written = writer.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=how)
    return writer.tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True).strip()


if __name__ == "__main__":
    main()
