"""Which network recovers it: one frozen, keyword-only dataclass per model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from rdun.config.checks import Typed, check

MOST_LAYERS, MOST_CHANNELS = 1_000, 4_096  # beyond every network of the field; a plan still describes it in seconds


def _check_symmetry(symmetry: float) -> None:
    check(0 <= symmetry < float("inf"), "model.symmetry", symmetry, "use 0 or a positive weight")


def _check_size(layers: int, channels: int) -> None:
    for name, number, most in (("layers", layers, MOST_LAYERS), ("channels", channels, MOST_CHANNELS)):
        check(1 <= number <= most, f"model.{name}", number, f"use at least 1 and at most {most:,}")


@dataclass(frozen=True, kw_only=True)
class CoastConfig(Typed):
    """COAST: a gradient step, then a residual CNN (head, three residual blocks, tail) on the whole image.

    Attributes:
        layers: distinct stages L.
        channels: feature channels of the CNN (the paper: 32).
        start: "default": the framework's initialisation, as the authors'. "identity": the last convolution starts at zero,
            so that an untrained stage returns its gradient step unchanged.
        deblock: run the CNN on the assembled image when testing, not block by block.
    """

    kind: ClassVar[str] = "coast"
    layers: int = 20
    channels: int = 32
    start: Literal["default", "identity"] = "default"
    deblock: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_size(self.layers, self.channels)


@dataclass(frozen=True, kw_only=True)
class IstaNetPlusConfig(Typed):
    """ISTA-Net+: soft thresholding in a learned transform of the residual domain, block by block.

    Attributes:
        layers: distinct stages L.
        channels: feature channels (the paper: 32).
        symmetry: weight of the loss term that ties the backward transform to the forward one (the paper: 0.01).
        start, deblock: as in CoastConfig.
    """

    kind: ClassVar[str] = "ista_net_plus"
    layers: int = 9
    channels: int = 32
    symmetry: float = 0.01
    start: Literal["default", "identity"] = "default"
    deblock: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_size(self.layers, self.channels)
        _check_symmetry(self.symmetry)


@dataclass(frozen=True, kw_only=True)
class IstaNetConfig(Typed):
    """ISTA-Net: soft thresholding in a learned transform of the image, block by block, without residual connections.

    Attributes:
        layers, channels, symmetry, deblock: as in IstaNetPlusConfig.
    """

    kind: ClassVar[str] = "ista_net"
    layers: int = 9
    channels: int = 32
    symmetry: float = 0.01
    deblock: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_size(self.layers, self.channels)
        _check_symmetry(self.symmetry)


@dataclass(frozen=True, kw_only=True)
class DpdnnConfig(Typed):
    """DPDNN: gradient steps towards the output of a U-Net denoiser, with step sizes of their own in each recursion.

    Attributes:
        layers: distinct denoisers (the paper: 1, applied 6 times).
        channels: feature channels of the U-Net (the paper: 64).
        start, deblock: as in CoastConfig.
    """

    kind: ClassVar[str] = "dpdnn"
    layers: int = 1
    channels: int = 64
    start: Literal["default", "identity"] = "default"
    deblock: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_size(self.layers, self.channels)


ModelConfig = CoastConfig | DpdnnConfig | IstaNetConfig | IstaNetPlusConfig
