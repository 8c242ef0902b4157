"""Slopes of times that are known."""

from __future__ import annotations

import pytest

from benchmarks.slopes import local_slopes, upper_slope

SIZES = (1, 3, 10, 30, 100, 300, 1000)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_a_power_is_its_slope_everywhere(power: float) -> None:
    times = [0.2 * size**power for size in SIZES]
    assert local_slopes(SIZES, times) == pytest.approx([power] * (len(SIZES) - 1))
    assert upper_slope(SIZES, times) == pytest.approx(power)


def test_fixed_costs_weigh_on_small_sizes() -> None:
    times = [30 + size for size in SIZES]
    local = local_slopes(SIZES, times)
    assert local == sorted(local) and local[0] < 0.06 and local[-1] > 0.9
    assert local[0] < upper_slope(SIZES, times) < local[-1]


@pytest.mark.parametrize(("points", "ignored"), [(3, 1), (4, 2), (5, 2), (6, 3), (7, 3)])
def test_only_the_upper_half_counts(points: int, ignored: int) -> None:
    times = [99.0] * ignored + [float(size) for size in SIZES[ignored:points]]
    assert upper_slope(SIZES[:points], times) == pytest.approx(1)
    times[ignored] = 99.0
    assert upper_slope(SIZES[:points], times) < 0.99


def test_two_points_are_a_line() -> None:
    assert upper_slope((1, 10), (1, 100)) == pytest.approx(2)
