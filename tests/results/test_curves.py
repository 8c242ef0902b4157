"""What a trial has reached on the way."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import pytest

from rdun.results import EpochRecord, reached

EPOCH = EpochRecord(
    epoch=1, step=1, samples=1, seconds=1.0, timestamp=0, lr=1.0, train_loss=1.0, train_psnr=1.0, validation_psnr=1.0,
    validation_ssim=0.5, stage_evaluations=1.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("psnrs", "best"),
    [
        ([20.0, 25.0, 22.0, 26.0], [20.0, 25.0, 25.0, 26.0]),
        ([nan, 20.0, 25.0], [nan, 20.0, 25.0]),
        ([20.0, nan, 25.0], [20.0, 20.0, 25.0]),
        ([inf, 20.0, -inf], [nan, 20.0, 20.0]),
        ([nan], [nan]),
        ([], []),
    ],
)
def test_the_best_so_far_is_finite(psnrs: list[float], best: list[float]) -> None:
    epochs = [replace(EPOCH, epoch=n, validation_psnr=psnr) for n, psnr in enumerate(psnrs, start=1)]
    assert reached(epochs, "validation_psnr") == pytest.approx(best, nan_ok=True)


def test_another_quality_is_that_of_the_best_psnr() -> None:
    epochs = [replace(EPOCH, validation_psnr=p, validation_ssim=s) for p, s in ((nan, 0.9), (25.0, 0.6), (24.0, 0.8))]
    assert reached(epochs, "validation_ssim") == pytest.approx([nan, 0.6, 0.6], nan_ok=True)
