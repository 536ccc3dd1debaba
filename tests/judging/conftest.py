"""A real checkpoint for the tests of judges, trained once a session (about twenty seconds)."""

from pathlib import Path

import pytest

from training.tiny_judge import make_tiny_judge


@pytest.fixture(scope="session")
def tiny_judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny-judge"
    make_tiny_judge(output=folder)
    return folder
