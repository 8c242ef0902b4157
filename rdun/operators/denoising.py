"""Denoising: every pixel is measured, with Gaussian noise."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rdun.config import DenoisingTask
from rdun.operators.base import Operator
from rdun.operators.task import Task, TestOperator
from rdun.streams import seed_for


class Denoising(Operator):
    """A = I; y = x + noise, with the noise of a seed: image n of a batch gets the n-th field drawn from it.

    Args:
        image_shape: (H, W).
        sigma: standard deviation of the noise, for images in [0, 1].
        seed: of the noise.
    """

    ratio = 1.0

    def __init__(self, image_shape: tuple[int, int], sigma: float, seed: int) -> None:
        self.image_shape, self.sigma, self.seed = image_shape, sigma, seed

    def measure(self, x: Tensor) -> Tensor:
        noise = np.random.default_rng(self.seed).standard_normal(tuple(x.shape), dtype=np.float32)
        return x + self.sigma * torch.from_numpy(noise).to(x)

    def forward(self, x: Tensor) -> Tensor:
        return x

    def adjoint(self, y: Tensor) -> Tensor:
        return y

    def initial(self, y: Tensor) -> Tensor:
        return y

    def descend(self, x: Tensor, y: Tensor, step: Tensor | float) -> Tensor:
        x = x.to(y.dtype)
        return x - step * (x - y)


class NoiseTask(Task):
    """Denoising at one noise level (see `DenoisingTask` for the fields)."""

    def __init__(self, config: DenoisingTask) -> None:
        self.config = config
        self.patch = config.block

    def draw(self, generator: np.random.Generator) -> Operator:
        return self._operator((self.patch, self.patch), int(generator.integers(2**63)))

    def test_operators(self, image_shape: tuple[int, int]) -> list[TestOperator]:
        return [
            TestOperator(1.0, f"noise-s{seed}", self._operator(image_shape, seed_for(seed, "test noise")))
            for seed in self.config.test_noise_seeds
        ]

    def protocol(self, ratio: float) -> dict[str, object]:
        noise = [f"noise-s{seed}" for seed in self.config.test_noise_seeds]
        return {"kind": self.config.kind, "block": self.patch, "sigma": self.config.sigma, "noise": noise}

    def _operator(self, shape: tuple[int, int], seed: int) -> Operator:
        return Denoising(shape, self.config.sigma / 255, seed)
