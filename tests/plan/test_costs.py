"""Costs of a plan: of the network, whatever it is trained with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rdun.config import TrialConfig, with_values
from rdun.plan import cost


@pytest.mark.parametrize("change", [{"optim.lr": 0.5}, {"data.fraction": 0.5}, {"seed": 9}, {"recursion.sweep": (7,)}])
def test_training_does_not_move_the_cost_of_a_network(tiny: TrialConfig, change: dict[str, object]) -> None:
    assert cost(with_values(tiny, change)) == cost(tiny)


@pytest.mark.parametrize(
    "change", [{"model.layers": 3}, {"model.channels": 8}, {"recursion.modulation": {"kind": "rfmu"}}]
)
def test_the_network_does(tiny: TrialConfig, change: dict[str, object]) -> None:
    parameters, macs = cost(tiny)
    assert cost(with_values(tiny, change))[0] > parameters
    twice = with_values(tiny, {"recursion.test": {"counts": [2]}})
    assert cost(twice)[0] == parameters and cost(twice)[1] > 1.5 * macs
    assert cost(replace(tiny, weights="any.safetensors")) == (parameters, macs)
