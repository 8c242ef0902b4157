"""How fast a time grows with a size: the slope on log-log axes, which is 1 where twice the size takes twice the time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import linear_regression


def local_slopes(sizes: Sequence[float], times: Sequence[float]) -> list[float]:
    """The slope between each point and the one before; one less than there are points."""
    points = list(zip(map(math.log, sizes), map(math.log, times), strict=True))
    return [(y - b) / (x - a) for (a, b), (x, y) in pairwise(points)]


def upper_slope(sizes: Sequence[float], times: Sequence[float]) -> float:
    """The least-squares slope over the upper half of the sizes, with the middle one: there, fixed costs count least."""
    half = min(len(sizes) // 2, len(sizes) - 2)
    return linear_regression(list(map(math.log, sizes[half:])), list(map(math.log, times[half:]))).slope
