"""Costs of a plan: of the network, whatever it is trained with."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from rdun.config import (
    BlockSensingTask,
    CoastConfig,
    DataConfig,
    Fixed,
    OptimConfig,
    RecursionConfig,
    TrialConfig,
    with_values,
)
from rdun.models import build_model
from rdun.plan import QUANTITIES, cost
from rdun.plan.operations import Operations
from tests.contracts.cases import MODELS, OPERATORS
from tests.contracts.test_models import trial


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


def test_multiply_accumulates_by_hand() -> None:
    """COAST 2x3 of 4 channels on a block of 8x8 pixels: per pixel 18 C + 54 C^2, and A and A^T once, at the highest ratio."""
    task = BlockSensingTask(ratios=(0.25, 0.5), block=8)
    config = TrialConfig(
        task=task, model=CoastConfig(layers=2, channels=4), recursion=RecursionConfig(train=Fixed(counts=(3,)))
    )
    application = 64 * (18 * 4 + 54 * 4**2) + 2 * 32 * 64
    assert cost(config)[1] == 6 * application + 32 * 64  # and A^T for the start


def test_what_a_training_takes_by_hand() -> None:
    """3 epochs of 45 blocks in batches of 8, and a network that is tested with other counts than it is trained with."""
    config = TrialConfig(
        model=CoastConfig(layers=2),
        recursion=RecursionConfig(train=Fixed(counts=(3,)), test=Fixed(counts=(1, 4))),
        data=DataConfig(epoch_samples=45),
        optim=OptimConfig(batch=8, epochs=3),
    )
    found = {name: QUANTITIES[name](config) for name in ("steps", "samples", "stage_evaluations")}
    assert found == {"steps": 18, "samples": 135, "stage_evaluations": 5}


@pytest.mark.parametrize("model", MODELS)
def test_operations_are_those_of_torchs_own_counter(model: str) -> None:
    config = trial(model)
    network, operator = build_model(config).eval(), OPERATORS["block"]((16, 24), torch.float32)
    y = operator.forward(torch.zeros(1, 1, 16, 24))
    with FlopCounterMode(display=False) as reference:
        network(y, operator, config.test_counts)
    with Operations() as counted:
        network(y, operator, config.test_counts)
    assert counted.total == reference.get_total_flops() > 0


def test_counting_loads_no_compiler() -> None:
    code = """
import sys
from rdun.config import TrialConfig
from rdun.plan import cost
cost(TrialConfig())
print(*{"torch._dynamo", "sympy"} & set(sys.modules))
"""
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.split() == []
