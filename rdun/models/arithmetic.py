"""What a precision means: the type of the CNN's numbers, and how a GPU rounds convolutions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from rdun.config import Precision

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def check_precision(precision: Precision, device: torch.device) -> None:
    """Raises ValueError for a precision that the device does not have."""
    if precision == "tf32" and device.type != "cuda":
        raise ValueError("precision='tf32' exists on GPUs only; use 'fp32' or 'bf16' here")


def autocast(precision: Precision, device: torch.device, *, cache: bool = True) -> torch.autocast:
    """The forward pass of a network in a precision.

    Args:
        cache: keep the weights' casts for the whole pass; not possible while a CUDA graph is captured.
    """
    low = precision in _DTYPES
    return torch.autocast(device.type, dtype=_DTYPES.get(precision, torch.bfloat16), enabled=low, cache_enabled=cache)


@contextmanager
def convolutions(device: torch.device, *, tf32: bool = False, benchmark: bool = False) -> Iterator[None]:
    """Float32 convolutions on a GPU, forward and backward: in float32, where PyTorch's default rounds to TF32, or in TF32.

    Args:
        benchmark: let cuDNN choose among its algorithms by measuring; worth it where shapes repeat.
    """
    if device.type != "cuda":
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, benchmark=benchmark, allow_tf32=tf32):
        yield
