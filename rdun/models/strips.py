"""Large images in strips, so that the features of a network do not grow with the image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

FEATURES = 2**24
"""Numbers that a layer may make of one strip: 64 MiB in float32."""


def in_strips(network: Callable[[Tensor], Tensor], image: Tensor, channels: int, reach: int) -> Tensor:
    """network(image) for `(N, 1, H, W)`, one horizontal strip after another where the features of the whole would be large.

    Each strip is given `reach` more rows on either side, whose results are left out, so that the outcome is that of the
    whole image but for the order of floating-point sums. Where gradients are wanted, the image is taken as a whole.

    Args:
        network: convolutions that keep the image's size, with zero padding.
        channels: of its widest layer.
        reach: pixels that it looks to each side: the sum of its kernels' radii.
    """
    n, _, height, width = image.shape
    rows = max(1, FEATURES // (n * channels * width) - 2 * reach)
    if torch.is_grad_enabled() or rows >= height:
        return network(image)
    out = torch.empty_like(image)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        first = max(0, top - reach)
        strip = network(image[..., first : min(bottom + reach, height), :])
        out[..., top:bottom, :] = strip[..., top - first : bottom - first, :]
    return out
