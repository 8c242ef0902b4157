"""Metrics and scores by their formulas."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rdun.config import BlockSensingTask, DenoisingTask
from rdun.data import ImageSet, read_luminance
from rdun.evaluation import (
    Picture,
    Reconstructor,
    ScoreLabels,
    load_pictures,
    mean_quality,
    psnr,
    reconstructions,
    score_blocks,
    spread,
    ssim,
)
from rdun.operators import gaussian_matrix, make_task
from tests.conftest import photograph

CPU = torch.device("cpu")
START = Reconstructor(None, (1,), deblock=True)
"""The initial estimate, on the whole image."""


def test_psnr_by_hand() -> None:
    """20 log10(255 / rmse); the reconstruction is not rounded."""
    original = np.full((4, 5), 100, np.uint8)
    one = original.astype(np.float32)
    one[2, 3] += 10
    assert psnr(original + np.float32(5), original) == pytest.approx(34.1514, abs=1e-4)
    assert psnr(original - np.float32(0.4), original) == pytest.approx(56.0896, abs=1e-4)
    assert psnr(one, original) == pytest.approx(41.1411, abs=1e-4)  # mse 100 / 20
    assert psnr(original, original) == math.inf


def test_ssim_by_its_formula() -> None:
    """7x7 windows that lie within the image, sample variances, K1 = 0.01, K2 = 0.03, range 255."""
    original = photograph(0, (20, 26))
    noisy = original + np.random.default_rng(0).normal(0, 12, original.shape).astype(np.float32)
    x, y = (
        np.lib.stride_tricks.sliding_window_view(v.astype(np.float64), (7, 7)).reshape(-1, 49)
        for v in (original, noisy)
    )
    a, b = x.mean(1), y.mean(1)
    covariance = ((x - a[:, None]) * (y - b[:, None])).sum(1) / 48
    c1, c2 = 2.55**2, 7.65**2
    values = (2 * a * b + c1) * (2 * covariance + c2)
    values /= (a**2 + b**2 + c1) * (x.var(1, ddof=1) + y.var(1, ddof=1) + c2)
    assert ssim(noisy, original) == pytest.approx(values.mean(), abs=1e-9)
    assert ssim(original, original) == 1


def noisy_pictures() -> list[Picture]:
    """Of unequal difficulty: half of the noise on black and on white is clipped."""
    gray = [Picture(str(level), np.full((40, 50), level, np.uint8)) for level in (0, 128, 255)]
    return [*gray, Picture("photograph", photograph(1, (40, 50)))]


@pytest.mark.parametrize("deblock", [True, False])
def test_what_is_tested_is_noisy_and_clipped(deblock: bool) -> None:
    """Gray keeps the noise, 20 log10(255 / 25) = 20.2 dB; black and white keep the half of it that is in range."""
    task, found = make_task(DenoisingTask(sigma=25.0, block=10), None, CPU), dict[str, float]()
    for picture in noisy_pictures():
        ((_, x),) = reconstructions(Reconstructor(None, (1,), deblock), task, picture, CPU)
        assert x.min() >= 0 and x.max() <= 255
        found[picture.name] = psnr(x, picture.pixels)
    assert found["128"] == pytest.approx(20.17, abs=0.4)
    assert found["0"] == pytest.approx(20.17 + 3.01, abs=0.5) == found["255"]


def test_the_quality_is_the_mean_over_images_and_operators() -> None:
    task = make_task(DenoisingTask(sigma=25.0, block=10, test_noise_seeds=(0, 1)), None, CPU)
    pictures = noisy_pictures()
    pairs = [(x, p.pixels) for p in pictures for _, x in reconstructions(START, task, p, CPU)]
    expected = [np.mean([metric(*pair) for pair in pairs]) for metric in (psnr, ssim)]
    assert len(pairs) == 8
    assert mean_quality(START, task, pictures, CPU) == pytest.approx(expected)


def test_block_psnr_pools_the_pixels_of_all_blocks() -> None:
    """10 log10(1 / mse) of the clipped estimates A^T A x, of more blocks than are reconstructed at once."""
    blocks = np.random.default_rng(0).integers(0, 2, (300, 64)).astype(np.uint8) * np.uint8(255)
    blocks[:200] //= 3
    task = make_task(BlockSensingTask(ratios=(0.25,), block=8), None, CPU)
    (test,) = task.test_operators((8, 8))
    matrix, x = gaussian_matrix(16, 64, 0), blocks / 255
    error = np.mean((np.clip(x @ matrix.T @ matrix, 0, 1) - x) ** 2)
    score = score_blocks(START, test, blocks, ScoreLabels("best", "test", "set", {0.25: "p"}), CPU)
    assert score.value == pytest.approx(-10 * math.log10(error), abs=1e-3)
    assert (score.unit, score.image, score.recursions, score.matrix) == ("block", "all", 0, "gauss-s0")


def test_scored_blocks_are_spread_over_all() -> None:
    rows = np.arange(101)[:, None]
    assert spread(rows, 5)[:, 0].tolist() == [0, 25, 50, 75, 100]
    assert np.array_equal(spread(rows, 1000), rows)


def test_test_images_have_the_luminance_of_the_protocol(tmp_path: Path) -> None:
    """Full-range BT.601, which differs from MATLAB's rule in some pixels."""
    path = tmp_path / "colours.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    (picture,) = load_pictures(ImageSet("colours", (path,), ""))
    assert np.array_equal(picture.pixels, read_luminance(path, "bt601"))
    assert not np.array_equal(picture.pixels, read_luminance(path, "matlab"))
