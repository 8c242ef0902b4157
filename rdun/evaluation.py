"""Quality of reconstructions: whole images by the published protocol, and pooled blocks for the overfitting tables."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from rdun.config import PROTOCOL, digest
from rdun.data import ImageSet, grid_blocks, read_luminance, unit_range
from rdun.models import Unfolding
from rdun.operators import Operator, Task, TestOperator, from_blocks, to_blocks
from rdun.results import Score

CHUNK = 256
"""Blocks reconstructed at once where a network works block by block."""


@dataclass(frozen=True)
class Picture:
    """A test image: its name and its luminance `(H, W)` as uint8."""

    name: str
    pixels: np.ndarray

    def tensor(self, device: torch.device) -> Tensor:
        """`(1, 1, H, W)` float32 in [0, 1]."""
        return torch.from_numpy(unit_range(self.pixels))[None, None].to(device)


def load_pictures(images: ImageSet) -> list[Picture]:
    """The test images of a set, with the luminance rule of the protocol."""
    return [Picture(path.name, read_luminance(path, "bt601")) for path in images.paths]


def psnr(reconstruction: np.ndarray, original: np.ndarray) -> float:
    """20 log10(255 / rmse) in dB, both in [0, 255]; the reconstruction is not rounded. Infinite for equal images."""
    error = float(np.mean((reconstruction.astype(np.float64) - original.astype(np.float64)) ** 2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def ssim(reconstruction: np.ndarray, original: np.ndarray) -> float:
    """Structural similarity with scikit-image's defaults: 7x7 uniform window, sample covariance, range 255."""
    pair = original.astype(np.float64), reconstruction.astype(np.float64)
    return float(structural_similarity(*pair, data_range=255))


@dataclass(frozen=True)
class Reconstructor:
    """A network as it is tested.

    Attributes:
        network: the network, or None for the initial estimate alone.
        counts: recursions per stage.
        deblock: run the network on the assembled image; otherwise block by block.
    """

    network: Unfolding | None
    counts: tuple[int, ...]
    deblock: bool

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
        if self.deblock:
            return self._recover(operator, image).clamp(0, 1)
        side, shape = operator.image_shape[0], (int(image.shape[-2]), int(image.shape[-1]))
        blocks = to_blocks(image, side).reshape(-1, 1, side, side)
        parts = torch.cat([self._recover(operator, part) for part in torch.split(blocks, CHUNK)])
        canvas = from_blocks(parts.reshape(1, -1, side * side), side, shape)
        return canvas[..., : shape[0], : shape[1]].clamp(0, 1)

    def _recover(self, operator: Operator, image: Tensor) -> Tensor:
        y = operator.measure(image)
        if self.network is None:
            return operator.crop(operator.initial(y))
        self.network.eval()
        x: Tensor = self.network(y, operator, self.counts).x
        return x


def score_images(
    reconstruct: Reconstructor, task: Task, pictures: Sequence[Picture], labels: ScoreLabels, device: torch.device
) -> list[Score]:
    """PSNR and SSIM of every image with every test operator."""
    return [
        score
        for picture in pictures
        for test, x in reconstructions(reconstruct, task, picture, device)
        for score in labels.image_scores(reconstruct, test, picture, x)
    ]


def reconstructions(
    reconstruct: Reconstructor, task: Task, picture: Picture, device: torch.device
) -> Iterator[tuple[TestOperator, np.ndarray]]:
    """Each test operator with the reconstruction `(H, W)` in [0, 255], float32, not rounded."""
    shape = (picture.pixels.shape[0], picture.pixels.shape[1])
    image = picture.tensor(device)
    for test in reconstruct.operators(task, shape):
        yield test, reconstruct(test.operator, image)[0, 0].cpu().numpy() * np.float32(255)


def score_blocks(
    reconstruct: Reconstructor, task: Task, blocks: np.ndarray, labels: ScoreLabels, device: torch.device
) -> Iterator[Score]:
    """Block PSNR: 10 log10(1 / mse) over all pixels of all blocks `(n, N)` uint8, block by block, clipped."""
    side = task.patch
    for test in task.test_operators((side, side)):
        total = 0.0
        for start in range(0, len(blocks), CHUNK):
            part = torch.from_numpy(unit_range(blocks[start : start + CHUNK])).to(device).reshape(-1, 1, side, side)
            single = Reconstructor(reconstruct.network, reconstruct.counts, deblock=True)
            total += float((single(test.operator, part) - part).double().square().sum())
        value = 10 * math.log10(blocks.size / total) if total else math.inf
        yield labels.score(reconstruct, test, "block", "all", "psnr", value)


@dataclass(frozen=True)
class ScoreLabels:
    """The columns that all scores of one evaluation share."""

    checkpoint: str
    split: str
    dataset: str
    protocol: str

    def image_scores(
        self, reconstruct: Reconstructor, test: TestOperator, picture: Picture, x: np.ndarray
    ) -> list[Score]:
        """The rows of one reconstruction `(H, W)` in [0, 255]."""
        values = {"psnr": psnr(x, picture.pixels), "ssim": ssim(x, picture.pixels)}
        return [self.score(reconstruct, test, "image", picture.name, metric, v) for metric, v in values.items()]

    def score(
        self, reconstruct: Reconstructor, test: TestOperator, unit: str, image: str, metric: str, value: float
    ) -> Score:
        """One row of scores.csv."""
        return Score(
            checkpoint=self.checkpoint,
            split=self.split,
            dataset=self.dataset,
            unit=unit,
            image=image,
            ratio=test.ratio,
            recursions=reconstruct.recursions,
            matrix=test.matrix,
            metric=metric,
            value=value,
            protocol=self.protocol,
        )


def sample_blocks(pictures: Sequence[Picture], side: int, most: int) -> np.ndarray:
    """At most `most` non-overlapping blocks `(n, N)` of a set of images, evenly spread."""
    blocks = np.concatenate([grid_blocks(picture.pixels, side, side) for picture in pictures])
    return spread(blocks, most)


def spread(blocks: np.ndarray, most: int) -> np.ndarray:
    """At most `most` rows, evenly spread."""
    rows = np.linspace(0, len(blocks) - 1, min(most, len(blocks))).astype(int)
    chosen: np.ndarray = blocks[rows]
    return chosen


def protocol_hash(task: Task) -> str:
    """The `protocol` column of a score: the scoring rules and the test measurements."""
    return digest(PROTOCOL | {"task": task.protocol()})


def images_per_second(
    reconstruct: Reconstructor, task: Task, pictures: Sequence[Picture], device: torch.device, repeats: int = 1
) -> float:
    """Images per second, one at a time: the best of `repeats` passes after a warm-up on one image; no files, no scores."""
    images = [picture.tensor(device) for picture in pictures]
    operators = [reconstruct.operators(task, (i.shape[-2], i.shape[-1]))[0].operator for i in images]
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
