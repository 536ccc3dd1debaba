"""Finding a checkpoint and saying what it lacks, before anything heavy is loaded. No torch here."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import PermanentError

# In the store that workers share; judging.artifacts, which knows Django, is asked when it comes to that.
ARTIFACT = "artifact:"
WHOLE_FILE_BYTES = 64 * 1024**2
SAMPLE_BYTES = 1024**2
CONVERT = (
    "Convert it once, where you trust its origin: load it with transformers and save it again with "
    "save_pretrained(FOLDER), which writes safetensors."
)


@dataclass(frozen=True)
class Checkpoint:
    """source: the folder, or a hub id. options: for from_pretrained. identity: tells whether it is still the same."""

    source: str
    options: dict[str, object]
    identity: str


def find_checkpoint(*, model: str, revision: str = "") -> Checkpoint:
    """The checkpoint of a judge: a folder on this worker, or a hub id whose files are in the local cache.

    Code that comes with a checkpoint is never run, and weights are read as safetensors alone. Nothing is downloaded
    unless the worker's environment sets HF_HUB_OFFLINE=0. Raises PermanentError, which says what is missing.
    """
    options: dict[str, object] = {"trust_remote_code": False}
    if folder := folder_of(model):
        _fetch(model)
        check_folder(folder)
        return Checkpoint(str(folder), options | {"local_files_only": True}, identity_of(folder))
    online = os.environ.get("HF_HUB_OFFLINE") == "0"
    options |= {"local_files_only": not online, "revision": revision or "main"}
    return Checkpoint(model, options, f"{model}@{revision or 'main'}")


def folder_of(model: str) -> Path | None:
    """The folder that a judge's model names; None for a hub id, as owner/name."""
    if model.startswith(ARTIFACT):
        from judging.artifacts import folder_named

        return folder_named(model)
    folder = Path(model).expanduser()
    return folder if model.startswith((".", "/", "~")) or model.count("/") != 1 or folder.exists() else None


def _fetch(model: str) -> None:
    """From the store, if that is what the model names and it is not here yet."""
    if not model.startswith(ARTIFACT):
        return
    from judging.artifacts import ArtifactError, fetch_named

    try:
        fetch_named(model)
    except ArtifactError as error:
        raise PermanentError(str(error)) from error


def check_folder(folder: Path) -> None:
    """Raises PermanentError unless the folder holds a configuration, a tokenizer and whole safetensors weights."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist on this worker"
        raise PermanentError(
            f"{folder} {what}. Name the folder that holds config.json, the tokenizer and the *.safetensors files."
        )
    missing = []
    if not (folder / "config.json").is_file():
        missing.append("config.json (the model's architecture)")
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        missing.append("tokenizer.json or tokenizer.model")
    weights = list(folder.glob("*.safetensors"))
    pickled = list(folder.glob("pytorch_model*.bin"))
    if not weights and not pickled:
        missing.append("*.safetensors (the weights)")
    if missing:
        raise PermanentError(f"{folder} is no checkpoint: it lacks {', '.join(missing)}.")
    if not weights:
        raise PermanentError(
            f"{folder} has its weights only as {pickled[0].name}, a pickle, which may run code when read. {CONVERT}"
        )
    _check_shards(folder)
    _check_configuration(folder)


def _check_shards(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return
    try:
        shards = set(json.loads(index.read_text())["weight_map"].values())
    except (ValueError, KeyError, AttributeError) as error:
        raise PermanentError(f"{index} cannot be read: {error}. Copy the checkpoint anew.") from error
    lost = sorted(name for name in shards if not (folder / name).is_file())
    if lost:
        raise PermanentError(f"{folder} is no whole checkpoint: it lacks {', '.join(lost)}. Copy it anew.")


def _check_configuration(folder: Path) -> None:
    try:
        configuration = json.loads((folder / "config.json").read_text())
    except ValueError as error:
        raise PermanentError(f"{folder / 'config.json'} is no JSON: {error}. Copy the checkpoint anew.") from error
    if not isinstance(configuration, dict) or "model_type" not in configuration:
        raise PermanentError(f"{folder / 'config.json'} names no model_type, so it is no transformers checkpoint.")
    if "auto_map" in configuration:
        raise PermanentError(f"{folder} brings code of its own (auto_map in config.json), which is never run here.")


def identity_of(folder: Path) -> str:
    """A hash over the files that make the answers: small ones whole, large ones by size, beginning and end.

    It is there to notice a checkpoint that was replaced, not to withstand one that was forged.
    """
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.suffix not in {".json", ".model", ".safetensors", ".jinja", ".txt"}:
            continue
        size = file.stat().st_size
        digest.update(f"{file.name}\0{size}\0".encode())
        with file.open("rb") as data:
            if size <= WHOLE_FILE_BYTES:
                digest.update(data.read())
            else:
                digest.update(data.read(SAMPLE_BYTES))
                data.seek(-SAMPLE_BYTES, os.SEEK_END)
                digest.update(data.read())
    return digest.hexdigest()
