"""Finding the first value that is not finite, by repeating the epoch in which training diverged."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from types import TracebackType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from rdun.config import TrialConfig
from rdun.data import TrainingBlocks
from rdun.operators import Task
from rdun.training.batches import Batches
from rdun.training.divergence import Diverged, NonFinite
from rdun.training.state import TrainState
from rdun.training.steps import Step, draw_steps, train_step


def first_non_finite(
    config: TrialConfig, task: Task, blocks: TrainingBlocks, state: TrainState, device: torch.device
) -> NonFinite | None:
    """Trains the epoch after `state` once more, with plain steps that are watched, up to the first value that is not finite.

    The steps are those of training: same blocks, matrices, counts and learning rates from the same weights. On a CPU they give
    the same values; on a GPU, where training may use CUDA graphs, the same but for the order of sums.

    Args:
        state: as it is resumed from the last checkpoint; it is used up.

    Returns:
        None where the repeated epoch stays finite.
    """
    state.network.train()
    batches = Batches(blocks, task.patch, device)
    for number, step in enumerate(draw_steps(config, task, blocks, batches, state), start=1):
        if found := _Watched(config, state, step, number).run():
            return found
    return None


class _Watched:
    """One step, with an eye on every stage application, forwards and backwards."""

    def __init__(self, config: TrialConfig, state: TrainState, step: Step, number: int) -> None:
        self.config, self.state, self.step, self.number = config, state, step, number
        self.layers = [layer for layer, count in enumerate(step.counts, start=1) for _ in range(count)]
        self.done = 0
        self.forward: tuple[Literal["estimate", "penalty"], int] | None = None
        self.backward: int | None = None

    def run(self) -> NonFinite | None:
        try:
            with _Hooks(self.state.network.stages, self._applied):
                loss, _ = train_step(self.config, self.state, self.step.operator, self.step.counts, self.step.x)
        except Diverged:
            loss = torch.tensor(math.nan)
        if self.forward:
            kind, recursion = self.forward
            return self._found(kind, recursion, self._largest(self.layers[recursion - 1]))
        if not torch.isfinite(loss):
            return self._found("loss", None, self._largest(None))
        named = dict(self.state.network.named_parameters())
        gradients = {name: p.grad for name, p in named.items() if p.grad is not None}
        if not self.state.scaler.is_enabled() and (bad := _first_bad(gradients.items())):  # fp16 skips such steps
            return self._found("gradient", self.backward, bad)
        if bad := _first_bad(named.items()):
            return self._found("parameter", None, bad)
        return None

    def _applied(self, _stage: nn.Module, _inputs: Any, output: tuple[Tensor, Tensor | None]) -> None:
        """Called after every stage application."""
        self.done += 1
        estimate, penalty = output
        if self.forward is None and not torch.isfinite(estimate).all():
            self.forward = "estimate", self.done
        if self.forward is None and penalty is not None and not torch.isfinite(penalty):
            self.forward = "penalty", self.done
        if estimate.requires_grad:
            estimate.register_hook(partial(self._went_back, self.done))  # type: ignore[no-untyped-call]

    def _went_back(self, recursion: int, gradient: Tensor) -> None:
        """Called with the gradient of the estimate after a recursion: what the next one, or the loss, passes on."""
        if self.backward is None and not torch.isfinite(gradient).all():
            self.backward = min(recursion + 1, len(self.layers))

    def _largest(self, layer: int | None) -> str:
        """The parameter with the largest magnitude."""
        network = self.state.network
        prefix = f"stages.{layer - 1}." if layer else ""
        named = {name: p for name, p in network.named_parameters() if name.startswith(prefix)}
        named = named or dict(network.named_parameters())  # a stage that is used before has its names there
        return max(named, key=lambda name: float(named[name].detach().abs().max()))

    def _found(
        self,
        kind: Literal["estimate", "penalty", "loss", "gradient", "parameter"],
        recursion: int | None,
        parameter: str,
    ) -> NonFinite:
        magnitude = float(self.state.network.get_parameter(parameter).detach().abs().max())
        return NonFinite(
            kind=kind,
            epoch=self.state.epoch + 1,
            step=self.number,
            recursion=recursion,
            recursions=len(self.layers),
            layer=self.layers[recursion - 1] if recursion else None,
            parameter=parameter,
            magnitude=magnitude if math.isfinite(magnitude) else None,
        )


class _Hooks:
    """Calls a function after every application of a stage; tied stages are one module and get one hook."""

    def __init__(self, stages: Iterable[nn.Module], call: Any) -> None:
        self.handles = [stage.register_forward_hook(call) for stage in dict.fromkeys(stages)]

    def __enter__(self) -> _Hooks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self.handles:
            handle.remove()


def _first_bad(named: Iterable[tuple[str, Tensor]]) -> str | None:
    return next((name for name, value in named if not torch.isfinite(value).all()), None)
