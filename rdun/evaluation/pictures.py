"""Test images, and the blocks of them that the overfitting scores use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rdun.data import ImageSet, check_size, grid_blocks, read_luminance, unit_range
from rdun.evaluation.metrics import SSIM_WINDOW


@dataclass(frozen=True)
class Picture:
    """A test image: its name and its luminance `(H, W)` as uint8."""

    name: str
    pixels: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def tensor(self, device: torch.device) -> Tensor:
        """`(1, 1, H, W)` float32 in [0, 1]."""
        return torch.from_numpy(unit_range(self.pixels))[None, None].to(device)


def load_pictures(images: ImageSet, block: int = 1) -> list[Picture]:
    """The test images of a set, with the luminance rule of the protocol.

    Args:
        block: side of the blocks that are scored besides the images; each image has to hold one.

    Raises:
        ValueError: an image that cannot be read, or is too small to be scored.
    """
    return [Picture(path.name, _scorable(path, block)) for path in images.paths]


def _scorable(path: Path, block: int) -> np.ndarray:
    pixels = read_luminance(path, "bt601")
    if min(pixels.shape) < SSIM_WINDOW:
        raise ValueError(f"{path} is smaller than the {SSIM_WINDOW}x{SSIM_WINDOW} window of SSIM; remove or replace it")
    check_size(path, pixels, block)
    return pixels


def sample_blocks(pictures: Sequence[Picture], side: int, most: int) -> np.ndarray:
    """At most `most` non-overlapping blocks `(n, N)` of a set of images, evenly spread."""
    blocks = np.concatenate([grid_blocks(picture.pixels, side, side) for picture in pictures])
    return spread(blocks, most)


def spread(blocks: np.ndarray, most: int) -> np.ndarray:
    """At most `most` rows, evenly spread."""
    rows = np.linspace(0, len(blocks) - 1, min(most, len(blocks))).astype(int)
    chosen: np.ndarray = blocks[rows]
    return chosen
