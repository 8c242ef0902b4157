"""Intervals for a mean paired difference: over seeds (Student's t) and over seeds and images (bootstrap)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

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
    low, high = stats.t.interval(confidence, n - 1, loc=mean, scale=stats.sem(values))
    p = float(stats.ttest_1samp(values, against).pvalue)
    return Estimate(mean, float(low), float(high), n, n - 1, p)


def bootstrap_means(differences: Floats, replicates: int = 2000, seed: int = 0) -> Floats:
    """Bootstrap distribution of the mean of a (seeds, images) table, shape (replicates,).

    Seeds and images are crossed (every seed sees the same images), so both are drawn anew in each replicate,
    independently, and the
    table's rows and columns follow (Owen, "The pigeonhole bootstrap", 2007). Of n levels n - 1 are drawn, which
    makes the variance
    unbiased for few seeds (Rao and Wu, 1988); a single seed or image is kept.
    """
    n_seeds, n_images = differences.shape
    generator = np.random.default_rng(seed)
    seeds, images = _weights(generator, n_seeds, replicates), _weights(generator, n_images, replicates)
    means: Floats = ((seeds @ differences) * images).sum(axis=1)
    return means


def _weights(generator: np.random.Generator, n: int, replicates: int) -> Floats:
    drawn = max(n - 1, 1)
    return (
        generator.multinomial(drawn, np.full(n, 1 / n), size=replicates) / drawn if n > 1 else np.ones((replicates, 1))
    )


def bootstrap_interval(
    differences: Floats, *, confidence: float = CONFIDENCE, replicates: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval over seeds and images, (low, high); unknown (nan) for fewer than two seeds.

    It covers less than it says with few seeds (with 2 seeds, it ends at the smaller and the larger of them); the
    report states by how much.
    """
    if differences.shape[0] < 2 or differences.shape[1] < 1:
        return float("nan"), float("nan")
    tail = (1 - confidence) / 2
    low, high = np.quantile(bootstrap_means(differences, replicates, seed), [tail, 1 - tail])
    return float(low), float(high)
