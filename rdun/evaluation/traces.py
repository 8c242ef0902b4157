"""What happens inside one reconstruction: quality, residual, step and modulation after every stage application."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import zip_longest

import torch
from torch import Tensor

from rdun.evaluation.metrics import psnr
from rdun.evaluation.pictures import Picture
from rdun.evaluation.reconstruct import Reconstructor, levels
from rdun.models import Stage, Unfolding, convolutions
from rdun.operators import Operator, Task, TestOperator
from rdun.results import Trace

NAN = math.nan


def trace_images(
    reconstruct: Reconstructor, task: Task, pictures: Sequence[Picture], dataset: str, device: torch.device
) -> Iterator[Trace]:
    """A row per stage application, for each image and ratio with the first test operator of that ratio."""
    for picture in pictures:
        seen: set[float] = set()
        for test in reconstruct.operators(task, picture.shape):
            if test.ratio not in seen:
                seen.add(test.ratio)
                with convolutions(device):
                    rows = [*_trace(reconstruct, test, picture, dataset, device)]
                yield from rows


@torch.no_grad()
def _trace(
    reconstruct: Reconstructor, test: TestOperator, picture: Picture, dataset: str, device: torch.device
) -> Iterator[Trace]:
    network, operator = reconstruct.network, test.operator
    assert network is not None
    network.eval()
    image = picture.tensor(device)
    measured = reconstruct.measured(operator, image)
    passes = [_estimates(network, y, operator, reconstruct.counts) for y in measured]
    size = math.sqrt(sum(float(y.double().square().sum()) for y in measured))
    steps, scales = _steps(network, reconstruct.counts), network.modulation(operator.ratio, reconstruct.counts)
    layers = [0, *(i + 1 for i, count in enumerate(reconstruct.counts) for _ in range(count))]
    for t, estimates in enumerate(zip_longest(*passes)):
        errors = [(operator.forward(x) - y).double().square().sum() for x, y in zip(estimates, measured, strict=True)]
        x = levels(reconstruct.assembled(operator, torch.cat(estimates), picture.shape))
        scale = scales[t - 1].abs() if scales is not None and t else None
        yield Trace(
            dataset=dataset,
            image=picture.name,
            ratio=test.ratio,
            matrix=test.matrix,
            recursions=reconstruct.recursions,
            application=t,
            layer=layers[t],
            psnr=psnr(x, picture.pixels),
            residual=math.sqrt(float(torch.stack(errors).sum())) / size if size else NAN,
            step=steps[t - 1] if t else NAN,
            scale_mean=float(scale.mean()) if scale is not None else NAN,
            scale_max=float(scale.max()) if scale is not None else NAN,
        )


def _estimates(network: Unfolding, y: Tensor, operator: Operator, counts: tuple[int, ...]) -> Iterator[Tensor]:
    """The initial estimate, then the one after each stage application; images `(N, 1, H, W)`."""
    yield operator.crop(operator.initial(y))
    for iterate in network.iterates(y, operator, counts):
        yield operator.crop(iterate.x)


def _steps(network: Unfolding, counts: tuple[int, ...]) -> list[float]:
    """The gradient step size of each application (of DPDNN's pair, the first); NaN of a stage that has none."""
    pairs = [(stage, n) for stage, n in zip(network.stages, counts, strict=True) if isinstance(stage, Stage)]
    return [float(step.flatten()[0]) if step.numel() else NAN for stage, n in pairs for step in stage.steps(n)]
