"""The unfolded network: stages x recursion counts x modulation, in one loop for every model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from rdun.models.modulation import Modulation
from rdun.operators import Operator, full_precision


class Stage(nn.Module, ABC):
    """One recovery block (the papers' layer or phase): a data-consistency step and a learned proximal step.

    What a stage computes follows from its parameters and its arguments alone, in training too: chance (dropout) would be drawn
    from no stream of the trial.

    Attributes:
        slots: places in the stage where features are scaled.
    """

    slots: int = 1

    @abstractmethod
    def steps(self, count: int) -> Tensor:
        """Step sizes of `count` applications in a row, `(count, ...)`: row r is what the r-th application gets, of however many.

        A stage repeats one learned step (COAST, ISTA-Net) or holds a table of its own (DPDNN). So no stage counts its calls, and
        one applied R times is exactly R stages that share their weights.
        """

    @abstractmethod
    def forward(
        self, x: Tensor, y: Tensor, operator: Operator, step: Tensor, scale: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """The next estimate `(N, 1, H, W)` and a penalty (scalar) for the loss, or None.

        Args:
            x: the estimate so far, on the operator's image or canvas.
            y: the measurements, for the operator: steps from CUDA graphs add rows of zeros to both.
            operator: a stage that reads its `ratio` or its `initial` estimate is trained without CUDA graphs; what a stage should
                know of the ratio, `scale` tells it.
            step: one row of `steps`.
            scale: `(slots, C)` channel scales, or None.
        """


class Iterate(NamedTuple):
    """One stage application: which stage, the estimate after it, its penalty."""

    stage: int
    x: Tensor
    penalty: Tensor | None


class Output(NamedTuple):
    """A reconstruction `(N, 1, H, W)`, the sum of the stages' penalties (a zero scalar where they have none), and, where they are
    asked for, the estimates before the last."""

    x: Tensor
    penalty: Tensor
    earlier: tuple[Tensor, ...] = ()


class Unfolding(nn.Module):
    """Applies stage i R_i times in a row, with the same weights, then stage i + 1.

    Weight tying between layers needs nothing more: the builder passes one module several times.

    Args:
        stages: the L stages.
        modulation: their scales.

    Raises:
        ValueError: numbers that a stage keeps and does not learn.

    Attributes:
        recompute: keep for the backward pass only the estimates between the applications, and compute what lies between them once
            more then: the same numbers with the memory of one application, for a third more time.
    """

    recompute: bool = False

    def __init__(self, stages: Sequence[Stage], modulation: Modulation) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.modulation = modulation
        kept = self.state_dict().keys() - dict(self.named_parameters(remove_duplicate=False))
        if kept:
            raise ValueError(
                f"{min(kept)} is no parameter, and files of weights and the moving average hold parameters alone; make it one, "
                "leave it out of the state (persistent=False) if it is a constant, or use GroupNorm in place of BatchNorm"
            )

    def iterates(self, y: Tensor, operator: Operator, counts: Sequence[int]) -> Iterator[Iterate]:
        """Every estimate of one pass, in order. `counts`: applications per stage, at least 1 each."""
        assert len(counts) == len(self.stages)
        assert min(counts) >= 1
        x = operator.initial(y)
        with full_precision(y):  # a few numbers per step; their gradients reach every channel of all applications
            scales = self.modulation(operator.ratio, counts)
        t = 0
        for index, (stage, count) in enumerate(zip(self.stages, counts, strict=True)):
            assert isinstance(stage, Stage)
            for step in stage.steps(count):
                scale = None if scales is None else scales[t]
                if self.recompute and torch.is_grad_enabled():
                    x, penalty = checkpoint(stage, x, y, operator, step, scale, use_reentrant=False)
                else:
                    x, penalty = stage(x, y, operator, step, scale)
                t += 1
                yield Iterate(index, x, penalty)

    def forward(self, y: Tensor, operator: Operator, counts: Sequence[int], *, earlier: bool = False) -> Output:
        penalties, kept = [], list[Tensor]()
        for iterate in self.iterates(y, operator, counts):
            x = iterate.x
            if earlier:
                kept.append(operator.crop(x))
            if iterate.penalty is not None:
                penalties.append(iterate.penalty)
        penalty = torch.stack(penalties).sum() if penalties else torch.zeros((), device=y.device)
        return Output(operator.crop(x), penalty, tuple(kept[:-1]))

    def place(self, device: torch.device) -> Unfolding:
        """Moves it to a device, its convolutions in the layout that they run fastest in: channels last."""
        self.to(device)
        for parameter in self.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        return self

    def parameter_count(self) -> int:
        """Trained parameters, tied ones once."""
        return sum(p.numel() for p in self.parameters())
