"""A real checkpoint for the tests of judges, trained once a session (about twenty seconds)."""

from pathlib import Path

import pytest
from filelock import FileLock

from training.tiny_judge import make_tiny_judge


@pytest.fixture(scope="session")
def tiny_judge(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Several processes of one session share it: the first makes it."""
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent
    folder = shared / "tiny-judge"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            make_tiny_judge(output=folder)
    return folder
