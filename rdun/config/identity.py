"""The identity of a trial: a hash of everything that can change its numbers, and of nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeVar

from rdun.config.checks import hints
from rdun.config.codec import JSON, from_dict, to_dict, with_values
from rdun.config.models import ModelConfig
from rdun.config.schema import (
    Fixed,
    ModulationConfig,
    OptimConfig,
    TrialConfig,
    UniformRange,
    broadcast,
    highest,
    last_name,
    lowest,
)
from rdun.config.tasks import BlockSensingTask, TaskConfig

Part = TypeVar("Part", ModelConfig, ModulationConfig)

NUMERICS = 2
"""Raised whenever gold values move: results of older numerics are never taken for new ones."""

PROTOCOL = {
    "training luminance": "MATLAB rgb2gray, uint8, /255 float32",
    "test luminance": "full-range BT.601 Y of the 14-bit integer rule, uint8, /255 float32",
    "padding": "zeros, bottom and right, to a multiple of the block, only where needed",
    "clipping": "[0, 1], then x 255 without rounding, cropped",
    "psnr": "20 log10(255 / rmse) against the uint8 luminance; mean of per-image values",
    "ssim": "7x7 uniform window, sample covariance, K1 0.01, K2 0.03, range 255, border cropped",
}
"""How images become numbers and reconstructions become scores; part of every identity."""


def canonical(config: TrialConfig) -> TrialConfig:
    """The normal form: counts per layer, `UniformRange(4, 4)` as `Fixed(4)`, test counts explicit, unread fields at defaults."""
    return replace(_normal(replace(config, seed=0)), seed=config.seed)


@lru_cache(maxsize=4096)  # the seeds of an arm share it
def _normal(config: TrialConfig) -> TrialConfig:
    layers, train = config.model.layers, config.recursion.train
    # a curriculum starts from the lowest counts, which for Fixed(4) are 1, and for UniformRange(4, 4) are 4
    first, last = broadcast(lowest(train), layers), broadcast(highest(train), layers)
    grows = any(high > low for low, high in zip(first, last, strict=True))
    if isinstance(train, UniformRange):
        low, high = broadcast(train.low, layers), broadcast(train.high, layers)
        train = Fixed(counts=low) if low == high else replace(train, low=low, high=high)
    else:
        train = Fixed(counts=broadcast(train.counts, layers))
    own = config.test_counts
    sweep = tuple(sorted(count for count in config.recursion.sweep if (count,) * layers != own))
    curriculum = config.recursion.curriculum if grows else 0.0
    recursion = replace(config.recursion, train=train, test=Fixed(counts=own), sweep=sweep, curriculum=curriculum)
    optim = config.optim if config.optim.epochs else OptimConfig(epochs=0)
    if layers == 1 and last == (1,):  # the last estimate is the only one
        optim = replace(optim, deep_supervision=0.0)
    chosen = config.data.validation_ratios
    data = replace(
        config.data, validation_ratios=() if set(chosen) == set(config.task.ratios) else tuple(sorted(chosen))
    )
    normal = replace(config, recursion=recursion, task=_read_fields(config.task), optim=optim, data=data)
    if config.weights is not None:  # they take the place of the start
        normal = without_start(normal)
    return from_dict(TrialConfig, to_dict(normal))  # numbers in the types of their fields: 15 is 15.0


def without_start(config: TrialConfig) -> TrialConfig:
    """With the default initialisation of the network and its modulation."""
    model, modulation = _without_start(config.model), _without_start(config.recursion.modulation)
    return replace(config, model=model, recursion=replace(config.recursion, modulation=modulation))


def _without_start(part: Part) -> Part:
    """Networks and modulations that begin in one way only have no such field."""
    cls: Any = type(part)
    return with_values(part, {"start": "default"}) if "start" in hints(cls) else part


def _read_fields(task: TaskConfig) -> TaskConfig:
    """The task with the fields that its other fields make unread at their defaults."""
    if isinstance(task, BlockSensingTask) and task.initial == "adjoint":
        task = replace(task, ridge=0.0)
    if isinstance(task, BlockSensingTask) and task.test_matrices == "seen":
        task = replace(task, test_matrix_seeds=(0,))
    return task


def without_tests(config: TrialConfig) -> TrialConfig:
    """The training alone: equal for trials whose tests after the last epoch differ, in their images or their counts.

    The recursion counts and matrices of the test stay: validation uses them, and so chooses the best epoch by them.
    """
    data = replace(config.data, test=(config.data.validation,))
    return replace(config, data=data, recursion=replace(config.recursion, sweep=()))


def fingerprint(config: TrialConfig, data_hashes: Mapping[str, str], folders: Collection[str] = ()) -> str:
    """16 hexadecimal digits: sha256 of the canonical config without its defaults, the data and the protocol.

    Args:
        config: with its precision resolved (not "auto").
        data_hashes: content hash of every data set and file of weights that the config names; it takes the place of the name,
            so that paths do not count.
    """
    assert config.precision != "auto", "resolve the precision first: it changes the numbers"
    values = dict(_identifying(replace(config, seed=0)))
    if config.seed:
        values["seed"] = config.seed
    data = config.data
    images = {"train": data.train, "validation": data.validation}
    values["data"] = values.get("data", {}) | {key: data_hashes[name] for key, name in images.items()}
    values["data"]["test"] = [
        [data_hashes[name], last_name(name)] if name in folders else data_hashes[name] for name in data.test
    ]
    if config.weights is not None:
        values["weights"] = data_hashes[config.weights]
    return digest({"numerics": NUMERICS, "protocol": PROTOCOL, "config": values})


@lru_cache(maxsize=4096)  # the seeds of an arm share it
def _identifying(config: TrialConfig) -> JSON:
    return to_dict(canonical(config), omit_defaults=True)


def digest(record: object) -> str:
    """First 16 hexadecimal digits of the sha256 of a record's canonical JSON."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
