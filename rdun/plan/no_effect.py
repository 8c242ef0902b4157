"""Arms that change a field of the network without any effect on it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from rdun.config import RecursionConfig, TrialConfig, canonical, to_dict
from rdun.plan.costs import cost, one_measurement
from rdun.study import Arm, Study

if TYPE_CHECKING:
    import torch

MOST_PAIRS = 200
"""Pairs of networks of equal cost that are run at most; a plan with more says so."""


def no_effect_warnings(study: Study) -> list[str]:
    """A line for each arm whose network differs from its base's in its config, but not in parameters, costs and outputs.

    The outputs are those of the seed's weights and of slightly moved ones, so that a stage that starts as the identity hides
    nothing. A field that works in training only (a schedule of counts) is not judged.
    """
    by_name = {arm.name: arm for arm in study.arms}
    pairs = [(arm, by_name[arm.compare_to]) for arm in study.arms if arm.compare_to is not None]
    suspects = [(arm, base) for arm, base in pairs if _differ(arm, base) and _equal_costs(arm, base)]
    lines = [
        f"arm {arm.name!r} changes {', '.join(_fields(arm, base))} and has the parameters, multiply-accumulates and "
        f"outputs of {base.name!r}: the change has no effect before training"
        for arm, base in suspects[:MOST_PAIRS]
        if all(_same_outputs(a, b) for a, b in zip(arm.configs, base.configs, strict=True))
    ]
    if len(suspects) > MOST_PAIRS:
        lines.append(
            f"{len(suspects) - MOST_PAIRS} more arms of their base's cost were not tried for changes without effect"
        )
    return lines


def _network(config: TrialConfig) -> TrialConfig:
    """What the network is made from, so that arms with one network run it once."""
    normal = canonical(config)
    recursion = RecursionConfig(train=normal.recursion.train, modulation=normal.recursion.modulation)
    return TrialConfig(task=one_measurement(normal.task), model=normal.model, recursion=recursion)


def _differ(arm: Arm, base: Arm) -> bool:
    return len(arm.configs) == len(base.configs) and bool(_fields(arm, base))


def _fields(arm: Arm, base: Arm) -> list[str]:
    """Dotted fields of model and modulation that differ."""
    ours, theirs = (
        {"model": to_dict(a.configs[0].model), "recursion.modulation": to_dict(a.configs[0].recursion.modulation)}
        for a in (arm, base)
    )
    return [
        f"{group}.{name}"
        for group in ours
        for name in {**ours[group], **theirs[group]}
        if ours[group].get(name) != theirs[group].get(name)
    ]


def _equal_costs(arm: Arm, base: Arm) -> bool:
    return [cost(config) for config in arm.configs] == [cost(config) for config in base.configs]


def _same_outputs(one: TrialConfig, other: TrialConfig) -> bool:
    if one.task != other.task or one.test_counts != other.test_counts:
        return False
    layers = one.model.layers
    counts = (one.test_counts, *((count,) * layers for count in sorted({*one.recursion.sweep, *other.recursion.sweep})))
    ours, theirs = (_outputs(_network(config), counts) for config in (one, other))
    return len(ours) == len(theirs) and all(_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@lru_cache(maxsize=256)
def _outputs(config: TrialConfig, counts: tuple[tuple[int, ...], ...]) -> list[torch.Tensor]:
    """Estimates and penalties (which training has) of one random block, with the seed's weights and with moved ones."""
    import torch

    from rdun.models import build_model
    from rdun.operators import make_task

    side, generator = config.task.block, torch.Generator().manual_seed(0)
    operator = make_task(config.task, None, torch.device("cpu")).test_operators((side, side))[0].operator
    y = operator.forward(torch.rand(1, 1, side, side, generator=generator))
    network, found = build_model(config).train(), []
    with torch.no_grad():
        for amount in (0.0, 0.01):
            for parameter in network.parameters():
                parameter.add_(amount * torch.randn(parameter.shape, generator=generator))
            for wanted in counts:
                output = network(y, operator, wanted)
                found += [output.x, output.penalty]
    return found


def _equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and bool((a == b).all())
