"""DPDNN's stage: a gradient step towards a U-Net's denoised image, with step sizes of its own for each application."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rdun.config import DpdnnConfig
from rdun.models.layers import channels_last, conv_of_scaled, zero
from rdun.models.unfolding import Stage
from rdun.operators import Operator

LEVELS = 4


def xavier(conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
    """Xavier-uniform weights, zero bias."""
    nn.init.xavier_uniform_(conv.weight)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)


def conv(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Conv2d:
    """A convolution with bias and zero padding that keeps the image size (divided by the stride, rounded up)."""
    made = nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2)
    xavier(made)
    return made


class Encoder(nn.Module):
    """One level down: three convolutions (the skip connection), then one of stride 2; a ReLU after each."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(conv(inputs if i == 0 else channels, channels) for i in range(3))
        self.down = conv(channels, channels, stride=2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for layer in self.convs:
            x = torch.relu_(layer(x))
        return x, torch.relu_(self.down(x))


class Decoder(nn.Module):
    """One level up: a transposed convolution to the skip's size, a 1x1 fusion with the skip, four convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(channels, channels, 3, stride=2, padding=1)
        xavier(self.up)
        self.fuse = conv(2 * channels, channels, size=1)
        self.convs = nn.ModuleList(conv(channels, channels) for _ in range(4))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        raised = self.up(x, output_size=[int(skip.shape[-2]), int(skip.shape[-1])])
        x = torch.relu_(self.fuse(torch.cat([raised, skip], dim=1)))
        for layer in self.convs:
            x = torch.relu_(layer(x))
        return x


class Denoiser(nn.Module):
    """The correction f(x) `(N, 1, H, W)` of a four-level U-Net; any image size (33 -> 17 -> 9 -> 5 -> 3 and back)."""

    def __init__(self, channels: int, start: str) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(Encoder(1 if level == 0 else channels, channels) for level in range(LEVELS))
        self.bottom = conv(channels, channels)
        self.decoders = nn.ModuleList(Decoder(channels) for _ in range(LEVELS))
        self.end = conv(channels, 1)
        if start == "identity":
            zero(self.end)

    def forward(self, x: Tensor, scale: Tensor | None) -> Tensor:
        x, skips = channels_last(x), []
        for encoder in self.encoders:
            skip, x = encoder(x)
            skips.append(skip)
        x = torch.relu_(self.bottom(x))
        for decoder, skip in zip(self.decoders, reversed(skips), strict=True):
            x = decoder(x, skip)
        return conv_of_scaled(self.end, x, scale, 0)


class DpdnnStage(Stage):
    """One denoiser of DPDNN (Dong et al., "Denoising Prior Driven Deep Neural Network for Image Restoration", TPAMI 2019).

    v = x + f(x);  x+ = x - delta_t (A^T (A x - y) + eta_t (x - v)), t the number of the application: f is shared by all, the
    scalars are not; they start at delta = 0.1, eta = 0.9. The paper's network is one stage applied six times.

    Modulation has one slot: the channels that enter f's last convolution (the correction is scaled, as COAST's residual is).

    Args:
        recursions: rows of the table of scalars; an application beyond it uses the last row.
    """

    def __init__(self, config: DpdnnConfig, recursions: int) -> None:
        super().__init__()
        self.denoiser = Denoiser(config.channels, config.start)
        self.table = nn.Parameter(torch.tensor([0.1, 0.9]).repeat(recursions, 1))

    def steps(self, count: int) -> Tensor:
        """(delta_t, eta_t) per application: `(count, 2)`."""
        rows = torch.arange(count, device=self.table.device).clamp(max=len(self.table) - 1)
        return self.table[rows]

    def forward(
        self, x: Tensor, y: Tensor, operator: Operator, step: Tensor, scale: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        delta, eta = step
        correction = self.denoiser(operator.crop(x), scale)
        return operator.descend(x, y, delta) + delta * eta * correction, None


def dpdnn_stages(config: DpdnnConfig, counts: Sequence[int]) -> list[Stage]:
    """Independent stages, one per entry of `counts`, each with as many pairs of scalars."""
    return [DpdnnStage(config, count) for count in counts]
