"""What a study can find: the smallest difference that so many seeds tell from none, at the spread that was seen.

It depends on the spread alone, not on the difference that was measured: a power computed at the measured difference only
restates its p-value (Hoenig and Heisey, "The abuse of power", 2001).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from scipy import special

from analysis.statistics.intervals import Floats
from analysis.statistics.paired import Comparison
from rdun.significance import LEVEL

POWER = 0.8
"""Part of the studies that find a true difference of the size that is told."""
NAN = float("nan")


class Spread(NamedTuple):
    """Variances of paired differences d_si = mean + seed_s + image_i + rest_si, and the number of images.

    Attributes:
        seed, image, rest: in the metric's unit, squared.
    """

    seed: float
    image: float
    rest: float
    images: int

    @staticmethod
    def of(differences: Floats) -> Spread:
        """From the mean squares of a (seeds, images) table, at least 0 each; unknown (nan) for fewer than two of either."""
        n, m = differences.shape if differences.ndim == 2 else (0, 0)
        if n < 2 or m < 2:
            return Spread(NAN, NAN, NAN, m)
        rows, columns = differences.mean(axis=1), differences.mean(axis=0)
        left = differences - rows[:, None] - columns[None, :] + differences.mean()
        rest = float((left**2).sum()) / ((n - 1) * (m - 1))
        seed, image = float(rows.var(ddof=1)) - rest / m, float(columns.var(ddof=1)) - rest / n
        return Spread(max(seed, 0.0), max(image, 0.0), rest, m)


def detectable(spread: Spread, seeds: int, comparisons: int = 1) -> float:
    """The smallest true difference that `cautious_p` finds with probability `POWER`, corrected for so many comparisons.

    The larger of what Student's t over seeds and the crossed t over seeds and images find, each by the noncentral t:
    delta = nc * error, P(t > t_crit | nc) = POWER, t_crit that of LEVEL / comparisons (Holm's first step). Errors and degrees of
    freedom are those of `crossed_interval` for the expected mean squares of so many seeds and the same images.

    Args:
        seeds: two or more.

    Returns:
        In the metric's unit; nan where the spread is unknown.
    """
    if math.isnan(spread.rest):
        return NAN
    m = spread.images
    of_rest = spread.rest / (seeds * m)
    of_seeds, of_images = spread.seed / seeds + of_rest, spread.image / m + of_rest
    variance = max(of_seeds + of_images - of_rest, of_seeds, of_images)
    squares = of_seeds**2 / (seeds - 1) + of_images**2 / (m - 1) + of_rest**2 / ((seeds - 1) * (m - 1))
    df = max(variance**2 / squares, 1.0) if squares > 0 else 1.0
    level = LEVEL / max(comparisons, 1)
    return max(_noncentrality(seeds - 1, level) * math.sqrt(of_seeds), _noncentrality(df, level) * math.sqrt(variance))


def _noncentrality(df: float, level: float) -> float:
    """Of a two-sided t-test that has the power."""
    return float(special.nctdtrinc(df, 1 - POWER, special.stdtrit(df, 1 - level / 2)))


class Sensitivity(NamedTuple):
    """What a comparison can find; `tests`: comparisons on its test set that Holm's correction counts."""

    comparison: Comparison
    spread: Spread
    tests: int

    def detectable(self, seeds: int) -> float:
        return detectable(self.spread, seeds, self.tests)


def sensitivities(comparisons: Sequence[Comparison]) -> list[Sensitivity]:
    """Of the comparisons whose spread over seeds and images is known."""
    tests: dict[str, int] = {}
    for c in comparisons:
        tests[c.dataset] = tests.get(c.dataset, 0) + (c.p_all == c.p_all)
    known = [c for c in comparisons if len(c.seeds) > 1 and c.images > 1 and not c.same]
    return [Sensitivity(c, Spread.of(c.differences.to_numpy(dtype=float)), tests[c.dataset]) for c in known]


def uncertainty(seeds: int) -> tuple[float, float]:
    """The factors between which the true standard deviation lies, 95 %, for one estimated from so many normal values."""
    n = seeds - 1
    return math.sqrt(n / special.chdtri(n, 0.025)), math.sqrt(n / special.chdtri(n, 0.975))
