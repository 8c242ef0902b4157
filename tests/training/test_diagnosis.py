"""The first value that is not finite, planted where the diagnosis has to find it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rdun.config import RatioScale, TrialConfig, UniformRange, with_values
from rdun.models import Stage
from rdun.results import TrialDirectory
from rdun.training import Batches, Diverged
from rdun.trial import run_trial


class _Poisoned(torch.autograd.Function):
    """The identity, whose gradient is not a number."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0] * float("nan")


@pytest.fixture
def config(tiny: TrialConfig) -> TrialConfig:
    """Three layers, random counts: a batch passes 3 to 6 recursions."""
    return with_values(
        tiny,
        {
            "model.layers": 3,
            "recursion.train": UniformRange(low=(1,), high=(2,)),
            "recursion.modulation": RatioScale(),
            "task.ratios": (0.25, 0.5),
        },
    )


def diverged(config: TrialConfig, folder: Path, match: str) -> dict[str, Any]:
    with pytest.raises(Diverged, match=match):
        run_trial(config, str(folder))
    run = TrialDirectory(folder).run()
    assert run is not None and run.status == "failed"
    found: dict[str, Any] = run.facts["non_finite"]
    return found


def watched(monkeypatch: pytest.MonkeyPatch, change: Callable[[Stage, Tensor], Tensor]) -> None:
    """Changes what the stages of COAST give."""
    from rdun.models.coast import CoastStage

    forward = CoastStage.forward

    def changed(self: CoastStage, x: Tensor, *rest: Any) -> tuple[Tensor, Tensor | None]:
        out, penalty = forward(self, x, *rest)
        return (change(self, out), penalty) if self.training else (out, penalty)

    monkeypatch.setattr(CoastStage, "forward", changed)


def test_a_pixel_is_found_in_the_step_that_reads_it(
    config: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the second epoch: the diagnosis starts from the checkpoint of the first."""
    epoch, calls = Batches.epoch, []

    def broken(self: Batches, order: np.ndarray, size: int) -> Iterator[Tensor]:
        calls.append(order)
        for index, x in enumerate(epoch(self, order, size)):
            second = len(calls) > 1  # the second epoch, and its repetition
            yield torch.where(torch.arange(12) == 5, float("inf"), x) if second and index == 3 else x

    monkeypatch.setattr(Batches, "epoch", broken)
    found = diverged(
        config, tmp_path, r"epoch 2, step 4: the estimate after recursion 1 of \d \(layer 1\) is not finite"
    )
    assert (found["kind"], found["epoch"], found["step"], found["recursion"], found["layer"]) == (
        "estimate",
        2,
        4,
        1,
        1,
    )
    assert found["parameter"].startswith("stages.0.")
    assert len(calls) == 3


def test_an_estimate_is_found_in_the_middle_of_a_pass(
    config: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages: list[Stage] = []

    def change(stage: Stage, out: Tensor) -> Tensor:
        if stage not in stages:
            stages.append(stage)
        return out * float("nan") if stages.index(stage) % 3 == 1 else out

    watched(monkeypatch, change)
    found = diverged(config, tmp_path, r"epoch 1, step 1: the estimate after recursion \d of \d \(layer 2\)")
    assert found["recursion"] in (2, 3) and found["magnitude"] > 0


def test_a_gradient_is_found_where_it_arises(
    config: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss is finite: what is not is the gradient that the second layer passes back."""
    stages: list[Stage] = []

    def change(stage: Stage, out: Tensor) -> Tensor:
        if stage not in stages:
            stages.append(stage)
        return _Poisoned.apply(out) if stages.index(stage) % 3 == 1 else out  # type: ignore[no-untyped-call]

    watched(monkeypatch, change)
    found = diverged(config, tmp_path, r"the gradient of stages\.\d\.\S+ is not finite; going backwards, recursion")
    assert (found["kind"], found["epoch"], found["step"], found["layer"]) == ("gradient", 1, 1, 2)


def test_a_parameter_is_found_that_the_last_step_of_an_epoch_ruined(
    config: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every loss of the epoch is finite; it would show in the next epoch only."""
    step, calls = torch.optim.Adam.step, []

    def ruined(self: torch.optim.Adam, *rest: Any) -> Any:
        calls.append(1)
        out = step(self, *rest)
        if len(calls) % 6 == 0:  # 6 steps are an epoch
            self.param_groups[0]["params"][2].data.view(-1)[0] = float("nan")
        return out

    monkeypatch.setattr(torch.optim.Adam, "step", ruined)
    found = diverged(config, tmp_path, "epoch 1, step 6: the optimizer's step leaves")
    assert (found["kind"], found["recursion"], found["magnitude"]) == ("parameter", None, None)
