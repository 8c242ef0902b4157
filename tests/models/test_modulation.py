"""Modulation against its formulas."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from rdun.config import CoastConfig, Fixed, NoModulation, RatioScale, RecursionConfig, Rfmu, TrialConfig, UniformRange
from rdun.config.schema import Condition
from rdun.models import autocast, build_model, make_modulation
from rdun.operators import make_task


def by_name(modulation: torch.nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach() for name, parameter in modulation.named_parameters()}


def test_none_scales_nothing() -> None:
    assert make_modulation(NoModulation(), 8, 2, 6)(0.5, (1, 2)) is None


def test_ratio_scale_is_affine_in_the_realised_ratio() -> None:
    modulation = make_modulation(RatioScale(), 8, 2, 6)
    p = by_name(modulation)
    table = modulation(109 / 1089, (2, 1))
    assert table is not None
    for t in range(3):
        for slot in range(2):
            expected = p[f"slots.{slot}.weight"][:, 0] * 109 / 1089 + p[f"slots.{slot}.bias"]
            torch.testing.assert_close(table[t, slot], expected)


@pytest.mark.parametrize("config", [RatioScale(start="identity"), Rfmu(start="identity")], ids=lambda c: str(c.kind))
def test_scales_may_start_at_one_and_are_learned_from_there(config: RatioScale | Rfmu) -> None:
    modulation = make_modulation(config, 8, 2, 6)
    table = modulation(0.25, (2, 1))
    assert table is not None and torch.equal(table, torch.ones(3, 2, 8))
    table.sum().backward()
    assert any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in modulation.parameters())


def test_longer_passes_than_any_of_training() -> None:
    """`beyond="clamp"` tells the network at most 1; within the trained range it changes nothing."""
    inputs: tuple[Condition, ...] = ("total", "current")
    clamped = make_modulation(Rfmu(inputs=inputs, beyond="clamp"), 8, 1, 4)
    plain = make_modulation(Rfmu(inputs=inputs), 8, 1, 4)
    plain.load_state_dict(clamped.state_dict())
    torch.testing.assert_close(clamped(0.5, (2, 2)), plain(0.5, (2, 2)))
    long = clamped(0.5, (4, 4))
    assert long is not None
    torch.testing.assert_close(long[3], long[7])
    assert not torch.equal(long[3], plain(0.5, (4, 4))[3])


@pytest.mark.parametrize(
    "inputs", [("ratio", "total", "current"), ("total", "current"), ("current",), ("total", "ratio")]
)
def test_rfmu_is_a_perceptron_of_the_recursion(inputs: tuple[Condition, ...]) -> None:
    """alpha = W2 ReLU(W1 c + w1) + w2 with c from (2 M/N, T/T_max, t/T_max), t = 1..T counted over all layers."""
    longest, ratio, counts = 20, 0.25, (2, 1, 4)
    modulation = make_modulation(Rfmu(inputs=inputs), 8, 1, longest)
    p = by_name(modulation)
    table = modulation(ratio, counts)
    assert table is not None
    assert table.shape == (7, 1, 8)
    for t in range(1, 8):
        known = {"ratio": 2 * ratio, "total": 7 / longest, "current": t / longest}
        c = torch.tensor([known[name] for name in inputs])
        hidden = torch.relu(p["slots.0.0.weight"] @ c + p["slots.0.0.bias"])
        torch.testing.assert_close(table[t - 1, 0], p["slots.0.2.weight"] @ hidden + p["slots.0.2.bias"])


def test_scales_keep_full_precision_where_the_network_does_not() -> None:
    """Else bf16 would round t / T_max to 8 bits, and the gradients of the unit with it."""
    recursion = RecursionConfig(train=UniformRange(low=(1,), high=(3,)), modulation=Rfmu())
    config, cpu = TrialConfig(model=CoastConfig(layers=1, channels=4), recursion=recursion), torch.device("cpu")
    network, seen = build_model(config), list[Tensor]()
    network.stages[0].register_forward_pre_hook(lambda _, given: seen.append(given[4]))
    side = config.task.block
    operator = make_task(config.task, None, cpu).test_operators((side, side))[0].operator
    with autocast("bf16", cpu):
        network(operator.measure(torch.rand(1, 1, side, side)), operator, (3,))
    scales = network.modulation(operator.ratio, (3,))
    assert scales is not None and scales.dtype == torch.float32
    assert torch.equal(torch.stack(seen), scales)


def test_the_longest_pass_is_that_of_training_whatever_is_tested() -> None:
    recursion = RecursionConfig(train=UniformRange(low=(1,), high=(3,)), modulation=Rfmu())
    config = TrialConfig(model=CoastConfig(layers=2, channels=4), recursion=recursion)
    longer = replace(config, recursion=replace(recursion, test=Fixed(counts=(9,))))
    one, other = (build_model(each).modulation(0.25, (9, 9)) for each in (config, longer))
    assert one is not None and other is not None and torch.equal(one, other)
