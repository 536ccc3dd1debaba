"""The processes of a training run: how they are started, on which devices, and that none outlives its parent."""

import base64
import json
import os
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

MODULE = "training.script"


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


@contextmanager
def launched(
    folder: Path, *, devices: Sequence[str], wanted: int, attempt_id: int
) -> Iterator["subprocess.Popen[bytes]"]:
    """The launcher, in this process's output; when the block ends, however it does, all of it is gone."""
    process = subprocess.Popen(
        command(folder, devices=devices, wanted=wanted, port=free_port()),
        cwd=settings.BASE_DIR,
        env=environment(os.environ, devices=devices, wanted=wanted, attempt_id=attempt_id),
        stdin=subprocess.DEVNULL,
        stdout=sys.__stdout__,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=partial(die_with_parent, parent=os.getpid()),
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
