"""Devices that an attempt has for itself: GPUs, or on a machine without any the CPU."""

import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.utils import timezone

from jobs.errors import PermanentError
from jobs.models import Attempt, Lease
from jobs.running import Running

Check = Callable[[], None]
CPU = "cpu"
LOOK_SECONDS = 1.0
_NODE = re.compile(r"nvidia(\d+)")


def devices_here(dev: Path = Path("/dev")) -> list[str]:
    """GPUs by number, those that CUDA_VISIBLE_DEVICES leaves; on a machine without any, the CPU."""
    there = sorted((match[1] for node in dev.glob("nvidia*") if (match := _NODE.fullmatch(node.name))), key=int)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        named = [name.strip() for name in visible.split(",") if name.strip()]
        # Names of another kind (UUIDs) are taken as they are.
        there = [name for name in named if name in there or not name.lstrip("-").isdigit()]
    return there or [CPU]


@contextmanager
def leased(running: Running, *, wanted: int, check: Check | None = None) -> Iterator[list[str]]:
    """So many GPUs of this machine, or its CPU however many are wanted. Waits for as long as others have them.

    check: a safe point while it waits, besides that of `running.progress`. Raises PermanentError where the machine has
    fewer, and what these two raise.
    """
    known = devices_here()
    wanted = 1 if known == [CPU] else wanted
    if wanted > len(known):
        raise PermanentError(
            f"The run wants {wanted} devices, and {socket.gethostname()} has {len(known)}. Ask for fewer, or start a "
            "worker of the queue “gpu” on a machine that has them."
        )
    host = socket.gethostname()
    with _held(running, {host: known}, wanted, check) as taken:
        yield taken[host]


@contextmanager
def leased_on(running: Running, *, places: Mapping[str, Sequence[str]]) -> Iterator[None]:
    """These devices of several machines, named as they name themselves. Waits for as long as others have any of them.

    Raises what `running.progress` raises.
    """
    with _held(running, places, None):
        yield


@contextmanager
def _held(
    running: Running, known: Mapping[str, Sequence[str]], wanted: int | None, check: Check | None = None
) -> Iterator[dict[str, list[str]]]:
    """So many devices of each machine, or all that are known."""
    attempt = Attempt.objects.get(job=running.job_id, number=running.number)
    while not (taken := _take(attempt, known, wanted)):
        running.progress(0, None, f"Waiting for a device: {_holders(known)}")
        if check is not None:
            check()
        time.sleep(LOOK_SECONDS)
    try:
        yield taken
    finally:
        # With the database away it is released when the next one looks, since its attempt is over then.
        with suppress(OperationalError, InterfaceError):
            Lease.objects.filter(attempt=attempt, released_at=None).update(released_at=timezone.now())


@contextmanager
def own_gpu(running: Running, *, check: Check | None = None) -> Iterator[None]:
    """One GPU for whatever this process loads from now on; where there is none, the CPU is shared.

    To be entered before anything has looked for GPUs: what is visible is settled then.
    """
    if devices_here() == [CPU]:
        yield
        return
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    with leased(running, wanted=1, check=check) as (device,):
        os.environ["CUDA_VISIBLE_DEVICES"] = device
        try:
            yield
        finally:
            if before is None:
                del os.environ["CUDA_VISIBLE_DEVICES"]
            else:
                os.environ["CUDA_VISIBLE_DEVICES"] = before


def _take(attempt: Attempt, known: Mapping[str, Sequence[str]], wanted: int | None) -> dict[str, list[str]]:
    """All of them or none, so that two runs never wait for each other with half of what they want."""
    held = Lease.objects.filter(host__in=known, released_at=None)
    held.exclude(attempt__state=Attempt.State.RUNNING).update(released_at=timezone.now())
    busy = set(held.values_list("host", "device"))
    free = {}
    for host, devices in known.items():
        need = len(devices) if wanted is None else wanted
        free[host] = [device for device in devices if (host, device) not in busy][:need]
        if len(free[host]) < need:
            return {}
    try:
        with transaction.atomic():
            Lease.objects.bulk_create(
                Lease(attempt=attempt, host=host, device=device) for host, devices in free.items() for device in devices
            )
    except IntegrityError:
        return {}  # Somebody else was quicker.
    return free


def _holders(known: Mapping[str, Sequence[str]]) -> str:
    held = Lease.objects.filter(host__in=known, released_at=None).values_list("host", "device", "attempt__job__title")
    titles = sorted({title for host, device, title in held if device in known[host]})
    return ", ".join(f"“{title}”" for title in titles) + (" has it" if len(titles) == 1 else " have them")
