"""ISTA-Net+'s stage: soft thresholding in a learned transform of the residual domain."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rdun.config import IstaNetPlusConfig
from rdun.models.layers import channels_last, plain_conv, scaled_conv, soft_threshold, zero
from rdun.models.strips import in_strips
from rdun.models.unfolding import Stage
from rdun.operators import Operator


class Transform(nn.Module):
    """conv -> ReLU -> conv, without biases; the output scaled by one slot of the channel scales."""

    def __init__(self, channels: int, slot: int) -> None:
        super().__init__()
        self.slot = slot
        self.first, self.second = plain_conv(channels, channels), plain_conv(channels, channels)

    def forward(self, x: Tensor, scale: Tensor | None) -> Tensor:
        return scaled_conv(self.second, torch.relu_(self.first(x)), scale, self.slot)


class IstaNetPlusStage(Stage):
    """One phase of ISTA-Net+ (Zhang and Ghanem, "ISTA-Net", CVPR 2018).

    r = x - lambda A^T (A x - y);  d = D r;  h = F(d);  x+ = r + G(B(soft(h, theta)));  penalty = symmetry mean((B(h) - d)^2)
    with F, B two convolutions around a ReLU, no biases; lambda starts at 0.5, theta at 0.01, both free.

    Modulation has two slots: alpha_F scales F's output (before the threshold), alpha_B scales B's output, in the
    reconstruction and in the penalty alike. The paper does not state where its units act; this is the analogue of COAST's place
    (after the second convolution), and it gives the published 114,630 parameters of the 3x3 network.
    """

    slots = 2

    def __init__(self, config: IstaNetPlusConfig) -> None:
        super().__init__()
        c = config.channels
        self.symmetry = config.symmetry
        self.step = nn.Parameter(torch.tensor(0.5))
        self.threshold = nn.Parameter(torch.tensor(0.01))
        self.lift, self.lower = plain_conv(1, c), plain_conv(c, 1)
        self.analysis, self.synthesis = Transform(c, slot=0), Transform(c, slot=1)
        if config.start == "identity":
            zero(self.lower)

    def steps(self, count: int) -> Tensor:
        """lambda, the same in every application: `(count,)`."""
        return self.step.expand(count)

    def forward(
        self, x: Tensor, y: Tensor, operator: Operator, step: Tensor, scale: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        r = operator.descend(x, y, step)
        if not self.training:  # the penalty is a training loss only
            width = self.lift.out_channels
            return r + in_strips(
                lambda part: self._correction(self._analysed(part, scale)[1], scale), r, width, reach=6
            ), None
        d, h = self._analysed(r, scale)
        x = r + self._correction(h, scale)
        asymmetry = self.synthesis(h, scale) - d
        return x, self.symmetry * asymmetry.float().square().mean()

    def _analysed(self, r: Tensor, scale: Tensor | None) -> tuple[Tensor, Tensor]:
        """d = D r and h = F(d)."""
        d = self.lift(channels_last(r))
        return d, self.analysis(d, scale)

    def _correction(self, h: Tensor, scale: Tensor | None) -> Tensor:
        out: Tensor = self.lower(self.synthesis(soft_threshold(h, self.threshold), scale))
        return out


def ista_net_plus_stages(config: IstaNetPlusConfig, counts: Sequence[int]) -> list[Stage]:
    """Independent stages, one per entry of `counts`."""
    return [IstaNetPlusStage(config) for _ in counts]
