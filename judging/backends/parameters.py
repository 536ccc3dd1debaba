"""The parameters of each kind of judge: names, defaults, limits, and a word on each. Light: web pages read them too."""

import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from types import NoneType
from typing import Any, get_args, get_type_hints
from urllib.parse import urlsplit

OPENAI_BASE_URL = "https://api.openai.com/v1"
# Only such variables may be named, so that a judge cannot send the server's other secrets somewhere.
KEY_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*_API_KEY")
LOOKS_LIKE_KEY = re.compile(r"api_?key|token|secret|password|authorization", re.IGNORECASE)


class BadParametersError(ValueError):
    """A parameter is unknown or out of its limits; the text names it and says what may stand there."""


def facts(about: str, *, low: float | None = None, high: float | None = None, choices: tuple = ()) -> dict:
    return {"about": about, "low": low, "high": high, "choices": choices}


def parameter(default: object, about: str, **limits: Any) -> Any:
    return field(default=default, metadata=facts(about, **limits))


@dataclass(frozen=True)
class BaselineParameters:
    """None."""


@dataclass(frozen=True)
class JuryParameters:
    members: list = field(default_factory=list, metadata=facts("Names of two or more judges that decide together."))


@dataclass(frozen=True)
class FakeParameters:
    seed: int = parameter(0, "Another seed, other preferences.")
    position_bias: float = parameter(0.0, "Leaning to the first response shown; 1 always takes it.", low=-1, high=1)
    tie_margin: float = parameter(0.1, "Scores (0 to 1) nearer than this are a tie.", low=0, high=1)
    invalid_share: float = parameter(0.0, "Share of answers that are nonsense.", low=0, high=1)
    refused_share: float = parameter(0.0, "Share of answers that are refusals.", low=0, high=1)
    failed_share: float = parameter(0.0, "Share of answers that fail.", low=0, high=1)
    seconds: float = parameter(0.0, "Time that each answer takes.", low=0, high=60)
    fail_after: int | None = parameter(None, "Break the run after this many answers of an attempt.", low=0)


@dataclass(frozen=True)
class TransformersParameters:
    mode: str = parameter(
        "verdict",
        "verdict: the choice from one forward pass, with probabilities. exact: by four beams, as PandaLM's own code.",
        choices=("verdict", "exact"),
    )
    batch_tokens: int = parameter(8192, "Tokens that are read in one batch.", low=1)
    max_prompt_tokens: int | None = parameter(None, "Longer prompts are too long; null: what the model takes.", low=1)
    too_long: str = parameter(
        "refuse",
        "shorten: cut both responses to the same length, marked, and say so with the verdict.",
        choices=("refuse", "shorten"),
    )
    max_new_tokens: int = parameter(512, "Length of reason and reference together.", low=1, high=32768)
    dtype: str = parameter(
        "auto", "auto: bfloat16 on a GPU that has it, else float32.", choices=("auto", "float32", "bfloat16", "float16")
    )
    weights: str = parameter(
        "as_loaded",
        "int8: a byte a weight, where memory is short. Moves some verdicts: compare its run with one as loaded.",
        choices=("as_loaded", "int8"),
    )


@dataclass(frozen=True)
class OpenAIParameters:
    base_url: str = parameter(OPENAI_BASE_URL, "Address of the server, with its /v1.")
    api_key_env: str = parameter(
        "",
        "Environment variable of the worker that holds the key; its name ends in _API_KEY. Left empty: OPENAI_API_KEY "
        "for OpenAI's own address, no key for any other.",
    )
    endpoint: str = parameter(
        "chat", "completions sends the template's bare text: for judges trained on it.", choices=("chat", "completions")
    )
    temperature: float | None = parameter(0.0, "null: not sent, for models that take none.", low=0, high=2)
    max_tokens: int | None = parameter(1024, "Longest answer; null: not sent.", low=1)
    logprobs: int = parameter(0, "Alternatives asked for at each token, for probabilities; 0: none.", low=0, high=20)
    response_format: str = parameter(
        "auto", "auto: the template's JSON Schema, if it has one.", choices=("auto", "json_object", "none")
    )
    concurrency: int = parameter(16, "Requests under way at once; fewer while the server says 429.", low=1, high=512)
    batch: bool = parameter(
        False, "Ask by OpenAI's Batch API: a file of questions, answered within a day, at half the list price."
    )
    batch_questions: int = parameter(20_000, "Questions that go out as one batch.", low=1, high=50_000)
    cache: bool = parameter(True, "What any run was answered before is not asked, and not paid, again.")
    retries: int = parameter(6, "Further tries after 429, 5xx, time-outs and broken connections.", low=0, high=20)
    timeout: float = parameter(120.0, "Seconds for one try.", low=0.05, high=3600)
    price_in: float | None = parameter(
        None, "US dollars for a million prompt tokens; null: OpenAI's list price, at OpenAI's address.", low=0
    )
    price_out: float | None = parameter(None, "US dollars for a million answer tokens.", low=0)
    extra_body: dict = field(
        default_factory=dict, metadata=facts("Sent with each request as it is: what this server wants besides.")
    )


PARAMETERS: dict[str, type] = {
    "baseline": BaselineParameters,
    "jury": JuryParameters,
    "fake": FakeParameters,
    "transformers": TransformersParameters,
    "openai": OpenAIParameters,
}


def described(backend: str) -> list[dict[str, object]]:
    """Name, default and meaning of each parameter of a backend, for pages."""
    rows = []
    for one in fields(PARAMETERS[backend]):
        default = one.default if one.default is not MISSING else one.default_factory()  # type: ignore[misc]
        rows.append({"name": one.name, "default": default, **one.metadata})
    return rows


def read_parameters(backend: str, given: Mapping[str, object]) -> Any:
    """The backend's parameters, checked, with defaults where nothing is said. Raises BadParametersError."""
    known = {one.name: one for one in fields(PARAMETERS[backend])}
    for name in given:
        if name not in known:
            raise BadParametersError(_unknown(name, known))
    hints = get_type_hints(PARAMETERS[backend])
    values = {
        name: _checked(known[name], get_args(hints[name]) or (hints[name],), value) for name, value in given.items()
    }
    made = PARAMETERS[backend](**values)
    if backend == "openai":
        _check_address(made)
    return made


def _unknown(name: str, known: Mapping[str, object]) -> str:
    if LOOKS_LIKE_KEY.search(name):
        return (
            f"'{name}': keys are never stored. Set the key as an environment variable of the workers and, "
            "if it is not OPENAI_API_KEY, give the variable's name as api_key_env."
        )
    names = ", ".join(known) or "none"
    return f"'{name}' is no parameter of this kind of judge. There are: {names}."


WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    dict: "an object",
    list: "a list",
}


def _checked(one: Field, kinds: tuple[type, ...], value: object) -> object:
    """kinds: what the field may be, as (int,) or (float, NoneType)."""
    if value is None and NoneType in kinds:
        return None
    kind = kinds[0]
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, kind):
        raise BadParametersError(f"'{one.name}' must be {WORDS[kind]}, not {value!r}.")
    choices, low, high = (one.metadata[key] for key in ("choices", "low", "high"))
    if choices and value not in choices:
        raise BadParametersError(f"'{one.name}' must be one of {', '.join(choices)}, not {value!r}.")
    if (low is not None and value < low) or (high is not None and value > high):  # type: ignore[operator]
        limits = f"at least {low}" if high is None else f"from {low} to {high}"
        raise BadParametersError(f"'{one.name}' must be {limits}, not {value!r}.")
    return value


def _check_address(made: OpenAIParameters) -> None:
    address = urlsplit(made.base_url)
    if address.scheme not in {"http", "https"} or not address.hostname:
        raise BadParametersError("'base_url' must be an http:// or https:// address, as http://127.0.0.1:8001/v1.")
    if address.username or address.password or address.query:
        raise BadParametersError("'base_url' must hold no user name, password or query: keys are never stored.")
    if made.batch and not made.cache:
        raise BadParametersError("'batch' needs 'cache': a batch that outlives its worker is found again by it.")
    if made.api_key_env and not KEY_VARIABLE.fullmatch(made.api_key_env):
        raise BadParametersError("'api_key_env' must name an environment variable that ends in _API_KEY.")
    if any(LOOKS_LIKE_KEY.search(name) and not name.startswith("max_") for name in made.extra_body):
        raise BadParametersError("'extra_body' seems to hold a key or token. Keys are never stored: see api_key_env.")
