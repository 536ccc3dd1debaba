"""Puts the installed package's plotly.min.js among the static files: charts load from our own host."""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage, Storage

NAME = "plotly.min.js"


def package_data() -> Path:
    """Where the installed package keeps its JavaScript; found without importing it."""
    spec = find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("plotly is not installed: install Tiebreak's requirements again.")
    return Path(spec.submodule_search_locations[0]) / "package_data"


class PlotlyFinder(BaseFinder):
    def __init__(self, *args: object, **kwargs: object) -> None:  # noqa: ARG002 - as the other finders
        self.storage = FileSystemStorage(location=package_data())

    def check(self, **kwargs: object) -> list[object]:  # noqa: ARG002 - Django's signature
        return []

    def find(self, path: str, find_all: bool = False, **kwargs: object) -> str | list[str]:
        find_all = find_all or bool(kwargs.get("all"))
        found = [self.storage.path(NAME)] if path == NAME else []
        return found if find_all else (found[0] if found else [])

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Storage]]:  # noqa: ARG002
        yield NAME, self.storage
