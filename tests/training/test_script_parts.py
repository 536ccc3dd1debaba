"""The parts of the training script that need no processes: texts, rates, whole folders, journals, failures."""

import errno
import json
import os

import pytest
import torch
from transformers import get_scheduler

from training.failures import why
from training.script.config import Hyperparameters, deepspeed_config, rate_at
from training.script.journal import Journal, Reader
from training.script.pieces import Weights
from training.script.saved import (
    STATE,
    is_disk_full,
    keep_newest_state,
    manifest_of,
    newest_state,
    partial_of,
    seal,
    step_folder,
    steps_with,
)
from training.script.texts import BadRowError, Samples, read_rows, tokenise
from training.swapping import other_way_round
from training.work import Silence

ROW = {
    "instruction": "Name a fruit.",
    "input": "",
    "response_1": "A pear.",
    "response_2": "A saw.",
    "choice": 1,
    "reason": "One is a fruit.",
    "reference": "A plum.",
}


def encode(texts):
    """One token a letter, behind one that begins each text."""
    return [[1, *(ord(letter) + 10 for letter in text)] for text in texts]


def tokens(rows, *, max_length=4000):
    return tokenise(rows, purpose="judge", encode=encode, end=[2], max_length=max_length)


def test_a_sample_is_the_prompt_then_the_answer_then_the_end():
    samples = tokens([ROW])
    text = "".join(chr(token - 10) for token in samples.tokens(0)[1:-1])
    assert text.endswith("### Evaluation:\n1\n\n### Reason: One is a fruit.\n\n### Reference: A plum.\n")
    assert samples.tokens(0)[-1] == 2
    answer = text[int(samples.begins[0]) - 1 :]
    assert answer.startswith("1\n\n### Reason:")


def test_long_samples_lose_their_end_and_those_without_room_for_an_answer_are_dropped():
    whole = tokens([ROW]).lengths_at(0)
    begins = int(tokens([ROW]).begins[0])
    assert (tokens([ROW], max_length=whole).cut, tokens([ROW], max_length=whole - 1).cut) == (0, 1)
    longer = ROW | {"response_1": "A pear. " * 50}
    both = tokens([ROW, longer], max_length=begins + 5)
    assert (len(both), both.cut, both.dropped) == (1, 1, 1)
    with pytest.raises(BadRowError, match="larger max_length"):
        tokens([longer], max_length=begins)


@pytest.mark.parametrize(
    ("line", "words"), [("{", "line 2: this is no JSON"), ("[]", "line 2: this is no JSON object")]
)
def test_a_broken_line_is_named(tmp_path, line, words):
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps(ROW) + f"\n{line}\n")
    with pytest.raises(BadRowError, match=words):
        list(read_rows(path))


def test_a_row_that_lacks_something_is_named():
    with pytest.raises(BadRowError, match="Row 2 of the snapshot has no 'choice'"):
        tokens([ROW, {name: value for name, value in ROW.items() if name != "choice"}])
    with pytest.raises(BadRowError, match="choice must be 0"):
        tokens([ROW | {"choice": "Tie"}])


def test_the_token_that_decides_weighs_what_was_asked():
    weights = Weights(choice=5.0, lead=1)
    assert weights.of(6, 2).tolist() == [0, 0, 1, 5, 1, 1]
    samples = tokens([ROW])
    assert weights.sums_of(samples)[0] == weights.of(samples.lengths_at(0), int(samples.begins[0])).sum()


def test_samples_weigh_what_their_rows_say_and_alike_ones_nothing_at_all(tmp_path):
    """Where all weigh the same, the losses are to the last digit those of rows without weights."""
    assert tokens([ROW, ROW]).weights is None
    assert tokens([ROW | {"weight": 0.7}, ROW | {"weight": 0.7}]).weights is None
    weighed = tokens([ROW | {"weight": 0.7}, ROW])
    assert weighed.weights.tolist() == [0.7, 1.0]
    weighed.save(tmp_path / "samples.npz")
    assert Samples.load(tmp_path / "samples.npz").weights.tolist() == [0.7, 1.0]
    for wrong in (0, -1, float("nan"), float("inf"), "much", True, None):
        with pytest.raises(BadRowError, match="Row 2 of the snapshot: weight must be a number above 0"):
            tokens([ROW, ROW | {"weight": wrong}])


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
def test_rates_are_those_of_transformers(schedule):
    given = Hyperparameters(schedule=schedule, warmup_ratio=0.1, learning_rate=3e-4)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=given.learning_rate)
    name = "constant_with_warmup" if schedule == "constant" else schedule
    theirs = get_scheduler(name, optimizer, num_warmup_steps=5, num_training_steps=50)
    for step in range(1, 51):
        assert rate_at(step, steps=50, given=given) == pytest.approx(theirs.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        theirs.step()


def test_deepspeed_is_told_of_stage_and_offloading():
    config = deepspeed_config(Hyperparameters(zero_stage=3, offload=True), bf16=True)
    assert config["zero_optimization"]["stage"] == 3
    assert config["zero_optimization"]["offload_param"] == {"device": "cpu"}
    assert config["bf16"] == {"enabled": True}
    assert "optimizer" not in config
    stages = [
        deepspeed_config(Hyperparameters(zero_stage=0), bf16=bf16)["zero_optimization"]["stage"]
        for bf16 in (False, True)
    ]
    assert stages == [0, 1]


def saved(folder, step, text="weights"):
    path = step_folder(folder, step) / STATE
    partial_of(path).mkdir(parents=True)
    (partial_of(path) / "part").write_text(text)
    seal(path, step=step, epoch=1, world_size=1)
    return path


def test_the_newest_whole_state_counts_and_a_cut_one_is_skipped(tmp_path):
    first, second = saved(tmp_path, 3), saved(tmp_path, 6)
    assert newest_state(tmp_path)[0] == 6
    (second / "part").write_text("weig")
    assert manifest_of(second) is None
    assert newest_state(tmp_path)[:2] == (3, first)
    (first / "manifest.json").unlink()
    assert newest_state(tmp_path) is None


def test_states_before_the_newest_whole_one_and_partial_ones_go(tmp_path):
    saved(tmp_path, 3)
    saved(tmp_path, 6)
    partial_of(step_folder(tmp_path, 9) / STATE).mkdir(parents=True)
    keep_newest_state(tmp_path)
    assert [step for step, _ in steps_with(tmp_path, STATE)] == [6]
    assert not list(tmp_path.glob("checkpoints/*/*.partial"))


def test_silence_is_told_by_what_was_heard_however_clocks_jump(tmp_path, monkeypatch):
    """The beat's time is the disk's, an hour ahead or behind; now is this machine's uptime."""
    Journal(tmp_path, rank=0).beat()
    uptime = [1000.0]
    monkeypatch.setattr("training.work.time.monotonic", lambda: uptime[0])
    silence = Silence(tmp_path / "beat")
    for jump in (3600, -7200):
        beaten = (tmp_path / "beat").stat().st_mtime + jump
        os.utime(tmp_path / "beat", (beaten, beaten))
        assert silence.seconds() == 0
        uptime[0] += 50
        assert silence.seconds() == 50
    monkeypatch.setattr("training.work.time.time", lambda: beaten + 10**6)
    assert silence.seconds() == 50


def test_a_full_disk_is_told_from_other_faults():
    assert is_disk_full(OSError(errno.ENOSPC, "No space left on device"))
    assert is_disk_full(
        RuntimeError("[enforce fail] PytorchStreamWriter failed writing file data/0: file write failed")
    )
    assert not is_disk_full(OSError(errno.EACCES, "Permission denied"))
    assert not is_disk_full(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_a_line_that_is_half_written_waits(tmp_path):
    Journal(tmp_path, rank=0).tell("step", step=1)
    Journal(tmp_path, rank=1).tell("step", step=99)
    reader = Reader(tmp_path)
    assert [line["step"] for line in reader.lines()] == [1]
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "step", ')
        file.flush()
        assert not list(reader.lines())
        file.write('"step": 2}\n')
    assert [line["step"] for line in reader.lines()] == [2]


def test_the_first_process_to_fail_says_why(tmp_path):
    Journal(tmp_path, rank=1).fail(ValueError("the cause"))
    Journal(tmp_path, rank=0).fail(RuntimeError("because of it"))
    assert json.loads((tmp_path / "failure.json").read_text())["text"] == "the cause"
    assert [path.name for path in tmp_path.iterdir()] == ["failure.json"]


@pytest.mark.parametrize(
    ("kind", "text", "log", "code", "expected", "permanent", "words"),
    [
        ("OutOfMemoryError", "CUDA out of memory. Tried to", "", 1, "memory", True, "piece_tokens"),
        ("NotFiniteError", "The loss of step 3 is nan.", "", 1, "numbers", True, "learning_rate"),
        ("DiskFullError", "There is no room", "", 1, "disk", True, "TRAINING_ROOT"),
        ("BadRowError", "Row 2 has no 'choice'.", "", 1, "data", True, "Row 2"),
        ("PermanentError", "x is no checkpoint", "", 1, "model", True, "no checkpoint"),
        ("WorldSizeError", "saved by 2", "", 1, "devices", True, "saved by 2"),
        ("DistBackendError", "NCCL error: unhandled", "", 1, "communication", False, "lost each other"),
        (None, "", "process exits with return code = -9", 247, "killed", False, "ran out of memory"),
        (None, "", "", -9, "killed", False, "SIGKILL"),
        ("KeyError", "'x'", "", 1, "fault", False, "KeyError"),
    ],
)
def test_failures_are_told_by_class(kind, text, log, code, expected, permanent, words):
    told = {"type": kind, "text": text} if kind else None
    failure = why(told=told, log=log, exit_code=code)
    assert (failure.kind, failure.permanent) == (expected, permanent)
    assert words in failure.advice


@pytest.mark.parametrize(
    ("text", "turned"),
    [
        ("Response 1 is better than response 2.", "Response 2 is better than response 1."),
        ("The first response names 2 fruits.", "The second response names 2 fruits."),
        ("Second answer, not the first one.", "First answer, not the second one."),
        ("It took 1 hour in World War 2.", "It took 1 hour in World War 2."),
        ("Answer #2 wins.", "Answer #1 wins."),
    ],
)
def test_reasons_are_reworded_for_the_other_order(text, turned):
    assert other_way_round(text) == turned
    assert other_way_round(turned) == text
