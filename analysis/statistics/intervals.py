"""Intervals for a mean paired difference: over seeds (Student's t), and over seeds and images (bootstrap, crossed t).

How often they hold the truth is measured by benchmarks/coverage.py.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

CONFIDENCE = 0.95
Floats = NDArray[np.float64]


class Estimate(NamedTuple):
    """A mean with its two-sided interval.

    Attributes:
        n, df: values and degrees of freedom (n - 1).
        p: two-sided p-value of `mean == against`; nan for fewer than two values.
    """

    mean: float
    low: float
    high: float
    n: int
    df: int
    p: float


def t_estimate(values: Floats, *, confidence: float = CONFIDENCE, against: float = 0.0) -> Estimate:
    """Mean +- t(df = n - 1) * s / sqrt(n), and the p-value of Student's one-sample test.

    With one value the interval is unknown (nan). If all values are equal, the interval has no width, and p is 1 where they equal
    `against` and 0 elsewhere.
    """
    n = len(values)
    mean = float(np.mean(values)) if n else float("nan")
    if n < 2:
        return Estimate(mean, float("nan"), float("nan"), n, max(n - 1, 0), float("nan"))
    if np.ptp(values) <= 1e-12 * max(1.0, abs(mean)):
        return Estimate(mean, mean, mean, n, n - 1, float(abs(mean - against) <= 1e-12))
    error = float(np.std(values, ddof=1)) / n**0.5
    half = float(special.stdtrit(n - 1, (1 + confidence) / 2)) * error
    p = 2 * float(special.stdtr(n - 1, -abs(mean - against) / error))
    return Estimate(mean, mean - half, mean + half, n, n - 1, p)


def bootstrap_means(differences: Floats, replicates: int = 2000, seed: int = 0) -> Floats:
    """Bootstrap distribution of the mean of a (seeds, images) table, shape (replicates,); of a stack, (..., replicates).

    Seeds and images are crossed (every seed sees the same images), so both are drawn anew in each replicate, independently, and
    the table's rows and columns follow (Owen, "The pigeonhole bootstrap", 2007). Of n levels n - 1 are drawn, which makes the
    variance unbiased for few seeds (Rao and Wu, 1988); a single seed or image is kept.
    """
    seeds, images = _weights(*differences.shape[-2:], replicates, seed)
    means: Floats = np.einsum("rs,...sr->...r", seeds, differences @ images.T)
    return means


@cache
def _weights(n_seeds: int, n_images: int, replicates: int, seed: int) -> tuple[Floats, Floats]:
    """Weights of the seeds, (replicates, n_seeds), and of the images; the same for all tables of one shape."""
    generator = np.random.default_rng(seed)
    return _drawn(generator, n_seeds, replicates), _drawn(generator, n_images, replicates)


def _drawn(generator: np.random.Generator, n: int, replicates: int) -> Floats:
    drawn = max(n - 1, 1)
    return (
        generator.multinomial(drawn, np.full(n, 1 / n), size=replicates) / drawn if n > 1 else np.ones((replicates, 1))
    )


def crossed_interval(differences: Floats, *, confidence: float = CONFIDENCE) -> tuple[Floats, Floats]:
    """Student's t for seeds and images both drawn at random: (low, high) of a (seeds, images) table, or of each of a stack.

    The two-way random model d_si = mean + seed_s + image_i + rest_si has the mean squares MS_seed, MS_image, MS_rest, and
    Var(mean) = (MS_seed + MS_image - MS_rest) / (seeds images), here at least its larger single part. Degrees of freedom by
    Satterthwaite (1946): Var^2 / sum of (MS / (seeds images))^2 / df. Unknown (nan) for fewer than two seeds or images.
    """
    mean, error, df = _crossed(differences)
    half = special.stdtrit(df, (1 + confidence) / 2) * error
    return mean - half, mean + half


def crossed_p(differences: Floats, against: float = 0.0) -> Floats:
    """Two-sided p-value of "the mean over all seeds and images is `against`", from the same model."""
    mean, error, df = _crossed(differences)
    t = np.divide(np.abs(mean - against), error, out=np.full_like(mean, np.inf), where=error != 0)
    return np.asarray(np.where((error == 0) & (mean == against), 1.0, 2 * special.stdtr(df, -t)))


def cautious_p(differences: Floats, against: float = 0.0) -> float:
    """The larger of Student's p over seeds and the crossed p over seeds and images; nan for fewer than two of either.

    A difference on these images is not one on all images, and one image says nothing about others. Held against both, a verdict
    is seldom wrong about either.
    """
    over_seeds = t_estimate(differences.mean(axis=1) if differences.size else np.array([]), against=against).p
    return float(np.maximum(over_seeds, crossed_p(differences, against)))


def _crossed(differences: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean, its standard error and degrees of freedom."""
    n, m = differences.shape[-2:]
    if n < 2 or m < 2:
        unknown: Floats = np.full(differences.shape[:-2], np.nan)
        return unknown, unknown, unknown
    rows, columns = differences.mean(axis=-1), differences.mean(axis=-2)
    mean: Floats = np.asarray(rows.mean(axis=-1))
    rest = differences - rows[..., :, None] - columns[..., None, :] + mean[..., None, None]
    of_seeds, of_images = rows.var(axis=-1, ddof=1) / n, columns.var(axis=-1, ddof=1) / m
    of_rest = np.asarray(np.einsum("...si,...si->...", rest, rest)) / ((n - 1) * (m - 1) * n * m)
    variance = np.asarray(np.maximum(of_seeds + of_images - of_rest, np.maximum(of_seeds, of_images)))
    spread = np.asarray(of_seeds**2 / (n - 1) + of_images**2 / (m - 1) + of_rest**2 / ((n - 1) * (m - 1)))
    df = np.divide(variance**2, spread, out=np.ones_like(variance), where=spread > 0)
    return mean, np.sqrt(variance), np.maximum(df, 1.0)


def bootstrap_interval(
    differences: Floats, *, confidence: float = CONFIDENCE, replicates: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval over seeds and images, (low, high); unknown (nan) for fewer than two seeds.

    It covers less than it says with few seeds (with 2 seeds, it ends at the smaller and the larger of them); the
    report states by how much (benchmarks/coverage.py measures it).
    """
    if differences.shape[0] < 2 or differences.shape[1] < 1:
        return float("nan"), float("nan")
    tail = (1 - confidence) / 2
    low, high = np.quantile(bootstrap_means(differences, replicates, seed), [tail, 1 - tail])
    return float(low), float(high)
