"""How often each stage is applied: counts per stage from a schedule."""

from __future__ import annotations

import math

import numpy as np

from rdun.config import Fixed, RecursionConfig, Schedule, UniformRange, broadcast, highest, lowest


def draw_counts(schedule: Schedule, layers: int, generator: np.random.Generator) -> tuple[int, ...]:
    """Recursion counts `(R_1, ..., R_L)` for one mini-batch.

    `Fixed` returns its counts and leaves the generator alone. `UniformRange` draws R_i ~ Uniform{low_i, ..., high_i},
    independently per layer ("Recursions Are All You Need", training of the recursive networks).
    """
    if isinstance(schedule, Fixed):
        return broadcast(schedule.counts, layers)
    low, high = broadcast(schedule.low, layers), broadcast(schedule.high, layers)
    return tuple(int(r) for r in generator.integers(low, np.add(high, 1)))


def grown(recursion: RecursionConfig, layers: int, done: float) -> Schedule:
    """The schedule of training after a part `done` in [0, 1) of its steps: `train`, with bounds that the curriculum lowers.

    Layer i's highest count is min(high_i, low_i + floor((high_i - low_i + 1) done / curriculum)).
    """
    if done >= recursion.curriculum:
        return recursion.train
    low, high = broadcast(lowest(recursion.train), layers), broadcast(highest(recursion.train), layers)
    part = done / recursion.curriculum
    now = tuple(min(b, a + math.floor((b - a + 1) * part)) for a, b in zip(low, high, strict=True))
    return Fixed(counts=now) if isinstance(recursion.train, Fixed) else UniformRange(low=low, high=now)


def mean_evaluations(recursion: RecursionConfig, layers: int) -> float:
    """Expected stage applications per training step: sum of counts, or of (low + high)/2, with the mean of growing bounds."""
    low, high = sum(broadcast(lowest(recursion.train), layers)), sum(broadcast(highest(recursion.train), layers))
    bound = high - recursion.curriculum * (high - low) / 2
    return float(bound) if isinstance(recursion.train, Fixed) else (low + bound) / 2
