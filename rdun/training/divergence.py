"""Training that cannot go on, and where it stopped being finite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


class Diverged(ArithmeticError):
    """Training cannot go on: a loss or a parameter is not finite. Retrying would repeat it."""


class ValidationDiverged(Diverged):
    """Training is finite, but what the network gives with its test counts is not, or is no image any more."""


@dataclass(frozen=True, kw_only=True)
class NonFinite:
    """The first value of a training that is not finite.

    Attributes:
        kind: what it belongs to: the estimate or the penalty of a recursion, the loss, the gradient of a parameter, or a
            parameter after the optimizer's step.
        epoch, step: the epoch, and the step within it; 1, 2, ...
        recursion, recursions: stage application 1, 2, ... of the pass, and their number; None where it is in no recursion.
        layer: 1, 2, ... of that application.
        parameter: the parameter that is not finite, or whose gradient is not; else the one with the largest magnitude, in the
            layer where there is one.
        magnitude: the largest magnitude of that parameter; None where it is not finite.
    """

    kind: Literal["estimate", "penalty", "loss", "gradient", "parameter"]
    epoch: int
    step: int
    recursion: int | None
    recursions: int
    layer: int | None
    parameter: str
    magnitude: float | None

    def __str__(self) -> str:
        at = f"recursion {self.recursion} of {self.recursions} (layer {self.layer})"
        size = "" if self.magnitude is None else f" ({self.magnitude:.3g})"
        largest = f"all parameters are finite, the largest is {self.parameter}{size}"
        what = {
            "estimate": f"the estimate after {at} is not finite; {largest}",
            "penalty": f"the penalty of {at} is not finite; {largest}",
            "loss": f"the loss is not finite although every estimate is; {largest}",
            "gradient": f"the gradient of {self.parameter} is not finite"
            + (f"; going backwards, {at} is the first that passes on such a gradient" if self.recursion else ""),
            "parameter": f"the optimizer's step leaves {self.parameter} not finite",
        }[self.kind]
        return f"epoch {self.epoch}, step {self.step}: {what}; lower optim.lr or use precision='fp32'"
