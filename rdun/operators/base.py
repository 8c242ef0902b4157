"""The linear measurement y = A x that every network is built around."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor


class Operator(ABC):
    """A linear map from images to measurements, with what an unfolded network needs of it.

    Images are `(N, 1, H, W)` with values around [0, 1]. An operator may work on a canvas larger than the image (zero padding
    to whole blocks): `initial` returns the canvas, `descend` takes canvas or image and returns the image, `crop` cuts
    the image out. Measurements and data consistency are computed in the dtype of the operator or of y, also under autocast.

    Attributes:
        ratio: measurements per pixel M/N, as realised.
        image_shape: (H, W).
    """

    ratio: float
    image_shape: tuple[int, int]

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """y = A x for images `(N, 1, H, W)`."""

    def measure(self, x: Tensor) -> Tensor:
        """y as an experiment gives it: A x, with noise where the operator has some. Equal images give equal values."""
        return self.forward(x)

    @abstractmethod
    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y, images `(N, 1, H, W)`: <A x, y> = <x, A^T y>."""

    @abstractmethod
    def initial(self, y: Tensor) -> Tensor:
        """The estimate that the first stage starts from, on the canvas."""

    @abstractmethod
    def descend(self, x: Tensor, y: Tensor, step: Tensor | float) -> Tensor:
        """x - step A^T (A x - y): a gradient step on 1/2 ||A x - y||^2, on the image."""

    def crop(self, x: Tensor) -> Tensor:
        """The image part `(N, 1, H, W)` of a canvas; an image is returned as it is."""
        height, width = self.image_shape
        return x[..., :height, :width]


def full_precision(x: Tensor) -> torch.autocast:
    """A context without autocast: measurements and data consistency keep the operator's dtype."""
    return torch.autocast(x.device.type if x.device.type != "meta" else "cpu", enabled=False)
