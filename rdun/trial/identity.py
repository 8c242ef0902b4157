"""Which trial a config is, on this machine."""

from __future__ import annotations

from dataclasses import replace

import torch

from rdun.config import TrialConfig, fingerprint
from rdun.data import image_hash
from rdun.monitor import has_bf16


def resolve_precision(config: TrialConfig, device: torch.device) -> TrialConfig:
    """The config with "auto" replaced: bf16 where the device has instructions for it, else fp32."""
    if config.precision != "auto":
        return config
    gpu = device.type == "cuda"
    fast = torch.cuda.is_bf16_supported(including_emulation=False) if gpu else has_bf16()
    return replace(config, precision="bf16" if fast else "fp32")


def trial_fingerprint(config: TrialConfig) -> str:
    """The identity of a trial whose precision is resolved (see `rdun.config.fingerprint`)."""
    names = {config.data.train, config.data.validation, *config.data.test}
    return fingerprint(config, {name: image_hash(name) for name in names})
