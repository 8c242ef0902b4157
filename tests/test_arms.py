"""Builders of arms."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdun.arms import add_one_in, apply, equal, grid, leave_one_out, one_factor, solve, splits, tied, vary
from rdun.config import CoastConfig, Fixed, NoModulation, Rfmu, TrialConfig, UniformRange
from rdun.plan import QUANTITIES
from rdun.study import Study

BASE = TrialConfig(model=CoastConfig(layers=4))
DEPTH: dict[str, dict[str, Any]] = {
    "4x1": {},
    "2x2": {"model.layers": 2, "recursion.train": Fixed(counts=(2,))},
}
DATA = {"3 %": {"data.fraction": 0.03}, "100 %": {}}


def test_vary_is_the_full_grid_with_its_level_names() -> None:
    factors: dict[str, dict[str, dict[str, Any]]] = {
        "depth": {"4x1": {}, "2x2": {"model.layers": 2, "recursion.train": Fixed(counts=(2,))}},
        "data": {"3 %": {"data.fraction": 0.03}, "100 %": {}},
    }
    found = [(*names.values(), c.model.layers, c.data.fraction) for names, c in vary(BASE, factors)]
    assert found == [
        ("4x1", "3 %", 4, 0.03),
        ("4x1", "100 %", 4, 1.0),
        ("2x2", "3 %", 2, 0.03),
        ("2x2", "100 %", 2, 1.0),
    ]


def test_a_grid_compares_within_the_other_factors() -> None:
    arms = grid(BASE, {"depth": DEPTH, "data": DATA}, base={"depth": "4x1"})
    assert {a.name: a.compare_to for a in arms} == {
        "4x1, 3 %": None,
        "4x1, 100 %": None,
        "2x2, 3 %": "4x1, 3 %",
        "2x2, 100 %": "4x1, 100 %",
    }
    Study(name="s", title="", question="", method="", expectation="", scale="", arms=arms)


def test_a_partial_grid() -> None:
    keep = lambda levels: levels != {"depth": "2x2", "data": "3 %"}  # noqa: E731
    assert len(grid(BASE, {"depth": DEPTH, "data": DATA}, base={}, keep=keep)) == 3
    with pytest.raises(ValueError, match=r"'2x2, 3 %' is compared with '4x1, 3 %', which keep leaves out"):
        grid(BASE, {"depth": DEPTH, "data": DATA}, base={"depth": "4x1"}, keep=lambda v: v["depth"] == "2x2")
    with pytest.raises(ValueError, match=r"base=.'depth': '8x1'. is not among the levels"):
        grid(BASE, {"depth": DEPTH}, base={"depth": "8x1"})


def test_no_combination_is_lost_where_names_of_levels_join_to_the_same() -> None:
    factors: dict[str, dict[str, dict[str, Any]]] = {
        "depth": {"a": {}, "a, b": {"model.layers": 2}},
        "rate": {"b, c": {}, "c": {"optim.lr": 1e-3}},
    }
    arms = grid(BASE, factors, base={})
    assert len(arms) == 4
    with pytest.raises(ValueError, match="arm name='a, b, c' is empty or used twice"):
        Study(name="s", title="", question="", method="", expectation="", scale="", arms=arms)


def test_one_factor_leave_one_out_and_add_one_in() -> None:
    whole = apply(BASE, {"recursion.train": UniformRange(low=(1,), high=(2,)), "recursion.modulation": Rfmu()})
    without: dict[str, dict[str, Any]] = {
        "RFMU": {"recursion.modulation": NoModulation()},
        "random counts": {"recursion.train": Fixed(counts=(2,))},
    }
    arms = leave_one_out(whole, without)
    assert [(a.name, a.compare_to) for a in arms] == [
        ("complete", None),
        ("without RFMU", "complete"),
        ("without random counts", "complete"),
    ]
    assert arms[1].configs[0].recursion == apply(whole, without["RFMU"]).recursion
    assert [a.compare_to for a in add_one_in(BASE, {"RFMU": {"recursion.modulation": Rfmu()}})] == [None, "plain"]
    assert [a.name for a in one_factor(BASE, "depth", DEPTH, base="2x2") if a.compare_to is None] == ["2x2"]


def test_tied_values_move_together() -> None:
    levels = tied(
        {"model.layers": (20, 10, 5), "recursion.train": [Fixed(counts=(n,)) for n in (1, 2, 4)]},
        lambda layers, counts: f"{layers}x{counts.counts[0]}",
    )
    assert list(levels) == ["20x1", "10x2", "5x4"]
    assert [sum(apply(BASE, changes).test_counts) for changes in levels.values()] == [20, 20, 20]
    with pytest.raises(ValueError, match=r"lengths .*2.*1.*equally many"):
        tied({"optim.lr": (1e-3, 1e-4), "optim.warmup": (5,)}, str)
    with pytest.raises(ValueError, match="own name"):
        tied({"optim.lr": (1e-3, 1e-4)}, lambda lr: "x")


@given(st.sampled_from([1, 2, 4, 5, 10, 20]))
def test_computed_values_see_the_plain_ones(layers: int) -> None:
    """Layers times recursions stay 20, whatever the number of layers."""
    changes = {
        "recursion.train": lambda c: Fixed(counts=(20 // c.model.layers,)),
        "model.layers": layers,
    }
    assert sum(apply(BASE, changes).test_counts) == 20


@pytest.mark.parametrize(
    ("field", "values", "quantity"),
    [
        ("model.channels", range(4, 40), "parameters"),
        ("model.channels", range(4, 40), "macs"),
        ("optim.epochs", range(1, 50), "steps"),
        ("data.epoch_samples", range(64, 6400, 64), "samples"),
        ("model.layers", range(1, 9), "stage_evaluations"),
    ],
)
def test_settings_of_equal_cost(field: str, values: range, quantity: str) -> None:
    """A network of one layer is brought to the cost of the base, by one free field."""
    base = apply(BASE, {"model.channels": 8, "data.epoch_samples": 640, "optim.epochs": 6})
    measure = QUANTITIES[quantity]
    start = apply(base, {"model.layers": 1, "data.epoch_samples": 320, "optim.epochs": 3})
    solved = solve(start, field, values, measure, measure(base))
    assert measure(solved) == pytest.approx(measure(base), rel=0.05)
    assert measure(start) < 0.6 * measure(base)


def test_a_cost_that_cannot_be_reached() -> None:
    with pytest.raises(ValueError, match=r"no value of model.layers .* within 5% of 100; the nearest is 3 with 3"):
        solve(BASE, "model.layers", (1, 2, 3), QUANTITIES["stage_evaluations"], 100)
    with pytest.raises(ValueError, match="no values to choose from"):
        solve(BASE, "model.layers", (), QUANTITIES["stage_evaluations"], 100)


def test_layers_times_recursions_are_held() -> None:
    levels = splits(20)
    assert list(levels) == ["20x1", "10x2", "5x4", "4x5", "2x10", "1x20"]
    assert {sum(apply(BASE, changes).test_counts) for changes in levels.values()} == {20}
    drawn = apply(BASE, splits(20, (5,), random=True)["5x4"])
    assert drawn.recursion.train == UniformRange(low=(1,), high=(4,))
    with pytest.raises(ValueError, match="layers=3 do not divide 20"):
        splits(20, (3,))


def test_depths_of_equal_parameters_are_arms_of_one_line() -> None:
    base = apply(BASE, {"model.channels": 8})
    levels = equal(base, splits(4), "model.channels", range(4, 40), QUANTITIES["parameters"], 0.1)
    arms = one_factor(base, "depth", levels, base="4x1")
    assert [arm.name for arm in arms] == ["4x1", "2x2", "1x4"]
    assert arms[0].configs[0].model.channels == 8
    sizes = [QUANTITIES["parameters"](arm.configs[0]) for arm in arms]
    assert max(sizes) <= 1.1 / 0.9 * min(sizes)
    assert arms[2].configs[0].model.channels > arms[1].configs[0].model.channels > 8
    with pytest.raises(ValueError, match=r"level '2x2': no value of model.channels"):
        equal(base, splits(4), "model.channels", (4, 5), QUANTITIES["parameters"])
