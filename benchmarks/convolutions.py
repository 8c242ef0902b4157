"""How fast the convolution that takes most of the time could be: 32 to 32 channels, 3 x 3, one image, float32, on a processor.

    python benchmarks/convolutions.py RESULT [--size 256] [--threads 1]

All ways take turns. "direct" is PyTorch's, with the channels of a pixel side by side (as rdun has them) and apart (as the
published loops have them). "NNPACK" is the Winograd transform F(6x6, 3x3) that PyTorch carries with it. "Winograd F(4x4, 3x3)"
is made of matrix products, with a fourth of the multiplications of a direct convolution (matrices: Lavin and Gray 2016, "Fast
algorithms for convolutional neural networks", section 4.3), some rows of tiles at a time, so that they stay in the cache. "its
products alone" leaves out the transforms: no way of doing them takes less. `error` is the largest difference to the convolution
in float64.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import click
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.record import write_rows

CHANNELS, SIDE, OUT = 32, 6, 4
TILES = 512
"""Tiles transformed at once: 2.3 MiB."""
REFERENCE = "direct, channels apart"

_KERNEL = [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]
_INPUT = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]
_OUTPUT = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]


def _twice(matrix: list[list[int]], scale: float = 1.0) -> Tensor:
    """The transform of both sides of a tile, as one matrix over its entries."""
    one = torch.tensor(matrix, dtype=torch.float64) / scale
    return torch.kron(one, one).float()


class Winograd:
    """F(4x4, 3x3) of an image (1, 32, H, W), H and W multiples of 4, with a border of zeros."""

    def __init__(self, weight: Tensor) -> None:
        self.into, self.back = _twice(_INPUT), _twice(_OUTPUT)
        flat = weight.permute(2, 3, 1, 0).reshape(9, -1)
        self.kernels = (_twice(_KERNEL, 24.0) @ flat).reshape(SIDE * SIDE, CHANNELS, CHANNELS)

    def __call__(self, x: Tensor) -> Tensor:
        padded = F.pad(x[0].permute(1, 2, 0), (0, 0, 1, 1, 1, 1))
        tiles = padded.unfold(0, SIDE, OUT).unfold(1, SIDE, OUT)  # rows, columns, channels, 6, 6
        down, across = tiles.shape[:2]
        strip = max(1, TILES // across)
        result = x.new_empty(down, OUT, across, OUT, CHANNELS)
        for top in range(0, down, strip):
            entries = tiles[top : top + strip].permute(3, 4, 0, 1, 2).reshape(SIDE * SIDE, -1)
            found = self.back @ self.products((self.into @ entries).reshape(SIDE * SIDE, -1, CHANNELS)).flatten(1)
            rows = min(strip, down - top)
            result[top : top + strip] = found.reshape(OUT, OUT, rows, across, CHANNELS).permute(2, 0, 3, 1, 4)
        return result.reshape(1, down * OUT, across * OUT, CHANNELS).permute(0, 3, 1, 2)

    def products(self, tiles: Tensor) -> Tensor:
        """The products over channels: (36, tiles, 32) to (36, tiles, 32)."""
        return torch.bmm(tiles, self.kernels)

    def products_alone(self, tiles: int) -> Callable[[], None]:
        """Does the products of so many tiles, with nothing before and after them."""
        noise = torch.rand(SIDE * SIDE, TILES, CHANNELS)
        result = torch.empty_like(noise)

        def run() -> None:
            for _ in range(-(-tiles // TILES)):
                torch.bmm(noise, self.kernels, out=result)

        return run


def ways(size: int) -> tuple[dict[str, Callable[[], object]], dict[str, float]]:
    """The ways by name, and the errors of those that give the convolution."""
    torch.manual_seed(0)
    x, weight = torch.randn(1, CHANNELS, size, size), torch.randn(CHANNELS, CHANNELS, 3, 3) / (9 * CHANNELS) ** 0.5
    beside, close = (t.contiguous(memory_format=torch.channels_last) for t in (x, weight))
    winograd = Winograd(weight)
    whole: dict[str, Callable[[], Tensor]] = {
        REFERENCE: lambda: F.conv2d(x, weight, padding=1),
        "direct, channels side by side": lambda: F.conv2d(beside, close, padding=1),
        "NNPACK": lambda: torch._nnpack_spatial_convolution(x, weight, None, padding=(1, 1)),
        "Winograd F(4x4, 3x3)": lambda: winograd(beside),
    }
    exact = F.conv2d(x.double(), weight.double(), padding=1)
    errors = {name: float((way() - exact).abs().max()) for name, way in whole.items()}
    return {**whole, "its products alone": winograd.products_alone((size // OUT) ** 2)}, errors


def in_turns(found: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each way in each round."""
    times: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        for name, way in found.items():
            start = time.perf_counter()
            way()
            times[name].append(1000 * (time.perf_counter() - start))
    return times


@click.command()
@click.argument("result", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--size", type=click.IntRange(min=8), default=256, show_default=True, help="Pixels of a side, a multiple of 4."
)
@click.option("--rounds", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
def main(result: Path, size: int, rounds: int, threads: int) -> None:
    """Writes one row per way to RESULT (CSV)."""
    torch.set_num_threads(threads)
    with torch.inference_mode():
        found, errors = ways(size // OUT * OUT)
        in_turns(found, 3)
        times = in_turns(found, rounds)
    rows: list[dict[str, object]] = []
    for name, own in times.items():
        ratio = statistics.median(a / b for a, b in zip(times[REFERENCE], own, strict=True))
        row = {"way": name, "threads": threads, "size": size, "ms": round(statistics.median(own), 3)}
        rows.append(
            row | {"times_reference": round(ratio, 2), "error": f"{errors[name]:.1e}" if name in errors else ""}
        )
        click.echo(
            "  ".join(f"{value!s:<30}" if i == 0 else f"{value!s:<8}" for i, value in enumerate(rows[-1].values()))
        )
    write_rows(result, rows)


if __name__ == "__main__":
    main()
