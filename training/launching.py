"""The processes of a training run: how they are started, on which devices, and that none outlives its parent."""

import base64
import json
import logging
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from django.conf import settings

from jobs import processes
from jobs.leases import CPU
from jobs.parents import die_with_parent

logger = logging.getLogger(__name__)

MODULE = "training.script"
# Of the environment, what the processes on another machine are given: no keys, no addresses of databases.
PASSED = {"PATH", "TOKENIZERS_PARALLELISM", "PYTHONUNBUFFERED", "CUDA_VISIBLE_DEVICES", processes.MARK}
PASSED_PREFIXES = ("HF_HUB_", "OMP_", "DS_", "NCCL_", "GLOO_")


def command(folder: Path, *, devices: Sequence[str], wanted: int, port: int) -> list[str]:
    """What starts `wanted` processes: DeepSpeed's launcher for one machine, or torchrun where the settings say so.

    Devices are told to DeepSpeed's launcher by its world, to torchrun by CUDA_VISIBLE_DEVICES: never by both.
    """
    if uses_torchrun(devices):
        launcher = ["torch.distributed.run", f"--nproc-per-node={wanted}", f"--master-port={port}", "-m", MODULE]
        return [sys.executable, "-u", "-m", *launcher, str(folder)]
    slots = list(range(wanted)) if list(devices) == [CPU] else [int(device) for device in devices]
    world = base64.urlsafe_b64encode(json.dumps({"localhost": slots}).encode()).decode()
    launcher = ["deepspeed.launcher.launch", f"--world_info={world}", "--master_addr=127.0.0.1"]
    launcher += [f"--master_port={port}", "--no_local_rank", "--module", MODULE]
    return [sys.executable, "-u", "-m", *launcher, str(folder)]


def commands(folder: Path, *, places: Mapping[str, Sequence[int]], port: int) -> dict[str, list[str]]:
    """What starts the processes of each of several machines, by its name; all meet at the first."""
    first = next(iter(places))
    found = {}
    for rank, (host, devices) in enumerate(places.items()):
        if settings.TRAINING_LAUNCHER == "torchrun":
            launcher = ["torch.distributed.run", f"--nnodes={len(places)}", f"--node-rank={rank}"]
            launcher += [f"--nproc-per-node={len(devices)}", f"--master-addr={first}", f"--master-port={port}"]
            launcher += ["-m", MODULE]
        else:
            world = base64.urlsafe_b64encode(json.dumps({host: list(each) for host, each in places.items()}).encode())
            launcher = ["deepspeed.launcher.launch", f"--world_info={world.decode()}", f"--node_rank={rank}"]
            launcher += [f"--master_addr={first}", f"--master_port={port}", "--no_local_rank", "--module", MODULE]
        found[host] = [sys.executable, "-u", "-m", *launcher, str(folder)]
    return found


def over_ssh(host: str, command: Sequence[str], own: Mapping[str, str]) -> list[str]:
    """The same on another machine, with what it needs of this one's environment. It ends when the connection does."""
    told = {name: value for name, value in own.items() if name in PASSED or name.startswith(PASSED_PREFIXES)}
    said = [f"{name}={value}" for name, value in sorted(told.items())]
    line = f"cd {shlex.quote(str(settings.BASE_DIR))} && exec env {shlex.join([*said, *command])}"
    return [*shlex.split(settings.TRAINING_SSH), "-tt", "-o", "BatchMode=yes", host, line]


def uses_torchrun(devices: Sequence[str]) -> bool:
    """DeepSpeed's launcher knows devices by number alone."""
    return settings.TRAINING_LAUNCHER == "torchrun" or any(device != CPU and not device.isdigit() for device in devices)


def environment(base: Mapping[str, str], *, devices: Sequence[str], wanted: int, attempt_id: int) -> dict[str, str]:
    own = dict(base) | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{base.get('PATH', os.defpath)}",
        "HF_HUB_OFFLINE": base.get("HF_HUB_OFFLINE", "1"),
        # Nothing is forked after texts were tokenised, and the other processes wait for the one that does it.
        "TOKENIZERS_PARALLELISM": "true",
        "PYTHONUNBUFFERED": "1",
        processes.MARK: processes.mark_of(attempt_id),
    }
    own.pop("CUDA_VISIBLE_DEVICES", None)
    if list(devices) == [CPU]:
        cores = len(os.sched_getaffinity(0))
        # Threads that wait asleep instead of spinning cost nothing alone and much less beside other work.
        threads = {"OMP_NUM_THREADS": str(max(1, cores // wanted)), "OMP_WAIT_POLICY": "PASSIVE"}
        return own | {"DS_ACCELERATOR": "cpu", "CUDA_VISIBLE_DEVICES": ""} | threads
    if uses_torchrun(devices):
        own["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
    return own


def free_port() -> int:
    """One that nobody listens on now, of this machine alone."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Launched:
    """The launchers of a run, one a machine, as one process: it fails with the first and ends with the last of them."""

    def __init__(self, started: Sequence["subprocess.Popen[bytes]"]):
        self.started = started

    @property
    def returncode(self) -> int | None:
        codes = [each.poll() for each in self.started]
        failed = next((code for code in codes if code), None)
        return failed if failed is not None or None in codes else 0

    def kill(self) -> None:
        for each in self.started:
            with suppress(ProcessLookupError):
                os.killpg(each.pid, signal.SIGKILL)
            each.wait()


@contextmanager
def launched(folder: Path, *, devices: Sequence[str], wanted: int, attempt_id: int) -> Iterator[Launched]:
    """The launcher, in this process's output; when the block ends, however it does, all of it is gone."""
    own = environment(os.environ, devices=devices, wanted=wanted, attempt_id=attempt_id)
    with _started([command(folder, devices=devices, wanted=wanted, port=free_port())], own) as found:
        yield found


@contextmanager
def launched_on(
    folder: Path, *, places: Mapping[str, Sequence[int]], attempt_id: int, cpu: bool = False
) -> Iterator[Launched]:
    """Launchers on several machines, this one first, the others over ssh."""
    most = max(map(len, places.values()))
    devices = [CPU] if cpu else [str(number) for number in range(most)]
    own = environment(os.environ, devices=devices, wanted=most, attempt_id=attempt_id)
    (_, here), *elsewhere = commands(folder, places=places, port=free_port()).items()
    with _started([here, *(over_ssh(host, line, own) for host, line in elsewhere)], own) as found:
        yield found


@contextmanager
def _started(lines: Sequence[Sequence[str]], own: Mapping[str, str]) -> Iterator[Launched]:
    found = Launched([])
    try:
        for line in lines:
            logger.info("Starting %s", shlex.join(line))
            process = subprocess.Popen(
                line,
                cwd=settings.BASE_DIR,
                env=own,
                stdin=subprocess.DEVNULL,
                stdout=sys.__stdout__,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=partial(die_with_parent, parent=os.getpid()),
            )
            found.started = [*found.started, process]
        yield found
    finally:
        found.kill()
