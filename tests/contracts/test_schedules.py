"""The contract of every schedule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from rdun.config import Fixed, RecursionConfig, Schedule, UniformRange, broadcast, highest, lowest
from rdun.models import draw_counts, grown, mean_evaluations
from tests.contracts.cases import LAYERS, SCHEDULES

every_schedule = pytest.mark.parametrize("name", SCHEDULES)


def limits(schedule: Schedule) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Lowest and highest count per layer."""
    low, high = (schedule.counts,) * 2 if isinstance(schedule, Fixed) else (schedule.low, schedule.high)
    return broadcast(low, LAYERS), broadcast(high, LAYERS)


@every_schedule
def test_counts_stay_in_range(name: str) -> None:
    generator = np.random.default_rng(0)
    low, high = limits(SCHEDULES[name])
    for _ in range(200):
        counts = draw_counts(SCHEDULES[name], LAYERS, generator)
        assert len(counts) == LAYERS
        assert all(type(r) is int and a <= r <= b for a, r, b in zip(low, counts, high, strict=True))


@every_schedule
def test_draws_depend_on_the_generator_alone(name: str) -> None:
    def sequence(seed: int) -> list[tuple[int, ...]]:
        generator = np.random.default_rng(seed)
        return [draw_counts(SCHEDULES[name], LAYERS, generator) for _ in range(50)]

    assert sequence(0) == sequence(0)
    low, high = limits(SCHEDULES[name])
    assert (sequence(0) == sequence(1)) == (low == high)


@every_schedule
def test_mean_evaluations(name: str) -> None:
    generator = np.random.default_rng(0)
    drawn = [sum(draw_counts(SCHEDULES[name], LAYERS, generator)) for _ in range(4000)]
    assert np.mean(drawn) == pytest.approx(mean_evaluations(RecursionConfig(train=SCHEDULES[name]), LAYERS), abs=0.1)


@every_schedule
@pytest.mark.parametrize("curriculum", [0.25, 0.6, 1.0])
def test_a_curriculum_rises_to_the_schedule_in_equal_times(name: str, curriculum: float) -> None:
    recursion, generator = RecursionConfig(train=SCHEDULES[name], curriculum=curriculum), np.random.default_rng(0)
    steps = 4000
    schedules = [grown(recursion, LAYERS, step / steps) for step in range(steps)]
    bounds = np.array([broadcast(highest(schedule), LAYERS) for schedule in schedules])
    low, high = broadcast(lowest(SCHEDULES[name]), LAYERS), broadcast(highest(SCHEDULES[name]), LAYERS)
    assert tuple(bounds[0]) == low and tuple(bounds[-1]) == high
    assert (np.diff(bounds, axis=0) >= 0).all()
    assert all(schedule == recursion.train for schedule in schedules[round(curriculum * steps) :])
    for layer in range(LAYERS):
        times = np.bincount(bounds[: round(curriculum * steps), layer])[low[layer] :]
        assert len(times) == high[layer] - low[layer] + 1 and np.ptp(times) <= 1
    drawn = [sum(draw_counts(schedule, LAYERS, generator)) for schedule in schedules]
    assert np.mean(drawn) == pytest.approx(mean_evaluations(recursion, LAYERS), abs=0.15)


def test_fixed_leaves_the_generator_alone() -> None:
    generator = np.random.default_rng(0)
    before = generator.bit_generator.state
    assert draw_counts(Fixed(counts=(3,)), 4, generator) == (3, 3, 3, 3)
    assert generator.bit_generator.state == before


def test_each_layer_is_uniform_and_independent() -> None:
    """The published rule: R_i ~ Uniform{1, ..., 4} per layer and batch; one layer has a range of its own."""
    schedule, generator = UniformRange(low=(1, 1, 2), high=(4, 4, 6)), np.random.default_rng(1970)
    drawn = np.array([draw_counts(schedule, 3, generator) for _ in range(6000)])
    for layer, (low, high) in enumerate([(1, 4), (1, 4), (2, 6)]):
        assert chisquare(np.bincount(drawn[:, layer])[low : high + 1]).pvalue > 1e-3
    pairs = drawn[:, 0] * 10 + drawn[:, 1]
    assert chisquare(np.unique(pairs, return_counts=True)[1]).pvalue > 1e-3
    assert abs(np.corrcoef(drawn[:, 0], drawn[:, 2])[0, 1]) < 0.05
    assert mean_evaluations(RecursionConfig(train=UniformRange(low=(1,), high=(4,))), 5) == 12.5


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=6), st.integers(0, 2**32))
def test_any_range(pairs: list[tuple[int, int]], seed: int) -> None:
    low, high = tuple(a for a, _ in pairs), tuple(a + b for a, b in pairs)
    counts = draw_counts(UniformRange(low=low, high=high), len(pairs), np.random.default_rng(seed))
    assert all(a <= r <= b for a, r, b in zip(low, counts, high, strict=True))
