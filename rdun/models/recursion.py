"""How often each stage is applied: counts per stage from a schedule."""

from __future__ import annotations

import numpy as np

from rdun.config import Fixed, Schedule, broadcast


def draw_counts(schedule: Schedule, layers: int, generator: np.random.Generator) -> tuple[int, ...]:
    """Recursion counts `(R_1, ..., R_L)` for one mini-batch.

    `Fixed` returns its counts and leaves the generator alone. `UniformRange` draws R_i ~ Uniform{low_i, ..., high_i},
    independently per layer ("Recursions Are All You Need", training of the recursive networks).
    """
    if isinstance(schedule, Fixed):
        return broadcast(schedule.counts, layers)
    low, high = broadcast(schedule.low, layers), broadcast(schedule.high, layers)
    return tuple(int(r) for r in generator.integers(low, np.add(high, 1)))


def mean_evaluations(schedule: Schedule, layers: int) -> float:
    """Expected stage applications per training step: sum of counts, or of (low + high)/2."""
    if isinstance(schedule, Fixed):
        return float(sum(broadcast(schedule.counts, layers)))
    return (sum(broadcast(schedule.low, layers)) + sum(broadcast(schedule.high, layers))) / 2
