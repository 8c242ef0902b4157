"""Inpainting: a random part of the pixels is observed."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from rdun.config import InpaintingTask
from rdun.operators.base import Operator
from rdun.operators.task import Task, TestOperator

MASKS_KEPT = 512
"""Training masks that are made once. Of more, those that were used last stay."""


def pixel_mask(ratio: float, shape: tuple[int, int], seed: int, index: int | None = None) -> np.ndarray:
    """A boolean `(H, W)` mask with round(ratio H W) true pixels (at least one), uniformly at random.

    Drawn from `default_rng([seed, H, W])` (the test family `mask-sK`) or `default_rng([seed, H, W, index + 1])` (training).
    """
    entropy = [seed, *shape] if index is None else [seed, *shape, index + 1]
    pixels = shape[0] * shape[1]
    mask = np.zeros(pixels, dtype=bool)
    mask[np.random.default_rng(entropy).permutation(pixels)[: max(1, round(ratio * pixels))]] = True
    return mask.reshape(shape)


class Inpainting(Operator):
    """y = mask * x; measurements are images `(N, 1, H, W)` with zeros where nothing was observed.

    Args:
        mask: `(H, W)`, true where a pixel is observed.
    """

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask
        self.image_shape = (int(mask.shape[0]), int(mask.shape[1]))
        self.ratio = float(mask.double().mean())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask

    def adjoint(self, y: Tensor) -> Tensor:
        return y * self.mask

    def initial(self, y: Tensor) -> Tensor:
        return y * self.mask

    def descend(self, x: Tensor, y: Tensor, step: Tensor | float) -> Tensor:
        x = x.to(y.dtype)
        return x - step * (x - y) * self.mask


class MaskTask(Task):
    """Inpainting with random masks (see `InpaintingTask` for the fields)."""

    def __init__(self, config: InpaintingTask, device: torch.device) -> None:
        self.config, self.device = config, device
        self.patch = config.block
        self._drawn = lru_cache(maxsize=MASKS_KEPT)(partial(_operator, device))

    def draw(self, generator: np.random.Generator) -> Operator:
        ratio = self.config.ratios[int(generator.integers(len(self.config.ratios)))]
        index = int(generator.integers(self.config.masks))
        return self._drawn(ratio, (self.patch, self.patch), self.config.mask_seed, index)

    def test_operators(self, image_shape: tuple[int, int]) -> list[TestOperator]:
        return [
            TestOperator(ratio, f"mask-s{seed}", _operator(self.device, ratio, image_shape, seed, None))
            for ratio in self.config.ratios
            for seed in self.config.test_mask_seeds
        ]

    def protocol(self, ratio: float) -> dict[str, object]:
        masks = [f"mask-s{seed}" for seed in self.config.test_mask_seeds]
        return {"kind": self.config.kind, "block": self.patch, "observed": ratio, "masks": masks}


def _operator(device: torch.device, ratio: float, shape: tuple[int, int], seed: int, index: int | None) -> Operator:
    return Inpainting(torch.from_numpy(pixel_mask(ratio, shape, seed, index)).to(device))
