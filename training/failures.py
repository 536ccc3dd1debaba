"""Why a training run failed, in a word, and what to do about it. Pure."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """kind: memory, numbers, disk, data, model, devices, communication, killed or fault.

    permanent: another attempt would end in the same way.
    """

    kind: str
    advice: str
    permanent: bool


_MEMORY = ("OutOfMemoryError", "MemoryError", "out of memory")
_COMMUNICATION = (
    "nccl",
    "gloo",
    "connection reset by peer",
    "connection closed by peer",
    "socket timeout",
    "rendezvous",
)
# As transformers and huggingface_hub say that a hub id is neither in the cache nor to be downloaded.
_AWAY_FROM_THE_HUB = ("couldn't connect to 'https://huggingface.co", "outgoing traffic has been disabled")


def why(*, told: Mapping[str, object] | None, log: str, exit_code: int) -> Failure:
    """told: what the first failing process wrote of itself, if it could. log: the end of what all of them wrote."""
    kind = str(told["type"]) if told else ""
    text = str(told["text"]) if told else ""
    said = f"{kind} {text}".lower() if told else log[-4000:].lower()
    if any(word.lower() in said for word in _MEMORY):
        return Failure(
            "memory",
            f"A device ran out of memory ({_short(text)}). Ask for fewer piece_tokens, switch gradient_checkpointing "
            "on, train adapters (LoRA), spread more over the devices (zero_stage 3), or switch offload on.",
            permanent=True,
        )
    if kind == "NotFiniteError":
        return Failure(
            "numbers",
            f"{text} The run stopped before the weights were spoilt further. Take a smaller learning_rate, clip "
            "gradients at 1, or look for broken samples; the checkpoints before it are good.",
            permanent=True,
        )
    if kind == "DiskFullError" or "no space left" in said:
        return Failure(
            "disk",
            f"The disk is full ({_short(text)}). The checkpoints before this one are whole. Make room where "
            "TRAINING_ROOT lies, and try again: the run goes on from the last of them.",
            permanent=True,
        )
    if kind in {"BadRowError", "SnapshotChangedError"}:
        return Failure("data", text, permanent=True)
    if any(word in said for word in _AWAY_FROM_THE_HUB):
        return Failure(
            "model",
            f"{_short(text)} Workers are offline unless HF_HUB_OFFLINE=0 is set in their environment: check that the "
            "name is right, bring the files into the workers' cache, or set it so that they download them.",
            permanent=True,
        )
    if kind in {"PermanentError", "ValueError", "NoSpellingError"}:
        return Failure("model", text, permanent=True)
    if kind == "WorldSizeError":
        return Failure("devices", text, permanent=True)
    if "address already in use" in said or any(word in said for word in _COMMUNICATION):
        return Failure(
            "communication",
            f"The processes lost each other ({_short(text) or 'see the end of the log'}). Most often one of them was "
            "killed, or the network between them failed.",
            permanent=False,
        )
    if exit_code < 0 or "exits with return code = -" in log or "signal" in kind.lower():
        name = signal.Signals(-exit_code).name if exit_code < 0 else "a signal"
        return Failure(
            "killed",
            f"Its processes were ended by {name}. Where nobody did that, the machine ran out of memory: take a smaller "
            "model or fewer devices a machine.",
            permanent=False,
        )
    return Failure(
        "fault",
        f"{kind}: {text}" if told else f"Its processes ended with exit code {exit_code}. The end of the log says more.",
        permanent=False,
    )


def _short(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= 200 else f"{line[:197]}..."
