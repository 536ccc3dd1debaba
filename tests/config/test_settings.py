"""A wrong setting stops the start and is named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def read_settings(home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "TIEBREAK_HOME": str(home)} | variables
    return subprocess.run(
        [sys.executable, "-c", "import config.settings"], cwd=ROOT, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "perhaps"),
        ("DATABASE_URL", "sqlite:///tiebreak"),
        ("DATABASE_POOL_SIZE", "0"),
        ("BROKER_URL", "memory://"),
        ("BROKER_URL", "broker.example.org"),
        ("TIME_ZONE", "Mars/Olympus"),
        ("UPLOAD_LIMIT_BYTES", "-1"),
        ("LOG_LEVEL", "LOUD"),
        ("JOB_BEAT_SECONDS", "0"),
        ("JOB_STALE_SECONDS", "1"),
        ("JOB_GRACE_SECONDS", "soon"),
        ("EMAIL_PORT", "smtp"),
        ("EMAIL_TIMEOUT", "-1"),
    ],
)
def test_a_wrong_value_is_named(tmp_path, name, value):
    found = read_settings(tmp_path, **{name: value})
    assert found.returncode != 0
    assert name in found.stderr.splitlines()[-1]


MAIL = {"EMAIL_HOST": "mail", "EMAIL_FROM": "tiebreak@example.org", "SITE_URL": "https://tiebreak.example.org"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"EMAIL_FROM": ""}, "EMAIL_FROM"),
        ({"SITE_URL": "tiebreak.example.org"}, "SITE_URL"),
        ({"EMAIL_USE_TLS": "true", "EMAIL_USE_SSL": "true"}, "EMAIL_USE_SSL"),
        ({}, ""),
    ],
)
def test_mail_needs_all_that_a_mail_says(tmp_path, change, named):
    found = read_settings(tmp_path, **MAIL | change)
    assert (found.returncode != 0) is bool(named)
    assert not named or named in found.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["DATABASE_URL", "BROKER_URL", "SECRET_KEY"])
def test_an_empty_value_counts_as_not_set(tmp_path, name):
    assert read_settings(tmp_path, **{name: ""}).returncode == 0


@pytest.mark.parametrize(
    "address", ["amqp://me:secret@broker/", "amqps://broker/", "redis://broker", "rediss://b:6380/1"]
)
def test_brokers_of_ones_own_are_taken(tmp_path, address):
    assert read_settings(tmp_path, BROKER_URL=address).returncode == 0
