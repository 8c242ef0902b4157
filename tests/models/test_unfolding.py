"""What stages of one's own may be."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rdun.config import DenoisingTask, NoModulation
from rdun.evaluation import Picture, Reconstructor, trace_images
from rdun.models import Stage, Unfolding, make_modulation
from rdun.operators import Operator, make_task


class Smoothed(Stage):
    """x+ = W x: no gradient step, and so no step size."""

    def __init__(self, *inner: nn.Module) -> None:
        super().__init__()
        self.inner = nn.Sequential(*inner)

    def steps(self, count: int) -> Tensor:
        return torch.zeros(count, 0)

    def forward(
        self, x: Tensor, y: Tensor, operator: Operator, step: Tensor, scale: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        return self.inner(x), None


class Fixed(nn.Module):
    """Multiplication by a constant."""

    factor: Tensor

    def __init__(self, persistent: bool) -> None:
        super().__init__()
        self.register_buffer("factor", torch.tensor(0.5), persistent=persistent)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def unfolding(*inner: nn.Module) -> Unfolding:
    return Unfolding([Smoothed(nn.Conv2d(1, 1, 3, padding=1), *inner)], make_modulation(NoModulation(), 1, 1, 1))


@pytest.mark.parametrize(
    ("inner", "name"),
    [(nn.BatchNorm2d(1), "stages.0.inner.1.num_batches_tracked"), (Fixed(True), "stages.0.inner.1.factor")],
)
def test_what_no_file_of_weights_holds_is_refused(inner: nn.Module, name: str) -> None:
    """Statistics of batches would be lost with the file, and stand still in the moving average."""
    with pytest.raises(ValueError, match=rf"{name} is no parameter.*use GroupNorm"):
        unfolding(inner)
    unfolding(nn.GroupNorm(1, 1), Fixed(False))


def test_a_stage_without_a_step_size_is_traced() -> None:
    task = make_task(DenoisingTask(block=8), None, torch.device("cpu"))
    picture = Picture("x", np.full((8, 8), 100, np.uint8))
    reconstruct = Reconstructor(unfolding(), (2,), deblock=True)
    traces = [*trace_images(reconstruct, task, [picture], "set", torch.device("cpu"))]
    assert len(traces) == 3 and all(math.isnan(trace.step) for trace in traces)
