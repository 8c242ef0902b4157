"""Scores: whole images by the published protocol, and pooled blocks for the overfitting tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from rdun.data import unit_range
from rdun.evaluation.metrics import psnr, ssim
from rdun.evaluation.pictures import Picture
from rdun.evaluation.reconstruct import CHUNK, Reconstructor, reconstructions
from rdun.operators import Task, TestOperator
from rdun.results import Score


@dataclass(frozen=True)
class ScoreLabels:
    """The columns that all scores of one evaluation share; `protocols` maps a ratio to its protocol's hash."""

    checkpoint: str
    split: str
    dataset: str
    protocols: Mapping[float, str]

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
            protocol=self.protocols[test.ratio],
        )


def mean_quality(
    reconstruct: Reconstructor,
    task: Task,
    pictures: Sequence[Picture],
    device: torch.device,
    ratios: Sequence[float] = (),
) -> tuple[float, float]:
    """Mean PSNR (dB) and mean SSIM over images and test operators, of all or of these ratios."""
    found = [
        (psnr(x, picture.pixels), ssim(x, picture.pixels))
        for picture in pictures
        for _, x in reconstructions(reconstruct, task, picture, device, ratios)
    ]
    mean = np.mean(found, axis=0)
    return float(mean[0]), float(mean[1])


def score_blocks(
    reconstruct: Reconstructor, test: TestOperator, blocks: np.ndarray, labels: ScoreLabels, device: torch.device
) -> Score:
    """Block PSNR: 10 log10(1 / mse) over all pixels of all blocks `(n, N)` uint8, block by block, clipped.

    Args:
        test: for images of the size of one block.
    """
    side = math.isqrt(blocks.shape[1])
    single = replace(reconstruct, deblock=True)
    total = 0.0
    for start in range(0, len(blocks), CHUNK):
        part = torch.from_numpy(unit_range(blocks[start : start + CHUNK])).to(device).reshape(-1, 1, side, side)
        total += float((single(test.operator, part) - part).double().square().sum())
    value = 10 * math.log10(blocks.size / total) if total else math.inf
    return labels.score(reconstruct, test, "block", "all", "psnr", value)
