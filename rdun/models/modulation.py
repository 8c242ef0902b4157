"""Modulation: channel scales of a stage's features, one table per forward pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rdun.config import ModulationConfig, NoModulation, RatioScale, Rfmu


class Modulation(nn.Module, ABC):
    """Maps a sampling ratio and recursion counts to a table of scales."""

    @abstractmethod
    def forward(self, ratio: float, counts: Sequence[int]) -> Tensor | None:
        """Scales `(T, slots, C)` for the T = sum(counts) stage applications of one pass; None: do not scale."""


class Unscaled(Modulation):
    """No modulation."""

    def forward(self, ratio: float, counts: Sequence[int]) -> Tensor | None:
        return None


class RatioScaling(Modulation):
    """alpha = w M/N + w0: one `Linear(1, C)` per slot, shared by all stages and recursions (COAST, TIP 2021)."""

    def __init__(self, config: RatioScale, channels: int, slots: int) -> None:
        super().__init__()
        self.slots = nn.ModuleList(nn.Linear(1, channels) for _ in range(slots))
        if config.start == "identity":
            for slot in self.slots:
                _start_at_one(slot)

    def forward(self, ratio: float, counts: Sequence[int]) -> Tensor | None:
        condition = next(self.parameters()).new_full((1,), ratio)
        scales = torch.stack([slot(condition) for slot in self.slots])
        return scales.expand(sum(counts), *scales.shape)


class RecursionModulation(Modulation):
    """The recursion feature modulation unit (RFMU) of "Recursions Are All You Need".

    alpha = W2 ReLU(W1 c + w1) + w2, one unit per slot, shared by all stages; c holds the chosen ones of
    (2 M/N, T/T_max, t/T_max), with t = 1..T the recursion within this pass, T its length and T_max the longest of training.

    Args:
        longest: T_max, the sum of the highest training counts.
    """

    def __init__(self, config: Rfmu, channels: int, slots: int, longest: int) -> None:
        super().__init__()
        self.inputs, self.longest, self.beyond = config.inputs, longest, config.beyond
        self.slots = nn.ModuleList(
            nn.Sequential(nn.Linear(len(config.inputs), channels), nn.ReLU(), nn.Linear(channels, channels))
            for _ in range(slots)
        )
        if config.start == "identity":
            for slot in self.slots:
                assert isinstance(slot, nn.Sequential)
                _start_at_one(slot[-1])

    def forward(self, ratio: float, counts: Sequence[int]) -> Tensor | None:
        total, like = sum(counts), next(self.parameters())
        known = {
            "ratio": like.new_full((total,), 2 * ratio),
            "total": like.new_full((total,), total / self.longest),
            "current": torch.arange(1, total + 1, dtype=like.dtype, device=like.device) / self.longest,
        }
        if self.beyond == "clamp":
            known |= {name: known[name].clamp(max=1.0) for name in ("total", "current")}
        condition = torch.stack([known[name] for name in self.inputs], dim=1)
        return torch.stack([slot(condition) for slot in self.slots], dim=1)


def _start_at_one(layer: nn.Module) -> None:
    """A layer that gives ones, whatever it is given."""
    assert isinstance(layer, nn.Linear)
    nn.init.zeros_(layer.weight)
    nn.init.ones_(layer.bias)


def make_modulation(config: ModulationConfig, channels: int, slots: int, longest: int) -> Modulation:
    """The modulation that a config describes, for stages of `channels` channels with `slots` places to scale."""
    match config:
        case NoModulation():
            return Unscaled()
        case RatioScale():
            return RatioScaling(config, channels, slots)
        case Rfmu():
            return RecursionModulation(config, channels, slots, longest)
