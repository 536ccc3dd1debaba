"""The rules that hold the whole together, read from the code itself."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# From the lowest to the highest: each may import those before it.
LAYERS = ("jobs", "annotation", "judging", "training")
PACKAGES = (*LAYERS, "config")
LONGEST_FILE = 400
# Only a worker loads these, and only when it judges or trains.
HEAVY = ("torch", "transformers", "deepspeed", "accelerate", "peft", "safetensors", "tokenizers")


def sources(package: str) -> Iterator[Path]:
    return (path for path in sorted((ROOT / package).rglob("*.py")) if path.parent.name != "migrations")


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, top-level package) of every import of a file, also those inside functions."""
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module.partition(".")[0]


def test_a_package_imports_only_the_layers_below_it():
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for height, package in enumerate(LAYERS)
        for path in sources(package)
        for line, name in imported(path)
        if name in PACKAGES and name not in LAYERS[: height + 1]
    ]
    assert wrong == []


def test_nothing_is_imported_from_the_tests():
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for package in PACKAGES
        for path in sources(package)
        for line, name in imported(path)
        if name in {"tests", "benchmarks"}
    ]
    assert wrong == []


LOAD_THE_WEB_PROCESS = f"""
import os, sys
from importlib import import_module
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
import config.wsgi
from django.conf import settings
from django.urls import get_resolver
from django.core.checks import run_checks
from config.celery import app
assert get_resolver().url_patterns
run_checks()
app.loader.import_default_modules()
assert "jobs.reap" in app.tasks, "the tasks were not loaded"
for package in {LAYERS}:
    for module in ("tasks", "admin", "views", "apps"):
        try:
            import_module(package + "." + module)
        except ModuleNotFoundError as error:
            if error.name != package + "." + module:
                raise
print(*sorted(set({HEAVY}) & set(sys.modules)))
"""


def test_the_web_process_and_the_tasks_never_load_torch():
    done = subprocess.run([sys.executable, "-c", LOAD_THE_WEB_PROCESS], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_the_supervisor_loads_no_django_of_its_own():
    """It lives as long as everything else and should stay small."""
    code = "import sys, config.supervisor.program, config.supervisor.database; print('django.db' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["False"], done.stderr


@pytest.mark.parametrize("package", [*PACKAGES, "tests", "benchmarks"])
def test_files_stay_short(package: str):
    too_long = {
        str(path.relative_to(ROOT)): lines
        for path in sources(package)
        if (lines := len(path.read_text().splitlines())) > LONGEST_FILE
    }
    assert too_long == {}
