"""Training blocks: cut from augmented images on a grid, put into one seeded order of which every subset is a prefix."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from rdun.config import DataConfig
from rdun.data.images import read_luminance, unit_range
from rdun.data.registry import ImageSet
from rdun.streams import stream


@dataclass(frozen=True)
class TrainingBlocks:
    """The blocks that a trial trains on.

    Attributes:
        pixels: `(n, N)` uint8, the chosen prefix of the seeded order.
        available: blocks in the whole set.
        epoch_samples: blocks drawn per epoch.
    """

    pixels: np.ndarray
    available: int
    epoch_samples: int

    @property
    def hash(self) -> str:
        """First 16 hexadecimal digits of the sha256 of the chosen blocks in order."""
        return hashlib.sha256(self.pixels.tobytes()).hexdigest()[:16]

    @cached_property
    def moment(self) -> np.ndarray:
        """Uncentred second moments X X^T, `(N, N)` float64, of the blocks in [0, 1] (float32 values)."""
        total = np.zeros((self.pixels.shape[1], self.pixels.shape[1]))
        for start in range(0, len(self.pixels), 8192):
            part = unit_range(self.pixels[start : start + 8192]).astype(np.float64)
            total += part.T @ part
        return total

    def epoch_order(self, seed: int, epoch: int) -> np.ndarray:
        """Row numbers of one epoch in random order; every block equally often, but for a random remainder."""
        generator = stream(seed, f"batches of epoch {epoch}")
        passes, rest = divmod(self.epoch_samples, len(self.pixels))
        whole = np.tile(np.arange(len(self.pixels)), passes)
        return generator.permutation(np.concatenate([whole, generator.permutation(len(self.pixels))[:rest]]))


@lru_cache(maxsize=2)  # trials that share a worker process mostly share their blocks
def training_blocks(images: ImageSet, config: DataConfig, block: int) -> TrainingBlocks:
    """Cuts, orders and selects the training blocks.

    The order is a permutation by `config.subset_seed` of all blocks in file order; a fraction f keeps the first floor(f n). By
    default an epoch draws n blocks whatever the fraction; the paper's 3 % are 2,667 blocks 33 times, `epoch_samples=88_011`.

    Raises:
        ValueError: an image smaller than a block, or a fraction that leaves no block.
    """
    available = count_blocks(images, config, block)
    keep = subset_size(config, available)
    place = np.argsort(
        stream(config.subset_seed, "subset order").permutation(available)
    )  # of each block, in that order
    pixels, done = np.empty((keep, block**2), np.uint8), 0
    for blocks in all_blocks(images, config.stride, block, config.augment):
        there = place[done : done + len(blocks)]
        pixels[there[there < keep]] = blocks[there < keep]
        done += len(blocks)
    return TrainingBlocks(pixels, available, epoch_samples(config, available))


def subset_size(config: DataConfig, available: int) -> int:
    """Blocks that `config.fraction` keeps."""
    keep = math.floor(config.fraction * available + 1e-9)
    if keep == 0:
        raise ValueError(f"data.fraction={config.fraction} of {available} blocks leaves none; use a larger fraction")
    return keep


def epoch_samples(config: DataConfig, available: int) -> int:
    """Blocks drawn per epoch."""
    subset_size(config, available)
    return config.epoch_samples or available


def count_blocks(images: ImageSet, config: DataConfig, block: int) -> int:
    """Blocks of the whole set, from the images' sizes; reads every image, so that a bad one is found before training."""
    total = 0
    for path in images.paths:
        height, width = _checked(path, block).shape
        total += ((height - block) // config.stride + 1) * ((width - block) // config.stride + 1)
    return total * (8 if config.augment else 1)


def all_blocks(images: ImageSet, stride: int, block: int, augment: bool) -> Iterator[np.ndarray]:
    """`(n, N)` uint8 blocks of each image in turn: dihedral versions of the image, then a raster grid from the top left."""
    for path in images.paths:
        gray = _checked(path, block)
        for version in dihedral(gray) if augment else [gray]:
            yield grid_blocks(version, stride, block)


def _checked(path: Path, block: int) -> np.ndarray:
    gray = read_luminance(path, "matlab")
    check_size(path, gray, block)
    return gray


def check_size(path: Path, gray: np.ndarray, block: int) -> None:
    """Raises ValueError unless an image `(H, W)` holds a whole block."""
    if min(gray.shape) < block:
        size = f"{gray.shape[1]}x{gray.shape[0]}"
        raise ValueError(f"{path} is {size} pixels, smaller than one {block}x{block} block; remove or replace it")


def check_validation(path: Path, gray: np.ndarray) -> None:
    """Raises ValueError for a black image: where it is recovered exactly, the mean PSNR is infinite, and all epochs are equal."""
    if not gray.any():
        raise ValueError(f"{path} is black, so that data.validation tells no epoch from another; remove or replace it")


def dihedral(image: np.ndarray) -> Sequence[np.ndarray]:
    """The 8 rotations and reflections: rotations by 0, 90, 180, 270 degrees, each plain and flipped upside down."""
    return [view for turns in range(4) for view in (np.rot90(image, turns), np.flipud(np.rot90(image, turns)))]


def grid_blocks(image: np.ndarray, stride: int, block: int) -> np.ndarray:
    """All full blocks on a grid of `stride` pixels, `(n, block^2)`, raster order, each block row-major."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (block, block))[::stride, ::stride]
    return windows.reshape(-1, block * block)
