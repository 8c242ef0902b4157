"""Where a network stopped being finite."""

from __future__ import annotations

import torch
from torch import Tensor

from rdun.models import Unfolding
from rdun.operators import Operator


class Diverged(ArithmeticError):
    """Training cannot go on: a loss is not finite. Retrying would repeat it."""


@torch.no_grad()
def diagnose(network: Unfolding, y: Tensor, operator: Operator, counts: tuple[int, ...]) -> str:
    """One line that names the first non-finite parameter and the first non-finite recursion of this batch."""
    bad = next((name for name, p in network.named_parameters() if not torch.isfinite(p).all()), None)
    where = f"parameter {bad} is not finite" if bad else "all parameters are finite"
    for t, iterate in enumerate(network.iterates(y, operator, counts), start=1):
        if not torch.isfinite(iterate.x).all():
            return (
                f"the estimate after recursion {t} of {sum(counts)} (layer {iterate.stage + 1}) is not finite; {where}; "
                "lower optim.lr or use precision='fp32'"
            )
    return f"the loss is not finite although every estimate is, in float32; {where}; use precision='fp32'"
