"""Mini-batches of training blocks on the device that trains."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from rdun.data import TrainingBlocks, unit_range


class Batches:
    """Blocks as batches `(B, 1, b, b)` in [0, 1]. On a GPU the blocks lie there as bytes (97 MB for T91), and nothing is copied
    during an epoch.

    Args:
        side: b, in pixels.
    """

    def __init__(self, blocks: TrainingBlocks, side: int, device: torch.device) -> None:
        self.pixels, self.shape, self.device = blocks.pixels, (-1, 1, side, side), device
        self.resident = torch.from_numpy(blocks.pixels).to(device) if device.type == "cuda" else None

    def epoch(self, order: np.ndarray, size: int) -> Iterator[Tensor]:
        """Batches of `size` rows, the last one perhaps smaller."""
        if self.resident is None:
            for start in range(0, len(order), size):
                yield torch.from_numpy(unit_range(self.pixels[order[start : start + size]])).reshape(self.shape)
            return
        for rows in torch.split(torch.from_numpy(order).to(self.device), size):
            yield (self.resident[rows].float() / 255).reshape(self.shape)
