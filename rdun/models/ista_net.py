"""ISTA-Net's stage: soft thresholding in a learned transform of the image itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rdun.config import IstaNetConfig
from rdun.models.layers import channels_last, conv_of_scaled, plain_conv, scaled_conv, soft_threshold
from rdun.models.strips import in_strips
from rdun.models.unfolding import Stage
from rdun.operators import Operator


class IstaNetStage(Stage):
    """One phase of ISTA-Net (Zhang and Ghanem, "ISTA-Net", CVPR 2018).

    r = x - lambda A^T (A x - y);  h = F(r);  x+ = B(soft(h, theta));  penalty = symmetry mean((B(h) - r)^2)
    with F = A2 ReLU(A1 .) from 1 to C channels and B = B2 ReLU(B1 .) back to 1, no biases, no residual connection; lambda
    starts at 0.5, theta at 0.01, both free.

    Modulation has two slots, as in ISTA-Net+: alpha_F scales F's output (before the threshold); B ends in one channel, so alpha_B
    scales the C features before its last convolution. Both act in the penalty too.
    """

    slots = 2

    def __init__(self, config: IstaNetConfig) -> None:
        super().__init__()
        c = config.channels
        self.symmetry, self.channels = config.symmetry, c
        self.step = nn.Parameter(torch.tensor(0.5))
        self.threshold = nn.Parameter(torch.tensor(0.01))
        self.forward_first, self.forward_second = plain_conv(1, c), plain_conv(c, c)
        self.backward_first, self.backward_second = plain_conv(c, c), plain_conv(c, 1)

    def steps(self, count: int) -> Tensor:
        """lambda, the same in every application: `(count,)`."""
        return self.step.expand(count)

    def forward(
        self, x: Tensor, y: Tensor, operator: Operator, step: Tensor, scale: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        r = operator.descend(x, y, step)
        if not self.training:  # the penalty is a training loss only
            return in_strips(
                lambda part: self._shrunk(self._analysis(part, scale), scale), r, self.channels, reach=4
            ), None
        h = self._analysis(r, scale)
        asymmetry = self._synthesis(h, scale) - r
        return self._shrunk(h, scale), self.symmetry * asymmetry.float().square().mean()

    def _analysis(self, r: Tensor, scale: Tensor | None) -> Tensor:
        """h = F(r)."""
        return scaled_conv(self.forward_second, torch.relu_(self.forward_first(channels_last(r))), scale, 0)

    def _shrunk(self, h: Tensor, scale: Tensor | None) -> Tensor:
        return self._synthesis(soft_threshold(h, self.threshold), scale)

    def _synthesis(self, h: Tensor, scale: Tensor | None) -> Tensor:
        """B h."""
        return conv_of_scaled(self.backward_second, torch.relu_(self.backward_first(h)), scale, 1)


def ista_net_stages(config: IstaNetConfig, counts: Sequence[int]) -> list[Stage]:
    """Independent stages, one per entry of `counts`."""
    return [IstaNetStage(config) for _ in counts]
