"""How large a model is, read off its folder without loading it. No torch.

Parameters are counted in the headers of the safetensors files (their format: eight bytes with the header's length, the
header as JSON, the numbers); widths come from config.json under the names that each architecture gives them.
"""

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path

# Families whose feed-forward layers have a gate beside the usual two projections.
GATED = {"llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "phi3", "granite", "olmo2", "smollm3"}
LONGEST_HEADER = 100 * 1024**2


class NoShapeError(ValueError):
    """The folder does not say how large its model is; the text says what is missing."""


@dataclass(frozen=True)
class Shape:
    """parameters: all of them. heads: those of embeddings at both ends, once if they are one. Widths in numbers."""

    family: str
    parameters: int
    heads: int
    layers: int
    hidden: int
    inner: int
    keys: int
    vocabulary: int
    positions: int | None

    @property
    def body(self) -> int:
        """Parameters that every token goes through."""
        return self.parameters - self.heads

    @property
    def is_gated(self) -> bool:
        return self.family in GATED


def shape_of(folder: Path) -> Shape:
    """Raises NoShapeError."""
    try:
        config = json.loads((folder / "config.json").read_text())
        config = config | (config.get("text_config") or {})
    except (OSError, ValueError) as error:
        raise NoShapeError(f"{folder / 'config.json'} cannot be read: {error}") from error

    def known(*names: str) -> int | None:
        return next((int(config[name]) for name in names if config.get(name)), None)

    layers = known("num_hidden_layers", "n_layer")
    hidden = known("hidden_size", "n_embd", "n_embed", "word_embed_proj_dim")
    vocabulary = known("vocab_size")
    if not (layers and hidden and vocabulary):
        raise NoShapeError(f"{folder / 'config.json'} does not say how many layers, how wide, or how many tokens.")
    queries = known("num_attention_heads", "n_head") or 1
    width = known("head_dim") or hidden // queries
    tensors = tensors_in(folder)
    embeddings = [size for name, size in tensors.items() if _is_head(name)]
    return Shape(
        family=str(config.get("model_type", "")),
        parameters=sum(tensors.values()),
        heads=sum(embeddings),
        layers=layers,
        hidden=hidden,
        inner=known("intermediate_size", "ffn_dim", "n_inner") or 4 * hidden,
        keys=(known("num_key_value_heads") or queries) * width,
        vocabulary=vocabulary,
        positions=known("max_position_embeddings", "n_positions"),
    )


def tensors_in(folder: Path) -> dict[str, int]:
    """Numbers in each tensor of the folder's safetensors files. Raises NoShapeError."""
    found: dict[str, int] = {}
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with file.open("rb") as data:
                (length,) = struct.unpack("<Q", data.read(8))
                if length > LONGEST_HEADER:
                    raise ValueError("its header is longer than any real one")
                header = json.loads(data.read(length))
        except (OSError, ValueError, struct.error) as error:
            raise NoShapeError(f"{file} is no safetensors file: {error}") from error
        found |= {name: math.prod(told["shape"]) for name, told in header.items() if name != "__metadata__"}
    if not found:
        raise NoShapeError(f"{folder} holds no *.safetensors files.")
    return found


def _is_head(name: str) -> bool:
    words = (
        "embed_tokens.",
        "lm_head.",
        "wte.",
        "word_embeddings.",
        "embed_in.",
        "embed_out.",
        "wpe.",
        "embed_positions.",
    )
    return any(word in name for word in words)


def flops_of(shape: Shape, *, tokens: int, squares: int, answer_tokens: int) -> float:
    """Of forward and backward of a step: six a parameter and token, and the attention to earlier tokens.

    squares: the sum of the squared lengths of the samples. The vocabulary counts for answers alone, since only they
    are projected. What checkpointing computes twice is not counted twice.
    """
    body = 6.0 * shape.body * tokens
    attention = 6.0 * shape.layers * shape.hidden * squares
    return body + attention + 6.0 * shape.hidden * shape.vocabulary * answer_tokens
