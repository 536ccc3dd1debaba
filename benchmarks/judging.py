"""The local judge against PandaLM's own inference, on one checkpoint, in one run.

    python benchmarks/judging.py --reference PANDALM --checkpoint FOLDER [--pairs 24] [--rounds 3] [--threads 2]

PANDALM is a checkout of WeOpenML/PandaLM; its provider is imported from there, unmodified but for what it stands on:
an argument of from_pretrained that transformers has since dropped is taken away, torch.compile is left out (on a CPU
it pays back nothing in so few pairs), and on a CPU without bfloat16 its weights are made float32, as ours are.
FOLDER is a LLaMA judge in PandaLM's format.

In every round every way of judging does the same pairs of PandaLM's test set once, in random order; given are the
medians, over the rounds, of the reference's time by the way's time. Prints JSON: for each way pairs/s, that ratio, how
many verdicts are the reference's, and how many are the majority of the three people; for `exact` how many answers are
the reference's text. `prefill_limit` is what two operations a parameter and token would take at the rate of a large
matrix product of this machine. The round robin is of candidates' responses to one prompt, each two in both orders.
"""

import argparse
import importlib.util
import itertools
import json
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch  # noqa: E402
import transformers  # noqa: E402

from judging.backends import Settings, load_backend  # noqa: E402
from judging.backends.base import Answer, Question  # noqa: E402
from judging.backends.readers import Padded  # noqa: E402

FIELDS = ("instruction", "input", "response1", "response2")
TIE = 0


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    rows = _rows(options.reference)
    reference = _Reference(options.reference, options.checkpoint, options.dtype)
    engine = load_backend(Settings("transformers", str(options.checkpoint), "", "pandalm@1", {"dtype": options.dtype}))
    picked = random.Random(options.seed).sample(rows, options.pairs)
    report = {
        "machine": _machine(options),
        "checkpoint": {"parameters": sum(p.numel() for p in engine.model.parameters()), "dtype": options.dtype},
        "test_set": _test_set(reference, engine, picked, options),
        "round_robin": _round_robin(reference, engine, rows, options),
    }
    sys.stdout.write(f"{json.dumps(report, indent=2)}\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, required=True, help="A checkout of WeOpenML/PandaLM.")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--reference-pairs", type=int, help="The reference does so many of them; its time is scaled.")
    parser.add_argument("--without-exact", action="store_true", help="Leave out the ways that write by beams.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--candidates", type=int, default=5)
    parser.add_argument("--prompts", type=int, default=4, help="Prompts of the round robin.")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--seed", type=int, default=5)
    return parser.parse_args()


# ---- the reference


class _Reference:
    """PandaLM's own provider."""

    def __init__(self, folder: Path, checkpoint: Path, dtype: str):
        path = folder / "pandalm" / "utils" / "pandalm_inference.py"
        found = importlib.util.spec_from_file_location("pandalm_reference", path)
        assert found is not None
        assert found.loader is not None
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        module.AutoModelForCausalLM = _Loader
        module.tqdm = lambda items: items
        compiled, torch.compile = torch.compile, lambda model: model
        try:
            self.provider: Any = module.PandaLMBatchInferenceProvider(str(checkpoint))
        finally:
            torch.compile = compiled
        self.provider.model.to(getattr(torch, dtype))

    def texts(self, rows: list[dict]) -> list[str]:
        self.provider.prepared = []
        for row in rows:
            self.provider.preprocess_input(*(row[field] for field in FIELDS))
        return self.provider.inference()

    def choice(self, text: str) -> int:
        return self.provider.parse_pandalm_response(text)


class _Loader:
    @staticmethod
    def from_pretrained(path: str, *, load_in_8bit: bool, torch_dtype: torch.dtype, device_map: str):
        assert not load_in_8bit
        return transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch_dtype, device_map=device_map)


# ---- the pairs


def _rows(folder: Path) -> list[dict]:
    """The test set's rows with `gold`, the people's majority; the six whose responses are no texts are left out."""
    rows = json.loads((folder / "data" / "testset-v1.json").read_text())
    kept = []
    for row in rows:
        if all(isinstance(row[field], str) for field in FIELDS):
            said = [row[f"annotator{number}"] for number in (1, 2, 3)]
            kept.append({**row, "gold": statistics.mode(said)})
    return kept


def _questions(rows: list[dict]) -> list[Question]:
    return [Question(number, False, *(row[field] for field in FIELDS)) for number, row in enumerate(rows)]


def _choices(answers: list[Answer]) -> list[int]:
    """As PandaLM's own reader has it: what is no choice is a tie."""
    ordered = sorted(answers, key=lambda answer: answer.pair_id)
    return [TIE if answer.choice is None else answer.choice for answer in ordered]


# ---- ways of judging


def _judged(engine: Any, questions: list[Question], *, reasons: bool = False, **how: object) -> list[Answer]:
    before = engine.parameters
    engine.parameters = type(before)(**{**vars(before), **how})
    try:
        return [answer for answer in engine.judge(questions, reasons=reasons) if answer is not None]
    finally:
        engine.parameters = before


def _test_set(reference: _Reference, engine: Any, rows: list[dict], options: argparse.Namespace) -> dict:
    questions = _questions(rows)
    tenth = questions[: max(1, len(questions) // 10)]
    packed = engine.reader
    few = options.reference_pairs or len(rows)

    def padded() -> list[Answer]:
        engine.reader = Padded(engine.model, pad=0)
        try:
            return _judged(engine, questions, batch_tokens=2048)
        finally:
            engine.reader = packed

    ways: dict[str, Callable[[], Any]] = {
        "reference": lambda: reference.texts(rows[:few]),
        "verdict": lambda: _judged(engine, questions),
        "verdict, padded batches": padded,
        "verdict, one by one": lambda: _judged(engine, questions, batch_tokens=1),
        "verdict, reasons for a tenth": lambda: (_judged(engine, questions), _judged(engine, tenth, reasons=True))[0],
        "verdict, reasons for all": lambda: _judged(engine, questions, reasons=True),
        "exact, without the text": lambda: _judged(engine, questions, mode="exact"),
        "exact": lambda: _judged(engine, questions, mode="exact", reasons=True),
    }
    if options.without_exact:
        ways = {
            name: way for name, way in ways.items() if not name.startswith("exact") and not name.endswith("for all")
        }
    times, said = _interleaved(ways, options.rounds, warm=[name for name in ways if name != "reference"])
    times["reference"] = [seconds * len(rows) / few for seconds in times["reference"]]
    texts = said["reference"]
    expected = [reference.choice(text) for text in texts]
    gold = [row["gold"] for row in rows]
    found = {}
    for name, outcome in said.items():
        choices = expected if name == "reference" else _choices(outcome)
        found[name] = {
            **_speed(times, name, len(rows)),
            "same_verdict_as_reference": _same(choices[:few], expected),
            "same_as_people": _same(choices, gold[: len(choices)]),
        }
    if "exact" in said:
        raws = [answer.raw for answer in sorted(said["exact"], key=lambda answer: answer.pair_id)][:few]
        found["exact"]["same_text_as_reference"] = _same(
            [reference.provider.filter_special_token(raw) for raw in raws], texts
        )
    alone = {answer.pair_id: answer for answer in said["verdict, one by one"]}
    found["verdict"]["largest_difference_to_one_by_one"] = max(
        abs(getattr(answer, name) - getattr(alone[answer.pair_id], name))
        for answer in said["verdict"]
        for name in ("p_first", "p_second", "p_tie")
    )
    found["verdict"]["logits"] = _logits(engine, questions)
    found["verdict"]["share_of_prefill_limit"] = _limit(engine, questions, times["verdict"])
    return {"pairs": len(rows), "rounds": options.rounds, "ways": found}


def _round_robin(reference: _Reference, engine: Any, rows: list[dict], options: argparse.Namespace) -> dict:
    """Each two of some candidates in both orders; the reference does as many of its pairs as the test set has."""
    responses: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        own = responses.setdefault((row["instruction"], row["input"]), [])
        own.extend(text for text in (row["response1"], row["response2"]) if text not in own)
    rng = random.Random(options.seed)
    many = [key for key, own in responses.items() if len(own) >= options.candidates]
    made = [
        {"instruction": key[0], "input": key[1], "response1": first, "response2": second}
        for key in rng.sample(many, min(options.prompts, len(many)))
        for first, second in itertools.permutations(responses[key][: options.candidates], 2)
    ]
    questions = _questions(made)
    some = rng.sample(range(len(made)), min(options.pairs // 2, len(made)))
    ways: dict[str, Callable[[], Any]] = {
        "reference": lambda: reference.texts([made[index] for index in some]),
        "verdict": lambda: _judged(engine, questions),
        "verdict, one by one": lambda: _judged(engine, questions, batch_tokens=1),
    }
    times, said = _interleaved(ways, options.rounds, warm=["verdict"])
    # By pair: the reference has done some of them only.
    times["reference"] = [seconds * len(made) / len(some) for seconds in times["reference"]]
    together, alone = _choices(said["verdict"]), _choices(said["verdict, one by one"])
    texts = [reference.choice(text) for text in said["reference"]]
    tokens = [len(prompt.ids) for prompt in engine._prompts(questions)]
    return {
        "prompts": len({(row["instruction"], row["input"]) for row in made}),
        "candidates": options.candidates,
        "pairs": len(made),
        "tokens": sum(tokens),
        "verdict": {
            **_speed(times, "verdict", len(made)),
            "ratio_to_one_by_one": _ratio(times["verdict, one by one"], times["verdict"]),
            "same_verdict_as_one_by_one": _same(together, alone),
            "same_verdict_as_reference": _same([together[index] for index in some], texts),
        },
    }


def _interleaved(ways: dict[str, Callable], rounds: int, warm: list[str]) -> tuple[dict[str, list[float]], dict]:
    said = {name: ways[name]() for name in warm}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        order = list(ways)
        random.Random(number).shuffle(order)
        for name in order:
            started = time.perf_counter()
            said[name] = ways[name]()
            times[name].append(time.perf_counter() - started)
            sys.stderr.write(f"round {number + 1}: {name} {times[name][-1]:.2f} s\n")
    return times, said


# ---- what came out


def _ratio(slow: list[float], fast: list[float]) -> dict[str, float]:
    ratios = sorted(a / b for a, b in zip(slow, fast, strict=True))
    return {"median": round(statistics.median(ratios), 2), "low": round(ratios[0], 2), "high": round(ratios[-1], 2)}


def _speed(times: dict[str, list[float]], name: str, n: int) -> dict:
    return {
        "pairs_per_second": round(n / statistics.median(times[name]), 2),
        "ratio_to_reference": _ratio(times["reference"], times[name]),
    }


def _same(one: list, other: list) -> str:
    return f"{sum(a == b for a, b in zip(one, other, strict=True))} of {len(other)}"


def _logits(engine: Any, questions: list[Question]) -> dict[str, float]:
    """By how much the logits of a pack differ from those of each prompt alone."""
    prompts = sorted(prompt.ids for prompt in engine._prompts(questions))
    packed = engine.reader.last_logits(prompts)
    alone = torch.stack([_alone(engine.model, ids) for ids in prompts])
    return {"largest_difference": float((packed - alone).abs().max()), "spread": float(alone.std())}


@torch.inference_mode()
def _alone(model: Any, ids: list[int]) -> torch.Tensor:
    return model(input_ids=torch.tensor([ids], device=model.device)).logits[0, -1]


def _limit(engine: Any, questions: list[Question], seconds: list[float]) -> dict[str, float]:
    """What two operations a parameter (without embeddings) and token would take at the rate of a large product."""
    model = engine.model
    heads = model.get_input_embeddings().weight.numel() + model.get_output_embeddings().weight.numel()
    parameters = sum(p.numel() for p in model.parameters()) - heads
    tokens = sum(len(prompt.ids) for prompt in engine._prompts(questions))
    gpu = model.device.type == "cuda"
    n = 8192 if gpu else 2048
    left, right = (torch.randn(n, n, dtype=model.dtype, device=model.device) for _ in range(2))
    taken = []
    for _ in range(9):
        started = time.perf_counter()
        left @ right
        if gpu:
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - started)
    rate = 2 * n**3 / statistics.median(taken)
    least = 2 * parameters * tokens / rate
    return {"gflops": round(rate / 1e9, 1), "share": round(least / statistics.median(seconds), 3)}


def _machine(options: argparse.Namespace) -> dict:
    return {
        "cpus": os.cpu_count(),
        "threads": options.threads,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


if __name__ == "__main__":
    main()
