"""What is computed in bf16 is added up and kept in fp32."""

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings

from training.launching import environment, free_port


@pytest.mark.slow
def test_gradients_of_many_pieces_and_small_steps_of_weights_are_not_lost():
    told = subprocess.run(
        [sys.executable, "-m", "tests.training.adding"],
        cwd=settings.BASE_DIR,
        env=environment(os.environ, devices=["cpu"], wanted=1, attempt_id=0) | {"MASTER_PORT": str(free_port())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-3000:]
    found = json.loads(told.stdout.splitlines()[-1])
    assert {stage: each["norm"] for stage, each in found.items()} == dict.fromkeys("0123", 256.0 + 64)
    for each in found.values():
        assert each["weight"] == pytest.approx(1 - 50 * 1e-4, abs=0.004)
        assert each["weight"] < 1
