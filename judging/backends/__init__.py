"""Where each kind of judge is decided. A backend is reached by its dotted path, so nothing heavy loads before its use.

Django-free, like all of this package: a backend gets texts and gives answers; judging.runs.starting does the rest.
"""

from collections.abc import Mapping
from importlib import import_module

from judging.backends.base import Backend, Settings
from judging.backends.parameters import PARAMETERS, BadParametersError, read_parameters

PATHS = {
    "baseline": "judging.backends.baseline.Baseline",
    "jury": "judging.juries.Jury",
    "fake": "judging.backends.fake.Fake",
    "transformers": "judging.backends.transformers_local.LocalCheckpoint",
    "openai": "judging.backends.openai_api.OpenAIServer",
}
BATCHES = "judging.backends.batches.BatchServer"


def load_backend(settings: Settings) -> Backend:
    """The backend of a frozen judge, ready to answer.

    Raises PermanentError where it cannot be: a missing checkpoint or key, a bad parameter.
    """
    path = BATCHES if settings.backend == "openai" and settings.parameters.get("batch") else PATHS[settings.backend]
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)(settings)


def explains(backend: str, parameters: Mapping[str, object]) -> bool:
    """Whether such a judge can write a reason later, for a choice that it made before.

    In the exact mode the choice is read out of the whole text, so the reason is there with it or not at all.
    """
    if backend == "transformers":
        return read_parameters(backend, parameters).mode == "verdict"
    return backend == "fake"


__all__ = [
    "PARAMETERS",
    "PATHS",
    "Backend",
    "BadParametersError",
    "Settings",
    "explains",
    "load_backend",
    "read_parameters",
]
