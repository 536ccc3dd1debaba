"""The machines of a run that one machine has too few devices for: DeepSpeed's hostfile, and who gets how many."""

import re
import socket
from collections.abc import Mapping
from pathlib import Path

_LINE = re.compile(r"([A-Za-z0-9][\w.:-]*)\s+slots=(\d+)")


class HostfileError(Exception):
    """The hostfile cannot be used for the run; the text says why and what to do."""


def read_hostfile(path: Path) -> dict[str, int]:
    """Devices of each host, in the order of the lines `HOST slots=NUMBER`. Raises HostfileError."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise HostfileError(f"TRAINING_HOSTFILE ({path}) cannot be read: {error}.") from error
    hosts: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        said = line.partition("#")[0].strip()
        if not said:
            continue
        match = _LINE.fullmatch(said)
        if match is None or not int(match[2]):
            raise HostfileError(f"{path}, line {number}: write HOST slots=NUMBER, as gpu-1 slots=8, not {said!r}.")
        if match[1] in hosts:
            raise HostfileError(f"{path}, line {number}: {match[1]} stands there twice.")
        hosts[match[1]] = int(match[2])
    if not hosts:
        raise HostfileError(f"{path} names no host. Write a line HOST slots=NUMBER for each.")
    return hosts


def spread(hosts: Mapping[str, int], wanted: int, *, here: str | None = None) -> dict[str, list[int]]:
    """Device numbers of each host that takes part, this machine first, as full as can be. Raises HostfileError."""
    here = here or socket.gethostname()
    if here not in hosts:
        raise HostfileError(
            f"The hostfile lacks this worker's own machine, {here}, where the run's first process is. Add its line, by "
            "this name, under which the others reach it."
        )
    if sum(hosts.values()) < wanted:
        raise HostfileError(
            f"The run wants {wanted} devices, and the machines of the hostfile have {sum(hosts.values())}. Ask for "
            "fewer, or add machines."
        )
    places: dict[str, list[int]] = {}
    for host in [here, *(host for host in hosts if host != here)]:
        if wanted:
            places[host] = list(range(min(wanted, hosts[host])))
            wanted -= len(places[host])
    return places
