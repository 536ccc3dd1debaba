"""Folders in a store: had whole and unchanged, or not at all."""

import json

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from config.settings import _store
from jobs.errors import PermanentError
from judging import artifacts
from judging.artifacts import ArtifactError, fetch, fetch_named, folder_named, model_name, put, remove
from judging.backends.checkpoints import find_checkpoint, folder_of
from tests.stores import bucket  # noqa: F401 - a fixture


@pytest.fixture(params=["folder", "bucket"])
def store(request, settings, tmp_path):
    if request.param == "bucket":
        storage = request.getfixturevalue("bucket").storage
    else:
        storage = _store(str(tmp_path / "store"), endpoint="")
    settings.STORAGES = settings.STORAGES | {"artifacts": storage}
    return storages["artifacts"]


@pytest.fixture
def folder(settings, tmp_path):
    """Of the first of two workers; `elsewhere` goes to the second."""
    settings.TRAINING_ROOT = tmp_path / "first"
    made = settings.TRAINING_ROOT / "runs/7/weights"
    (made / "parts").mkdir(parents=True)
    (made / "config.json").write_text("{}")
    (made / "parts" / "one").write_bytes(bytes(range(256)) * 5000)
    return made


def elsewhere(settings, tmp_path):
    settings.TRAINING_ROOT = tmp_path / "second"
    return settings.TRAINING_ROOT / "runs/7/weights"


def test_another_worker_has_what_was_put_there(store, folder, settings, tmp_path):
    sha256 = put(folder)
    assert put(folder) == sha256
    there = elsewhere(settings, tmp_path)
    fetch(there, sha256=sha256)
    assert {name: (there / name).read_bytes() for name in artifacts.files_in(there)} == {
        name: (folder / name).read_bytes() for name in artifacts.files_in(folder)
    }
    assert [path.name for path in there.parent.iterdir()] == ["weights"]
    # What is here is not fetched again.
    (there / "config.json").write_text("own")
    remove(folder_named("artifact:runs/7/weights@x"))
    fetch(there, sha256=sha256)
    assert (there / "config.json").read_text() == "own"
    assert not store.exists("runs/7/weights/config.json")


def test_what_was_put_anew_takes_the_place_of_the_old(store, folder, settings, tmp_path):
    before = put(folder)
    (folder / "config.json").write_text('{"new": 1}')
    after = put(folder)
    assert after != before
    there = elsewhere(settings, tmp_path)
    with pytest.raises(ArtifactError, match="its manifest has changed"):
        fetch(there, sha256=before)
    fetch(there, sha256=after)
    assert json.loads((there / "config.json").read_text()) == {"new": 1}


def test_what_was_changed_lost_or_never_finished_is_refused(store, folder, settings, tmp_path):
    sha256 = put(folder)
    there = elsewhere(settings, tmp_path)

    def refused(words: str) -> None:
        with pytest.raises(ArtifactError, match=words):
            fetch(there, sha256=sha256)
        assert not list(there.parent.iterdir())

    store.save("runs/7/weights/config.json", ContentFile(b"{ }"))
    refused("config.json in the store is not what was put there: its hash has changed")
    store.delete("runs/7/weights/config.json")
    refused("The store has lost runs/7/weights/config.json")
    store.delete("runs/7/weights.manifest.json")
    with pytest.raises(ArtifactError, match="The store has no runs/7/weights"):
        fetch(there, sha256=sha256)


def test_a_folder_that_goes_while_it_is_sent_leaves_nothing_behind(store, folder):
    with pytest.raises(FileNotFoundError):
        put(folder, files=["config.json", "gone"])
    with pytest.raises(FileNotFoundError):
        put(folder.with_name("gone"))
    assert not store.exists("runs/7/gone.manifest.json")
    assert not store.exists("runs/7/weights/config.json")
    assert not store.exists("runs/7/weights.manifest.json")


def test_a_judge_names_a_checkpoint_in_the_store(store, folder, settings, tmp_path):
    model = model_name(folder, sha256=put(folder))
    there = elsewhere(settings, tmp_path)
    assert folder_of(model) == there
    assert fetch_named(model) == there
    assert (there / "config.json").is_file()
    for wrong in ("artifact:/etc@1", "artifact:../x@1", "artifact:@1"):
        with pytest.raises(ArtifactError, match="names no folder of the store"):
            folder_of(wrong)
    with pytest.raises(PermanentError, match="The store has no runs/8"):
        find_checkpoint(model="artifact:runs/8@00")


def test_without_a_store_a_folder_is_where_it_was_made_or_nowhere(folder, settings, tmp_path):
    assert model_name(folder, sha256="") == str(folder)
    fetch(folder, sha256="")
    with pytest.raises(ArtifactError, match="Let all workers see the same TRAINING_ROOT"):
        fetch(elsewhere(settings, tmp_path), sha256="00")


@pytest.mark.parametrize("wrong", ["store", "s3://", "https://example.org/x"])
def test_a_store_that_is_none_is_refused_at_the_start(wrong):
    with pytest.raises(ValueError, match="TRAINING_STORE must be a folder"):
        _store(wrong, endpoint="")
