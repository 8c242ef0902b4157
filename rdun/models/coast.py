"""COAST's stage: a gradient step and a residual CNN with channel scales."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from rdun.config import CoastConfig
from rdun.models.layers import channels_last, scaled_conv, zero
from rdun.models.strips import in_strips
from rdun.models.unfolding import Stage
from rdun.operators import Operator


class CoastStage(Stage):
    """One phase of COAST (You et al., "COAST: COntrollable Arbitrary-Sampling NeTwork", TIP 2021).

    r = x - lambda A^T (A x - y);  F_0 = head(r);  F_m = F_{m-1} + alpha * conv2_m(ReLU(conv1_m(F_{m-1}))), m = 1, 2, 3;
    x+ = r + tail(F_3). Convolutions are 3x3 with zero padding and bias; lambda is a free scalar that starts at 0.5.
    """

    def __init__(self, config: CoastConfig) -> None:
        super().__init__()
        c = config.channels
        self.step = nn.Parameter(torch.tensor(0.5))
        self.head = nn.Conv2d(1, c, 3, padding=1)
        self.inner = nn.ModuleList(nn.Conv2d(c, c, 3, padding=1) for _ in range(3))
        self.outer = nn.ModuleList(nn.Conv2d(c, c, 3, padding=1) for _ in range(3))
        self.tail = nn.Conv2d(c, 1, 3, padding=1)
        if config.start == "identity":
            zero(self.tail)

    def steps(self, count: int) -> Tensor:
        """lambda, the same in every application: `(count,)`."""
        return self.step.expand(count)

    def forward(
        self, x: Tensor, y: Tensor, operator: Operator, step: Tensor, scale: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        r = operator.descend(x, y, step)
        return r + in_strips(partial(self._correction, scale=scale), r, self.head.out_channels, reach=8), None

    def _correction(self, r: Tensor, scale: Tensor | None) -> Tensor:
        features = self.head(channels_last(r))
        for inner, outer in zip(self.inner, self.outer, strict=True):
            features = scaled_conv(outer, torch.relu_(inner(features)), scale, 0).add_(features)
        out: Tensor = self.tail(features)
        return out


def coast_stages(config: CoastConfig, counts: Sequence[int]) -> list[Stage]:
    """Independent stages, one per entry of `counts`."""
    return [CoastStage(config) for _ in counts]
