"""Folders of checkpoints and the like that are whole or not there, and the store that workers share them in.

Without a store (TRAINING_STORE) a folder lies where it was made, which all workers see, and nothing is copied. In the
store a folder's files lie under its path below TRAINING_ROOT, and beside them, put there last, a manifest with the size
and SHA-256 of each. Whoever fetches a folder knows the manifest's own hash from the database, so the store need not be
trusted: what was changed there is refused.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from django.conf import settings
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages

from judging.backends.checkpoints import ARTIFACT

STORE = "artifacts"
MANIFEST = ".manifest.json"
BLOCK = 1024**2


class ArtifactError(Exception):
    """A folder cannot be had from the store, or not as it was put there; the text says what to do."""


def is_shared() -> bool:
    return STORE in settings.STORAGES


def name_of(folder: Path) -> str:
    """Of a folder below TRAINING_ROOT, in the store."""
    return folder.relative_to(settings.TRAINING_ROOT).as_posix()


def model_name(folder: Path, *, sha256: str) -> str:
    """By which a judge names the checkpoint in a folder; one in the store so that every worker finds it."""
    return f"{ARTIFACT}{name_of(folder)}@{sha256}" if sha256 else str(folder)


def folder_named(model: str) -> Path:
    """Where the checkpoint of such a name lies on this machine, once it is fetched."""
    name = PurePosixPath(model.removeprefix(ARTIFACT).rpartition("@")[0])
    if name.is_absolute() or ".." in name.parts or not name.parts:
        raise ArtifactError(f"{model} names no folder of the store.")
    return settings.TRAINING_ROOT / name


def fetch_named(model: str) -> Path:
    """The folder of a checkpoint with such a name, fetched if it is not here. Raises ArtifactError."""
    folder = folder_named(model)
    fetch(folder, sha256=model.rpartition("@")[2])
    return folder


def put(folder: Path, *, at: Path | None = None, files: Sequence[str] | None = None) -> str:
    """Upload a folder that changes no more: the hash of its manifest. What is there already is not sent again.

    at: what it will be called, if not by its own path. files: names of those that count; all, if not given.
    Raises FileNotFoundError where the folder is removed meanwhile.
    """
    store, name = _store(), name_of(at or folder)
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    chosen = sorted(files if files is not None else files_in(folder))
    told = {each: {"bytes": (folder / each).stat().st_size, "sha256": hash_of(folder / each)} for each in chosen}
    manifest = json.dumps({"files": told}, sort_keys=True).encode()
    sha256 = hashlib.sha256(manifest).hexdigest()
    if _read_manifest(store, name) == manifest:
        return sha256
    sent = []
    try:
        for each in chosen:
            with (folder / each).open("rb") as data:
                sent.append(each)
                _save(store, f"{name}/{each}", File(data))
    except FileNotFoundError:
        for each in sent:
            store.delete(f"{name}/{each}")
        raise
    _save(store, f"{name}{MANIFEST}", ContentFile(manifest))
    return sha256


def fetch(folder: Path, *, sha256: str) -> None:
    """Have a folder here that the store has; nothing is done where it is here. Raises ArtifactError."""
    if folder.is_dir():
        return
    if not is_shared() or not sha256:
        raise ArtifactError(
            f"{folder} is not on this worker. Let all workers see the same TRAINING_ROOT, or share what they make by "
            "TRAINING_STORE."
        )
    store, name = _store(), name_of(folder)
    manifest = _read_manifest(store, name)
    if manifest is None:
        raise ArtifactError(f"The store has no {name}. Put it back there, or make it again.")
    if hashlib.sha256(manifest).hexdigest() != sha256:
        raise ArtifactError(f"{name} in the store is not what was put there: its manifest has changed. Do not use it.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}.fetched-"))
    try:
        for each, told in json.loads(manifest)["files"].items():
            _download(store, f"{name}/{each}", draft / each, told)
        draft.chmod(0o755)
        _into_place(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def remove(folder: Path) -> None:
    """From the store alone: its manifest first, so that nobody begins to fetch it."""
    store, name = _store(), name_of(folder)
    manifest = _read_manifest(store, name)
    if manifest is None:
        return
    store.delete(f"{name}{MANIFEST}")
    for each in json.loads(manifest)["files"]:
        store.delete(f"{name}/{each}")


def _store() -> Storage:
    return storages[STORE]


def files_in(folder: Path) -> list[str]:
    """Names of all files below it."""
    return [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]


def hash_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _save(store: Storage, name: str, content: File) -> None:
    saved = store.save(name, content)
    if saved != name:
        store.delete(saved)
        raise ArtifactError(f"The store would call {name} {saved}: let it write over what is there.")


def _read_manifest(store: Storage, name: str) -> bytes | None:
    try:
        with store.open(f"{name}{MANIFEST}") as data:
            return data.read()
    except FileNotFoundError:
        return None


def _download(store: Storage, name: str, path: Path, told: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    try:
        with store.open(name) as data, path.open("wb") as out:
            while block := data.read(BLOCK):
                digest.update(block)
                out.write(block)
    except FileNotFoundError as error:
        raise ArtifactError(f"The store has lost {name}. Put it back there, or make it again.") from error
    if path.stat().st_size != told["bytes"] or digest.hexdigest() != told["sha256"]:
        raise ArtifactError(f"{name} in the store is not what was put there: its hash has changed. Do not use it.")


def _into_place(draft: Path, folder: Path) -> None:
    try:
        draft.rename(folder)
    except OSError:
        if not folder.is_dir():  # Else another process of this machine was quicker.
            raise
        return
    opened = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
