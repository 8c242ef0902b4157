"""Small pieces that several stages are made of."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def soft_threshold(x: Tensor, threshold: Tensor) -> Tensor:
    """sign(x) ReLU(|x| - threshold)."""
    return torch.sign(x) * torch.relu(torch.abs(x) - threshold.to(x.dtype))


def plain_conv(inputs: int, outputs: int) -> nn.Conv2d:
    """A 3x3 convolution without bias, Xavier-normal, as in the ISTA-Net family."""
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.xavier_normal_(conv.weight)
    return conv


def channels_last(image: Tensor) -> Tensor:
    """A one-channel image `(N, 1, H, W)` with the strides of the channels-last layout; the same memory.

    With one channel both layouts are the same numbers in the same order. PyTorch goes by the strides: from the default ones, a
    convolution makes features in the default layout, and each later one converts them.
    """
    return image.squeeze(1).unsqueeze(-1).permute(0, 3, 1, 2)


def scaled_conv(conv: nn.Module, x: Tensor, scale: Tensor | None, slot: int) -> Tensor:
    """alpha conv(x), `(N, C, H, W)`, alpha the channel scales of one slot of `scale` `(slots, C)`; conv(x) without scales.

    The scales go into the weights, which are few, instead of over the features.
    """
    assert isinstance(conv, nn.Conv2d)
    if scale is None:
        out: Tensor = conv(x)
        return out
    alpha = scale[slot]
    bias = None if conv.bias is None else conv.bias * alpha
    return F.conv2d(x, conv.weight * alpha.view(-1, 1, 1, 1), bias, padding=conv.padding)


def conv_of_scaled(conv: nn.Conv2d, x: Tensor, scale: Tensor | None, slot: int) -> Tensor:
    """conv(alpha x), as `scaled_conv`."""
    if scale is None:
        out: Tensor = conv(x)
        return out
    return F.conv2d(x, conv.weight * scale[slot].view(1, -1, 1, 1), conv.bias, padding=conv.padding)


def zero(conv: nn.Conv2d) -> None:
    """Sets a convolution to zero: the "identity" start."""
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
