"""Our own weights: safetensors with the trial's config inside, so that one file says what it is and can be rebuilt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from rdun.config import NUMERICS, TrialConfig, from_dict, to_dict
from rdun.models import Unfolding, build_model

KEY = "rdun"  # one metadata entry only: their order in the file is not fixed, and equal models must give equal bytes


def encode_model(model: nn.Module, config: TrialConfig) -> bytes:
    """The content of a safetensors file: every parameter once (tied ones under their first name), and the config."""
    note = json.dumps({"config": to_dict(config), "numerics": NUMERICS}, sort_keys=True, allow_nan=False)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.named_parameters()}
    return bytes(save(tensors, {KEY: note}))


def decode_model(content: bytes, name: str) -> tuple[Unfolding, TrialConfig]:
    """The inverse of `encode_model`; the model is on the CPU, in evaluation mode.

    Args:
        name: what error messages call the file.

    Raises:
        ValueError: not a safetensors file of this project, or tensors that are unknown, missing or of the wrong shape.
    """
    try:
        tensors: dict[str, Tensor] = load(content)
    except (SafetensorError, ValueError, KeyError, OverflowError) as error:
        raise ValueError(
            f"{name} is not a readable safetensors file ({error}); it may be cut off: copy it again"
        ) from None
    config = _config(content, name)
    return assemble(config, tensors, name), config


def save_model(model: nn.Module, config: TrialConfig, path: str | Path) -> None:
    """Writes a safetensors file that `load_model` reads, whole or not at all."""
    target = Path(path)
    partial = target.with_name(target.name + ".part")
    try:
        partial.write_bytes(encode_model(model, config))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def load_model(path: str | Path) -> tuple[Unfolding, TrialConfig]:
    """A model and its config from a file of `save_model`. Raises as `decode_model`; OSError where it cannot be read."""
    return decode_model(Path(path).read_bytes(), str(path))


def assemble(config: TrialConfig, tensors: Mapping[str, Tensor], name: str) -> Unfolding:
    """The network of a config with these parameters, on the CPU, in evaluation mode.

    Memory for the network is taken only after every name and shape agrees.

    Raises:
        ValueError: tensors that are unknown, missing, of another shape or not finite; `name` is what the message calls the file.
    """
    with torch.device("meta"):
        network = build_model(config)
    targets = dict(network.named_parameters())
    unknown, missing = sorted(set(tensors) - set(targets)), sorted(set(targets) - set(tensors))
    if unknown or missing:
        said = [f"unknown tensors {_few(unknown)}"] * bool(unknown) + [f"missing tensors {_few(missing)}"] * bool(
            missing
        )
        raise ValueError(f"{name} does not fit the network that its config describes: {'; '.join(said)}")
    for key, target in targets.items():
        found = tensors[key]
        if found.shape != target.shape:
            raise ValueError(f"{name}: {key} has shape {tuple(found.shape)}, the network needs {tuple(target.shape)}")
        if not found.is_floating_point() or not bool(torch.isfinite(found.float()).all()):
            raise ValueError(f"{name}: {key} holds values that are not finite numbers; the file is damaged")
    network = build_model(config)  # `to_empty` would load half a second of PyTorch's symbolic mathematics
    with torch.no_grad():
        for key, parameter in network.named_parameters():
            parameter.copy_(tensors[key])
    return network.eval()


def _config(content: bytes, name: str) -> TrialConfig:
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    note: Any = header.get("__metadata__", {}).get(KEY)
    remedy = "write it with rdun.weights.save_model, or convert published weights with `python -m rdun.weights convert`"
    if note is None:
        raise ValueError(f"{name} holds tensors but no rdun config; {remedy}")
    try:
        record = json.loads(note)
        values, numerics = record["config"], record["numerics"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError(f"{name}: its rdun config cannot be read; {remedy}") from None
    if numerics != NUMERICS:
        raise ValueError(f"{name} was written with numerics {numerics!r}, this is {NUMERICS}; {remedy}")
    try:
        return from_dict(TrialConfig, values)
    except ValueError as error:
        raise ValueError(f"{name}: its config is not possible here: {error}") from None


def _few(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
