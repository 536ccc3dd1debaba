"""The released PandaLM files, where they are present; a test that needs them is skipped where they are not."""

import json
from functools import cache
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "pandalm"
TEST_SET, GPT, PANDALM = "testset-v1.json", "gpt-3.5-turbo-testset-v1.json", "pandalm-7b-testset-v1.json"

needs_pandalm = pytest.mark.skipif(
    not (FOLDER / TEST_SET).exists(), reason="PandaLM's released files are not in ../shared/data/pandalm."
)


@cache
def rows(name: str) -> list[dict]:
    return json.loads((FOLDER / name).read_text())
