"""How often each stage is applied: counts per stage from a schedule."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from rdun.config import Fixed, RecursionConfig, Schedule, broadcast, highest, lowest


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
    train = recursion.train
    return replace(train, counts=now) if isinstance(train, Fixed) else replace(train, low=low, high=now)


def mean_count(schedule: Schedule, low: int, high: int) -> float:
    """Expected count of a layer with these bounds."""
    return float(high) if isinstance(schedule, Fixed) else (low + high) / 2


def mean_evaluations(recursion: RecursionConfig, layers: int) -> float:
    """Expected stage applications per training step, with the mean over the bounds that a curriculum raises in equal times."""
    train, part = recursion.train, recursion.curriculum
    low, high = broadcast(lowest(train), layers), broadcast(highest(train), layers)
    rising = (np.mean([mean_count(train, a, now) for now in range(a, b + 1)]) for a, b in zip(low, high, strict=True))
    whole = (mean_count(train, a, b) for a, b in zip(low, high, strict=True))
    return float(part * sum(rising) + (1 - part) * sum(whole)) if part else float(sum(whole))
