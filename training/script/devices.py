"""What a run's process computes on: its number format, its memory, its peak. Torch."""

import os
import resource
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

# FLOP/s of dense bf16 matrix products, as the makers state them; by a word in the device's name.
PEAKS = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "H800": 989e12,
    "A100": 312e12,
    "A800": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10G": 70e12,
    "RTX 4090": 165e12,
    "RTX 3090": 71e12,
}


@dataclass(frozen=True)
class Device:
    device: torch.device
    dtype: torch.dtype

    @property
    def is_gpu(self) -> bool:
        return self.device.type == "cuda"

    @property
    def backend(self) -> str:
        return "cpu:gloo,cuda:nccl" if self.is_gpu else "gloo"

    def told(self) -> dict[str, object]:
        if not self.is_gpu:
            return {"device": "cpu", "dtype": _name(self.dtype)}
        name = torch.cuda.get_device_name(self.device)
        peak = next((peak for word, peak in PEAKS.items() if word in name), None)
        known = peak if self.dtype == torch.bfloat16 else None
        memory = torch.cuda.get_device_properties(self.device).total_memory
        return {"device": name, "dtype": _name(self.dtype), "peak": known, "memory": memory}

    def wait(self) -> None:
        if self.is_gpu:
            torch.cuda.synchronize(self.device)

    def peak(self) -> int:
        """Bytes at most taken so far: of the GPU's memory, or by this process."""
        if self.is_gpu:
            return torch.cuda.max_memory_allocated(self.device)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def the_device(precision: str) -> Device:
    """This process's own, by its number on the machine."""
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
        able = torch.cuda.is_bf16_supported()
    else:
        device, able = torch.device("cpu"), False
    wanted = ("bf16" if able else "fp32") if precision == "auto" else precision
    return Device(device, torch.bfloat16 if wanted == "bf16" else torch.float32)


def compute_activations_anew(model: PreTrainedModel) -> None:
    """On the way back, rather than keep them."""
    how = {"use_reentrant": False}
    if hasattr(model, "activation_checkpointing_enable"):
        model.activation_checkpointing_enable(activation_checkpointing_kwargs=how)
    else:  # The older name.
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=how)


def fused_kernels(model: PreTrainedModel, device: Device) -> bool:
    """Liger's kernels for what is bound by memory, where they are installed, know the model and a GPU is there."""
    if not device.is_gpu:
        return False
    try:
        from liger_kernel.transformers import monkey_patch
    except ImportError:
        return False
    if model.config.model_type not in monkey_patch.MODEL_TYPE_TO_APPLY_LIGER_FN:
        return False
    monkey_patch._apply_liger_kernel_to_instance(model=model, fused_linear_cross_entropy=False, cross_entropy=False)
    return True


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
