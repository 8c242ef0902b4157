"""Small pieces that several stages are made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def soft_threshold(x: Tensor, threshold: Tensor) -> Tensor:
    """sign(x) ReLU(|x| - threshold)."""
    return torch.sign(x) * torch.relu(torch.abs(x) - threshold.to(x.dtype))


def plain_conv(inputs: int, outputs: int) -> nn.Conv2d:
    """A 3x3 convolution without bias, Xavier-normal, as in the ISTA-Net family."""
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.xavier_normal_(conv.weight)
    return conv


def scaled(x: Tensor, scale: Tensor | None, slot: int) -> Tensor:
    """Features `(N, C, H, W)` times the channel scales of one slot of `scale` `(slots, C)`; unchanged without scales."""
    return x if scale is None else x * scale[slot].to(x.dtype).view(1, -1, 1, 1)


def zero(conv: nn.Conv2d) -> None:
    """Sets a convolution to zero: the "identity" start."""
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
