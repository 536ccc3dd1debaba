"""A checkpoint into memory: tokenizer and model, in the number format that was asked for. Imports torch."""

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from jobs.errors import PermanentError
from judging.backends.checkpoints import Checkpoint


def the_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def dtype_named(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    return getattr(torch, name)


def load_tokenizer(found: Checkpoint) -> PreTrainedTokenizerBase:
    """Raises PermanentError."""
    try:
        return AutoTokenizer.from_pretrained(found.source, **found.options)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PermanentError(f"The tokenizer of {found.source} cannot be read: {error}") from error


def load_model(found: Checkpoint, *, dtype: torch.dtype) -> PreTrainedModel:
    """From safetensors alone. Raises PermanentError, or OutOfMemoryError where the GPU has no room.

    Weights that the files lack are refused: transformers would draw them at random and only log it.
    """
    how = {"dtype": dtype, "use_safetensors": True, "output_loading_info": True}
    try:
        model, told = AutoModelForCausalLM.from_pretrained(found.source, **how, **found.options)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # safetensors and transformers raise many kinds for a broken file
        raise PermanentError(f"The model of {found.source} cannot be loaded: {error}") from error
    if missing := sorted(told["missing_keys"]):
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise PermanentError(
            f"{found.source} lacks weights of a {type(model).__name__}: {missing[0]}{more}. It may be the checkpoint "
            "of a classifier or of another architecture than its config.json says. Name a causal language model."
        )
    return model


@torch.inference_mode()
def check_causal(model: PreTrainedModel, *, source: str) -> None:
    """Raises PermanentError where what a model says of a token depends on later ones, as of BERT and its kind.

    Such a model loads and answers, and what it answers means nothing.
    """
    pair = torch.tensor([[1, 2, 3], [1, 2, 4]], device=model.device) % model.config.vocab_size
    said = model(input_ids=pair).logits[:, 1].float()
    if not torch.allclose(said[0], said[1], rtol=1e-3, atol=1e-3 * float(said.abs().max())):
        raise PermanentError(
            f"{source} is a {type(model).__name__} that reads texts from both ends: it cannot go on with a prompt. "
            "Name a causal language model."
        )


def pad_of(tokenizer: PreTrainedTokenizerBase) -> int:
    """Any token will do where the mask says that it is not there."""
    known = (tokenizer.pad_token_id, tokenizer.eos_token_id)
    return next((token for token in known if token is not None), 0)


def ends_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """The tokens that end an answer, as the checkpoint says. None at all: it ends where its room does."""
    said = getattr(model.generation_config, "eos_token_id", None)
    if said is None:
        said = tokenizer.eos_token_id
    return tuple(said) if isinstance(said, list | tuple) else () if said is None else (said,)
