"""Folders that are there whole or not at all: written under another name, a manifest last, then renamed. No torch."""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

MANIFEST, PARTIAL = "manifest.json", ".partial"
STATE, WEIGHTS = "state", "weights"
STEP = re.compile(r"step-(\d{8})")
HASHED_BYTES = 64 * 1024**2
FULL_WORDS = ("no space left", "disk quota", "failed writing file", "file write failed")


class DiskFullError(Exception):
    """There was no room for a checkpoint. What was there before is untouched."""


class WorldSizeError(Exception):
    """The state was saved by another number of processes."""


def step_folder(folder: Path, step: int) -> Path:
    return folder / "checkpoints" / f"step-{step:08d}"


def partial_of(path: Path) -> Path:
    return path.with_name(path.name + PARTIAL)


def seal(path: Path, **facts: object) -> int:
    """Turn the partial folder of `path` into `path` itself, with a manifest of what must be in it: bytes in all.

    All of it is on the disk, not in the machine's memory alone, when this returns: whoever calls may remove what was
    there before.
    """
    draft = partial_of(path)
    files = {str(file.relative_to(draft)): _told(file) for file in sorted(draft.rglob("*")) if file.is_file()}
    size = sum(told["bytes"] for told in files.values())
    with (draft / MANIFEST).open("w") as written:
        json.dump({**facts, "files": files, "bytes": size}, written, indent=1)
    for each in sorted(draft.rglob("*")):
        _to_disk(each)
    _to_disk(draft)
    shutil.rmtree(path, ignore_errors=True)
    draft.rename(path)
    _to_disk(path.parent)
    return size


def _to_disk(path: Path) -> None:
    """A file's contents, or a folder's entries."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _told(file: Path) -> dict:
    """Its size, and its hash where that is soon made."""
    size = file.stat().st_size
    if size > HASHED_BYTES:
        return {"bytes": size}
    return {"bytes": size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}


def manifest_of(path: Path) -> dict | None:
    """The manifest of a folder that is whole; None if it is not there or something of it is missing or cut."""
    try:
        manifest = json.loads((path / MANIFEST).read_text())
        files = manifest["files"]
        whole = all((path / name).stat().st_size == told["bytes"] for name, told in files.items())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return manifest if whole else None


def steps_with(folder: Path, part: str) -> Iterator[tuple[int, Path]]:
    """Step numbers whose state or weights are there, the newest first; whole or not."""
    there = [path for path in (folder / "checkpoints").glob("step-*") if (path / part).is_dir()]
    found = [(int(match[1]), path / part) for path in there if (match := STEP.fullmatch(path.name))]
    yield from sorted(found, reverse=True)


def newest_state(folder: Path) -> tuple[int, Path, dict] | None:
    """What a run goes on from: the newest whole state. A cut one is skipped for the one before it."""
    for step, path in steps_with(folder, STATE):
        if manifest := manifest_of(path):
            return step, path, manifest
    return None


def state_for(folder: Path, *, world: int) -> tuple[int, Path, dict] | None:
    """What a run goes on from with so many processes. Raises WorldSizeError where others saved it."""
    found = newest_state(folder)
    if found and (saved_by := found[2]["world_size"]) != world:
        raise WorldSizeError(
            f"Step {found[0]} was saved by {saved_by} processes and cannot be carried on by {world}: each saved its "
            "own part. Run it on as many devices as before, or start a new run from its weights."
        )
    return found


def keep_newest_state(folder: Path) -> None:
    """Remove the states before the newest whole one, and what broken attempts left."""
    newest = newest_state(folder)
    for draft in (folder / "checkpoints").glob(f"*/*{PARTIAL}"):
        shutil.rmtree(draft, ignore_errors=True)
    for step, path in steps_with(folder, STATE):
        if newest and step < newest[0]:
            shutil.rmtree(path, ignore_errors=True)
            if not any(path.parent.iterdir()):
                path.parent.rmdir()


def is_disk_full(error: BaseException) -> bool:
    """torch and safetensors hide the operating system's word in one of their own."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return True
    said = str(error).lower()
    return any(words in said for words in FULL_WORDS)
