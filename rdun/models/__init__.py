"""Unfolded networks. A new model is a file with its stage, one line in MODELS and one in the contract suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch

from rdun.config import CoastConfig, DpdnnConfig, IstaNetConfig, IstaNetPlusConfig, TrialConfig
from rdun.models.arithmetic import autocast, check_precision, convolutions
from rdun.models.coast import coast_stages
from rdun.models.dpdnn import dpdnn_stages
from rdun.models.ista_net import ista_net_stages
from rdun.models.ista_net_plus import ista_net_plus_stages
from rdun.models.modulation import Modulation, make_modulation
from rdun.models.recursion import draw_counts, grown, mean_evaluations
from rdun.models.source import source_hash
from rdun.models.unfolding import Iterate, Output, Stage, Unfolding
from rdun.streams import seed_for

MODELS: dict[str, Callable[[Any, Sequence[int]], list[Stage]]] = {
    CoastConfig.kind: coast_stages,
    DpdnnConfig.kind: dpdnn_stages,
    IstaNetConfig.kind: ista_net_stages,
    IstaNetPlusConfig.kind: ista_net_plus_stages,
}
"""By kind of config: a function of that config and the highest recursion count of each layer, giving one stage per layer."""


@cache
def code_of(kind: str) -> str:
    """Hash of the code of a kind of network: its stages, and the recursion and modulation that they are made for."""
    return source_hash(MODELS[kind].__module__)


def build_model(config: TrialConfig) -> Unfolding:
    """The network of a trial, initialised from the trial's seed through a stream of its own."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(config.seed, "initialisation"))
        stages = MODELS[config.model.kind](config.model, config.high_counts)
        longest = sum(config.high_counts)
        modulation = make_modulation(config.recursion.modulation, config.model.channels, stages[0].slots, longest)
        return Unfolding(stages, modulation)


__all__ = [
    "MODELS",
    "Iterate",
    "Modulation",
    "Output",
    "Stage",
    "Unfolding",
    "autocast",
    "build_model",
    "check_precision",
    "code_of",
    "convolutions",
    "draw_counts",
    "grown",
    "make_modulation",
    "mean_evaluations",
]
