"""Where the files of training lie: snapshots and runs, each in a folder of its own under one root."""

from pathlib import Path

from django.conf import settings


def snapshot_folder(pk: int) -> Path:
    return settings.TRAINING_ROOT / "snapshots" / str(pk)


def run_folder(pk: int) -> Path:
    return settings.TRAINING_ROOT / "runs" / str(pk)
