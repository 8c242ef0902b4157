"""Reconstruction of images: on the assembled image, or block by block."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rdun.config import Precision
from rdun.evaluation.pictures import Picture
from rdun.models import Unfolding, autocast, convolutions
from rdun.operators import Operator, Task, TestOperator, from_blocks, to_blocks

CHUNK = 256
"""Blocks reconstructed at once where a network works block by block."""


@dataclass(frozen=True)
class Reconstructor:
    """A network as it is tested.

    Attributes:
        network: the network, or None for the initial estimate alone.
        counts: recursions per stage.
        deblock: run the network on the assembled image; otherwise block by block.
        precision: of the network's convolutions; measurements and data consistency are in float32 always. Trials are tested in
            float32 too, however they were trained.
    """

    network: Unfolding | None
    counts: tuple[int, ...]
    deblock: bool
    precision: Precision = "fp32"

    @property
    def recursions(self) -> int:
        """Stage applications of one reconstruction; 0 without a network."""
        return sum(self.counts) if self.network else 0

    def operators(self, task: Task, shape: tuple[int, int]) -> list[TestOperator]:
        """The test operators for an image of this shape, or for its blocks."""
        return task.test_operators(shape if self.deblock else (task.patch, task.patch))

    @torch.no_grad()
    def __call__(self, operator: Operator, image: Tensor) -> Tensor:
        """Measures and reconstructs an image `(1, 1, H, W)` in [0, 1]; the result is clipped to [0, 1]."""
        shape = int(image.shape[-2]), int(image.shape[-1])
        return self.recovered(operator, self.measured(operator, image), shape)

    @torch.no_grad()
    def recovered(self, operator: Operator, measured: Sequence[Tensor], shape: tuple[int, int]) -> Tensor:
        """The estimate `(1, 1, H, W)`, clipped to [0, 1], of an image of this shape from what `measured` gives of it."""
        return self.assembled(operator, torch.cat([self._recover(operator, y) for y in measured]), shape)

    def measured(self, operator: Operator, image: Tensor) -> Sequence[Tensor]:
        """Measurements of what the network sees at once: of the image, or of its blocks in chunks.

        All blocks are measured together: noise differs from block to block, whatever the chunks.
        """
        if self.deblock:
            return [operator.measure(image)]
        side = operator.image_shape[0]
        return torch.split(operator.measure(to_blocks(image, side).reshape(-1, 1, side, side)), CHUNK)

    def assembled(self, operator: Operator, parts: Tensor, shape: tuple[int, int]) -> Tensor:
        """The estimate `(1, 1, H, W)` of an image from those of its parts, clipped to [0, 1]."""
        if self.deblock:
            return parts.clamp(0, 1)
        side = operator.image_shape[0]
        canvas = from_blocks(parts.reshape(1, -1, side * side), side, shape)
        return canvas[..., : shape[0], : shape[1]].clamp(0, 1)

    def _recover(self, operator: Operator, y: Tensor) -> Tensor:
        if self.network is None:
            return operator.crop(operator.initial(y))
        self.network.eval()
        with convolutions(y.device, tf32=self.precision == "tf32"), autocast(self.precision, y.device):
            x: Tensor = self.network(y, operator, self.counts).x
        return x


def reconstructions(
    reconstruct: Reconstructor, task: Task, picture: Picture, device: torch.device, ratios: Sequence[float] = ()
) -> Iterator[tuple[TestOperator, np.ndarray]]:
    """Each test operator, of all or of these ratios, with the reconstruction `(H, W)` in [0, 255], float32, not rounded."""
    image = picture.tensor(device)
    chosen = (test for test in reconstruct.operators(task, picture.shape) if not ratios or test.ratio in ratios)
    for test in chosen:
        yield test, levels(reconstruct(test.operator, image))


def levels(estimate: Tensor) -> np.ndarray:
    """`(H, W)` in [0, 255], float32, not rounded, of an estimate `(1, 1, H, W)` in [0, 1]."""
    return estimate[0, 0].cpu().numpy() * np.float32(255)


def images_per_second(
    reconstruct: Reconstructor, task: Task, pictures: Sequence[Picture], device: torch.device, repeats: int = 1
) -> float:
    """Images per second, one at a time: the best of `repeats` passes after a warm-up on one image; no files, no scores."""
    images = [picture.tensor(device) for picture in pictures]
    operators = [reconstruct.operators(task, picture.shape)[0].operator for picture in pictures]
    reconstruct(operators[0], images[0])
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        for operator, image in zip(operators, images, strict=True):
            reconstruct(operator, image)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return len(images) / min(times)
