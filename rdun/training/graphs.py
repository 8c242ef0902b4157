"""Training steps on a GPU from CUDA graphs: one per application of a stage, so that random recursion counts cost nothing.

Small networks on small batches spend their time in launching kernels. A graph launches many at once, but holds one fixed
sequence, and random counts give (R_max)^L different ones. So every application (stage i, its r-th time) is a graph of its own,
forward and backward, and a pass of any counts replays those that it needs, one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from rdun.config import TrialConfig
from rdun.models import Stage, autocast, convolutions
from rdun.operators import BlockSensing, GaussianBlockTask, Operator, Task
from rdun.training.state import TrainState

_WARM_UP = 3


def graphed_step(config: TrialConfig, state: TrainState, task: Task, device: torch.device) -> GraphedStep | None:
    """A `GraphedStep` for block sensing on a GPU, without loss scaling (fp16), recomputation or deep supervision, of stages that
    ask nothing of the operator that a graph cannot hold; else None."""
    if device.type != "cuda" or not isinstance(task, GaussianBlockTask):
        return None
    if config.precision == "fp16" or state.network.recompute or config.optim.deep_supervision:
        return None
    try:
        return GraphedStep(config, state, task, device)
    except NotOfTensors:
        return None


class NotOfTensors(Exception):
    """A stage asks of its operator what differs between the steps and is not read by a graph."""


class _AnyMatrix(BlockSensing):
    """Holds the matrix of each step in turn, above rows of zeros. What else differs between operators would stay in a graph as it
    was when that was captured."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("ratio", "initial", "estimator"):
            raise NotOfTensors(name)
        return super().__getattribute__(name)


class GraphedStep:
    """`train_step` for full batches, with the same result but for the order of floating-point sums.

    Args:
        task: its operators are padded with rows of zeros to the largest number of measurements.

    Raises:
        NotOfTensors: a stage reads the operator's ratio, or starts from its initial estimate.
    """

    def __init__(self, config: TrialConfig, state: TrainState, task: GaussianBlockTask, device: torch.device) -> None:
        rows = task.most_rows
        self.state = state
        state.network.train()  # evaluation leaves penalties out
        self.clip = config.optim.clip
        self.batch, side, pixels = config.optim.batch, config.task.block, config.task.block**2
        self.operator = _AnyMatrix(torch.zeros(rows, pixels, device=device), (side, side))
        self.y = torch.zeros(self.batch, 1, rows, device=device)
        self.parameters = [p for p in state.network.parameters() if p.requires_grad]
        self.gradients = [torch.zeros_like(p) for p in self.parameters]
        self._attach()
        stages = [stage for stage in state.network.stages if isinstance(stage, Stage)]
        scales = state.network.modulation(1.0, config.high_counts)
        shape = (self.batch, 1, side, side)
        self.applications = [
            [_Application(stage, r, count, shape, None if scales is None else scales[0]) for r in range(count)]
            for stage, count in zip(stages, config.high_counts, strict=True)
        ]
        with convolutions(device, tf32=config.precision == "tf32", benchmark=True):
            self._capture(config, device)

    def __call__(self, operator: Operator, counts: Sequence[int], x: Tensor) -> tuple[Tensor, Tensor]:
        """One optimizer step on a full batch `(B, 1, b, b)`; returns loss and mean squared error, detached."""
        assert isinstance(operator, BlockSensing)
        self._attach()
        torch._foreach_zero_(self.gradients)
        y = operator.measure(x)
        self._measured_by(operator, y)
        chosen = [a for group, count in zip(self.applications, counts, strict=True) for a in group[:count]]
        scales = self.state.network.modulation(operator.ratio, counts)
        if scales is not None:
            targets = [a.scale.detach() for a in chosen if a.scale is not None]
            torch._foreach_copy_(targets, list(scales.detach().unbind()))
        estimate = operator.initial(y)
        for application in chosen:
            estimate = application.forward(estimate)
        error = F.mse_loss(estimate, x)
        penalties = [a.penalty for a in chosen if a.penalty is not None]
        loss = error + torch.stack(penalties).sum() if penalties else error.clone()
        gradient = (estimate - x) * (2 / x.numel())
        for application in reversed(chosen):
            gradient = application.backward(gradient)
        if scales is not None:
            torch.autograd.backward(
                scales, torch.stack([a.scale_gradient for a in chosen if a.scale_gradient is not None])
            )
        self.state.step(self.clip)
        return loss, error

    def _attach(self) -> None:
        """The graphs add to these tensors; a step without graphs may have put others in their place."""
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = gradient

    def _measured_by(self, operator: BlockSensing, y: Tensor) -> None:
        rows = len(operator.matrix)
        self.operator.matrix[:rows].copy_(operator.matrix)
        self.operator.matrix[rows:].zero_()
        self.y[..., :rows].copy_(y)
        self.y[..., rows:].zero_()

    def _capture(self, config: TrialConfig, device: torch.device) -> None:
        everything = [a for group in self.applications for a in group]
        side_stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        side_stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side_stream):
            for _ in range(_WARM_UP):  # libraries set themselves up, and cuDNN measures, outside of a capture
                for group in self.applications:
                    with autocast(config.precision, device, cache=False):
                        group[0].run(self.y, self.operator)
                    group[0].differentiate(warm=True)
        torch.cuda.current_stream(device).wait_stream(side_stream)
        pool = torch.cuda.graph_pool_handle()
        for application in everything:
            with (
                torch.cuda.graph(application.forward_graph, pool=pool),
                autocast(config.precision, device, cache=False),
            ):
                application.run(self.y, self.operator)
        for application in reversed(everything):  # the order of use: a graph may reuse what the one before it has freed
            with torch.cuda.graph(application.backward_graph, pool=pool):
                application.differentiate()


class _Application:
    """The r-th application of a stage: two graphs with their inputs and outputs at fixed places in memory."""

    def __init__(self, stage: Stage, r: int, count: int, shape: tuple[int, ...], scale: Tensor | None) -> None:
        self.stage, self.r, self.count = stage, r, count
        device = next(stage.parameters()).device
        self.x = torch.zeros(shape, device=device, requires_grad=True)
        self.scale = None if scale is None else torch.ones_like(scale).requires_grad_()
        self.out_gradient = torch.zeros(shape, device=device)
        self.scale_gradient: Tensor | None = None
        self.penalty: Tensor | None = None
        self.forward_graph, self.backward_graph = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()

    def run(self, y: Tensor, operator: BlockSensing) -> None:
        """The forward pass that is captured."""
        step = self.stage.steps(self.count)[self.r]
        self._out, self._penalty = self.stage(self.x, y, operator, step, self.scale)
        self.out: Tensor = self._out.detach()
        self.penalty = None if self._penalty is None else self._penalty.detach()

    def differentiate(self, *, warm: bool = False) -> None:
        """The backward pass that is captured: gradients of the inputs, and those of the parameters added to theirs.

        Args:
            warm: add nothing.
        """
        inputs = [self.x, *([] if self.scale is None else [self.scale])]
        parameters = [p for p in self.stage.parameters() if p.requires_grad]
        outputs, seeds = [self._out], [self.out_gradient.to(self._out.dtype)]
        if self._penalty is not None:
            outputs.append(self._penalty)
            seeds.append(torch.ones_like(self._penalty))
        found = torch.autograd.grad(outputs, [*inputs, *parameters], seeds, allow_unused=True)
        self.x_gradient: Tensor = found[0]
        self.scale_gradient = None if self.scale is None else found[1]
        if not warm:
            for parameter, gradient in zip(parameters, found[len(inputs) :], strict=True):
                if gradient is not None:
                    assert parameter.grad is not None
                    parameter.grad.add_(gradient)
        del self._out, self._penalty

    def forward(self, x: Tensor) -> Tensor:
        """The next estimate; valid until the next step."""
        self.x.detach().copy_(x)
        self.forward_graph.replay()
        return self.out

    def backward(self, gradient: Tensor) -> Tensor:
        """The gradient of the estimate before from that of the estimate after."""
        self.out_gradient.copy_(gradient)
        self.backward_graph.replay()
        return self.x_gradient
