"""Runs over several machines: the hostfile, and what is started where. Two that learn are in test_runs.py."""

import base64
import json
import shlex
import sys

import pytest

from tests.jobs.installation import until
from training.hosts import HostfileError, read_hostfile, spread
from training.launching import commands, launched_on, over_ssh

HOSTS = {"gpu-1": 8, "gpu-2": 8, "gpu-3": 4}


def test_a_hostfile_is_deepspeeds(tmp_path):
    path = tmp_path / "hostfile"
    path.write_text("# ours\ngpu-1 slots=8\n\ngpu-2   slots=8  # new\ngpu-3 slots=4\n")
    assert read_hostfile(path) == HOSTS
    from deepspeed.launcher.runner import fetch_hostfile

    assert dict(fetch_hostfile(str(path))) == HOSTS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no host"),
        ("gpu-1\n", r"line 1: write HOST slots=NUMBER, as gpu-1 slots=8, not 'gpu-1'"),
        ("gpu-1 slots=0\n", "line 1: write HOST"),
        ("-oProxyCommand=x slots=1\n", "line 1: write HOST"),
        ("gpu-1 slots=1\ngpu-1 slots=2\n", "line 2: gpu-1 stands there twice"),
    ],
)
def test_a_hostfile_that_is_none_is_told_by_line(tmp_path, text, words):
    path = tmp_path / "hostfile"
    path.write_text(text)
    with pytest.raises(HostfileError, match=words):
        read_hostfile(path)
    with pytest.raises(HostfileError, match="cannot be read"):
        read_hostfile(tmp_path / "none")


def test_this_machine_comes_first_and_each_is_filled_before_the_next():
    assert spread(HOSTS, 10, here="gpu-2") == {"gpu-2": list(range(8)), "gpu-1": [0, 1]}
    assert list(spread(HOSTS, 20, here="gpu-3")) == ["gpu-3", "gpu-1", "gpu-2"]
    with pytest.raises(HostfileError, match="wants 21 devices, and the machines of the hostfile have 20"):
        spread(HOSTS, 21, here="gpu-1")
    with pytest.raises(HostfileError, match="lacks this worker's own machine, gpu-9"):
        spread(HOSTS, 10, here="gpu-9")


@pytest.mark.parametrize("launcher", ["deepspeed", "torchrun"])
def test_every_machine_is_told_its_rank_and_where_all_meet(settings, tmp_path, launcher):
    settings.TRAINING_LAUNCHER = launcher
    places = {"gpu-2": [0, 1], "gpu-1": [0, 1]}
    found = commands(tmp_path, places=places, port=29555)
    assert list(found) == ["gpu-2", "gpu-1"]
    for rank, line in enumerate(found.values()):
        assert line[:3] == [sys.executable, "-u", "-m"]
        assert line[-2:] == ["training.script", str(tmp_path)]
        if launcher == "torchrun":
            assert {"--nnodes=2", f"--node-rank={rank}", "--nproc-per-node=2", "--master-addr=gpu-2"} <= set(line)
            assert "--master-port=29555" in line
        else:
            (world,) = [each.partition("=")[2] for each in line if each.startswith("--world_info")]
            assert json.loads(base64.urlsafe_b64decode(world)) == places
            assert {f"--node_rank={rank}", "--master_addr=gpu-2", "--master_port=29555"} <= set(line)


def test_another_machine_is_given_no_secrets(settings, tmp_path):
    settings.TRAINING_SSH = "ssh -p 2222"
    own = {"PATH": "/a b:/bin", "NCCL_DEBUG": "INFO", "SECRET_KEY": "s", "DATABASE_URL": "d", "OPENAI_API_KEY": "k"}
    line = over_ssh("gpu-1", ["python", "a'b"], own)
    assert line[:-1] == ["ssh", "-p", "2222", "-tt", "-o", "BatchMode=yes", "gpu-1"]
    assert shlex.split(line[-1])[:2] == ["cd", str(settings.BASE_DIR)]
    assert shlex.split(line[-1])[3:] == ["exec", "env", "NCCL_DEBUG=INFO", "PATH=/a b:/bin", "python", "a'b"]


def test_a_machine_that_cannot_be_reached_ends_the_run(settings, tmp_path):
    settings.TRAINING_SSH = "sh -c 'exit 255'"
    with launched_on(tmp_path, places={"localhost": [0], "gpu-1": [0]}, attempt_id=0, cpu=True) as process:
        until(lambda: process.returncode is not None, "it failed", seconds=60)
        assert process.returncode == 255
    assert all(each.poll() is not None for each in process.started)
