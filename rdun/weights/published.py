"""The authors' published checkpoints as models of ours."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from rdun.config import (
    BlockSensingTask,
    CoastConfig,
    Fixed,
    IstaNetConfig,
    IstaNetPlusConfig,
    ModelConfig,
    ModulationConfig,
    NoModulation,
    OptimConfig,
    RatioScale,
    RecursionConfig,
    Rfmu,
    TrialConfig,
    UniformRange,
)
from rdun.models import Unfolding
from rdun.weights.checkpoint import read_tensors
from rdun.weights.names import COAST, ISTA_NET, ISTA_NET_PLUS, SCALARS
from rdun.weights.store import assemble

_SHARED = re.compile(r"ResidualBlocks\.[012]\.res_scale\.(.+)")


@dataclass(frozen=True, kw_only=True)
class KnownFile:
    """What a published file does not say itself: recursions per layer in training (drawn from 1 to it), and its only ratio."""

    title: str
    recursions: int
    ratio: float | None = None


@cache
def known_files() -> dict[str, KnownFile]:
    """The entries of published.toml, by sha256."""
    table = tomllib.loads((Path(__file__).parent / "published.toml").read_text())
    return {entry.pop("sha256"): KnownFile(title=title, **entry) for title, entry in table.items()}


def load_published(path: str | Path, recursions: int | None = None) -> tuple[Unfolding, TrialConfig]:
    """A published COAST, R-COAST, ISTA-Net or ISTA-Net+ checkpoint, with the config that its paper trained it by.

    Args:
        recursions: most recursions per layer in training, of a file that is not in the list of known ones. A file does not
            say it, but COAST's scores and the RFMU's inputs depend on it.

    Raises:
        ValueError: not such a file, or a recursion count that is not known. OSError: it cannot be read.
    """
    path = Path(path)
    layers = _layers(read_tensors(path), path)
    known = known_files().get(hashlib.sha256(path.read_bytes()).hexdigest())
    recursions = known.recursions if known else recursions
    channels = next(int(t.shape[0]) for t in layers[0].values() if t.ndim == 4)
    if "head_conv.weight" in layers[0]:
        if recursions is None:
            raise ValueError(
                f"{path} is a COAST network that is not on record; give its recursions per layer (--trained-recursions)"
            )
        shared = _shared(layers, path)
        tensors = _renamed(layers, COAST) | {f"modulation.slots.0.{name}": tensor for name, tensor in shared.items()}
        config = _coast(CoastConfig(layers=len(layers), channels=channels), _modulation(shared, path), recursions)
    else:
        plus = "conv_D" in layers[0]
        model = (IstaNetPlusConfig if plus else IstaNetConfig)(layers=len(layers), channels=channels)
        tensors = _renamed(layers, ISTA_NET_PLUS if plus else ISTA_NET)
        config = _ista(model, recursions or 1, known.ratio if known else None)
    return assemble(config, tensors, str(path)), config


def _layers(state: Mapping[str, Tensor], path: Path) -> list[dict[str, Tensor]]:
    """The tensors of each layer, without the prefixes of DataParallel and of the layer list."""
    layers: dict[int, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        match = re.fullmatch(r"(?:module\.)?fcs\.(\d{1,4})\.(.+)", name)
        if not match:
            raise ValueError(f"{path} holds a tensor {name[:80]!r}, which no published COAST or ISTA-Net has")
        layer = layers.setdefault(int(match[1]), {})
        if match[2] in layer:
            raise ValueError(f"{path} holds {match[2]!r} of layer {int(match[1])} twice, under two prefixes")
        layer[match[2]] = tensor
    if sorted(layers) != list(range(len(layers))) or not any(t.ndim == 4 and len(t) for t in layers[0].values()):
        raise ValueError(f"{path} holds layers {sorted(layers)[:8]}, which no published COAST or ISTA-Net has")
    return [layers[i] for i in range(len(layers))]


def _renamed(layers: list[dict[str, Tensor]], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Our names; a tensor that has none keeps its own, and `assemble` refuses it by that."""
    tensors: dict[str, Tensor] = {}
    for index, layer in enumerate(layers):
        for name, tensor in layer.items():
            scalar = name in SCALARS and tensor.shape == (1,)
            tensors[f"stages.{index}.{names.get(name, name)}"] = tensor[0] if scalar else tensor
    return tensors


def _shared(layers: list[dict[str, Tensor]], path: Path) -> dict[str, Tensor]:
    """Takes the one modulation unit out of the layers; every residual block must hold a copy of it, and all must be equal."""
    unit: dict[str, Tensor] = {}
    copies = Counter[str]()
    for index, layer in enumerate(layers):
        for name in [name for name in layer if _SHARED.fullmatch(name)]:
            match, tensor = _SHARED.fullmatch(name), layer.pop(name)
            assert match
            copies[match[1]] += 1
            first = unit.setdefault(match[1], tensor)
            if not torch.equal(first, tensor):
                raise ValueError(f"{path}: fcs.{index}.{name} differs from its other copies; they are one shared unit")
    for name, count in copies.items():
        if count != 3 * len(layers):
            raise ValueError(
                f"{path} holds {count} copies of res_scale.{name}, not one for each of {3 * len(layers)} residual blocks"
            )
    return unit


def _modulation(unit: Mapping[str, Tensor], path: Path) -> ModulationConfig:
    shapes = {name: tuple(tensor.shape)[1:] for name, tensor in unit.items() if name.endswith("weight")}
    if not shapes:
        return NoModulation()
    if shapes.get("weight") == (1,):
        return RatioScale()
    if shapes.get("0.weight") == (3,):
        return Rfmu()
    raise ValueError(f"{path} has a modulation unit with weights {sorted(unit)}; known are Linear(1, C) and the RFMU")


def _coast(model: CoastConfig, modulation: ModulationConfig, recursions: int) -> TrialConfig:
    return TrialConfig(
        model=model,
        recursion=RecursionConfig(train=_schedule(recursions), modulation=modulation),
        optim=OptimConfig(lr=1e-4, batch=64, epochs=400),
        precision="fp16",
        seed=1970,
    )


def _ista(model: ModelConfig, recursions: int, ratio: float | None) -> TrialConfig:
    """One matrix (a .mat file, which a config cannot name) and one ratio; seeded test matrices are unseen ones."""
    task = BlockSensingTask(rows="ista-net", matrices=1, initial="linear")
    return TrialConfig(
        task=task if ratio is None else replace(task, ratios=(ratio,)),
        model=model,
        recursion=RecursionConfig(train=_schedule(recursions)),
        optim=OptimConfig(lr=1e-4, batch=64, epochs=200),
        precision="fp32",
    )


def _schedule(recursions: int) -> Fixed | UniformRange:
    return Fixed(counts=(1,)) if recursions == 1 else UniformRange(low=(1,), high=(recursions,))
