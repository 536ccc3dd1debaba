"""Where each kind of judge is decided. A backend is reached by its dotted path, so nothing heavy loads before its use.

Django-free, like all of this package: a backend gets texts and gives answers; judging.runs does the rest.
"""

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


def load_backend(settings: Settings) -> Backend:
    """The backend of a frozen judge, ready to answer.

    Raises PermanentError where it cannot be: a missing checkpoint or key, a bad parameter.
    """
    module, _, name = PATHS[settings.backend].rpartition(".")
    return getattr(import_module(module), name)(settings)


__all__ = ["PARAMETERS", "PATHS", "Backend", "BadParametersError", "Settings", "load_backend", "read_parameters"]
