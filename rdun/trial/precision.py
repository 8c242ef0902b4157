"""What "auto" stands for on this machine."""

from __future__ import annotations

from dataclasses import replace

import torch

from rdun.config import TrialConfig
from rdun.models import check_precision
from rdun.monitor import has_bf16


def resolve_precision(config: TrialConfig, device: torch.device) -> TrialConfig:
    """The config with "auto" replaced: bf16 where the device has instructions for it, else fp32.

    Raises:
        ValueError: a precision that the device does not have.
    """
    check_precision(config.precision, device)
    if config.precision != "auto":
        return config
    gpu = device.type == "cuda"
    fast = torch.cuda.is_bf16_supported(including_emulation=False) if gpu else has_bf16()
    return replace(config, precision="bf16" if fast else "fp32")
