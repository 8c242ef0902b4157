"""PSNR and SSIM as the published protocol computes them."""

from __future__ import annotations

import math

import numpy as np

SSIM_WINDOW = 7


def psnr(reconstruction: np.ndarray, original: np.ndarray) -> float:
    """20 log10(255 / rmse) in dB, both in [0, 255]; the reconstruction is not rounded. Infinite for equal images."""
    error = float(np.mean((reconstruction.astype(np.float64) - original.astype(np.float64)) ** 2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def ssim(reconstruction: np.ndarray, original: np.ndarray) -> float:
    """Structural similarity with scikit-image's defaults: 7x7 uniform window, sample covariance, range 255."""
    from skimage.metrics import structural_similarity

    pair = original.astype(np.float64), reconstruction.astype(np.float64)
    return float(structural_similarity(*pair, data_range=255, win_size=SSIM_WINDOW))
