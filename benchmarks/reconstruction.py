"""Images per second of reconstruction against a plain loop, and a large image.

    RDUN_DATA=... python benchmarks/reconstruction.py reconstruction.csv [--images 4] [--device cuda]

The published R-COAST 5x4 on images of BSD68 (the first ones, measurement to scores), at five ratios. The reference
(`benchmarks/plain.py`) in float32 and rdun in each precision that the device is made for take turns, image by image; in float32
their scores have to agree within 0.001 dB. Then an image of 4 megapixels, in a process of its own for each precision, with its
peak memory. RESULT grows ratio by ratio.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import click
import numpy as np
import torch
from torch import Tensor

from benchmarks import plain
from benchmarks.record import peak_mib, write_rows
from rdun.allocator import keep_freed_memory
from rdun.config import Precision, TrialConfig, row_count
from rdun.data import image_set, weights_file
from rdun.evaluation import Reconstructor, load_pictures, psnr, ssim
from rdun.models import Unfolding, convolutions
from rdun.operators import BlockSensing, gaussian_matrix
from rdun.trial.precision import resolve_precision
from rdun.weights import load_any

WEIGHTS, COUNTS = "r_coast_5x4.pkl", (4, 4, 4, 4, 4)
RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5)


def precisions(device: torch.device) -> tuple[Precision, ...]:
    """Float32, and what the device multiplies faster."""
    if device.type == "cuda":
        return ("fp32", "tf32", "bf16", "fp16")
    return tuple(dict.fromkeys(("fp32", resolve_precision(TrialConfig(), device).precision)))


def published(device: torch.device) -> Unfolding:
    """R-COAST with the published weights."""
    return load_any(weights_file(WEIGHTS), max(COUNTS))[0].place(device).eval()


def sensing(ratio: float, shape: tuple[int, int], device: torch.device) -> BlockSensing:
    """A random matrix of this ratio for images of this shape."""
    matrix = gaussian_matrix(row_count(ratio, 1089, "r-coast"), 1089, 0)
    return BlockSensing(torch.from_numpy(matrix).float().to(device), shape)


def scores(x: Tensor, pixels: np.ndarray) -> tuple[float, float]:
    """PSNR and SSIM of a reconstruction in [0, 1]."""
    found: np.ndarray = (x[0, 0] * 255).cpu().numpy()
    return psnr(found, pixels), ssim(found, pixels)


Row = dict[str, object]


def compare(images: int, device: torch.device) -> Iterator[list[Row]]:
    """Of each ratio, one row per way and precision.

    Raises:
        click.ClickException: after the rows of a ratio at which the two ways disagree in float32.
    """
    ours = published(device)
    reference = plain.Coast(len(COUNTS), 32, sum(COUNTS)).to(device).eval()
    plain.take_over(reference, ours)
    own = {
        precision: Reconstructor(ours, COUNTS, deblock=True, precision=precision) for precision in precisions(device)
    }
    pictures = load_pictures(image_set("bsd68"))[:images]
    for ratio in RATIOS:
        plainly: list[float] = []
        times: dict[Precision, list[float]] = {precision: [] for precision in own}
        apart = dict.fromkeys(own, 0.0)
        for number, picture in enumerate([pictures[0], *pictures]):  # the first one twice: caches
            image, operator = picture.tensor(device), sensing(ratio, picture.shape, device)
            start = time.perf_counter()
            with convolutions(device):
                expected = scores(plain.reconstruct(reference, image, operator.matrix, COUNTS), picture.pixels)
            if number:
                plainly.append(time.perf_counter() - start)
            for precision, reconstruct in own.items():
                start = time.perf_counter()
                found = scores(reconstruct(operator, image), picture.pixels)
                if number:
                    times[precision].append(time.perf_counter() - start)
                apart[precision] = max(apart[precision], abs(found[0] - expected[0]))
        rows = [_row(ratio, "reference", "fp32", plainly, plainly)]
        for precision in own:
            row = _row(ratio, "rdun", precision, times[precision], plainly)
            rows.append(row | {"psnr_difference": f"{apart[precision]:.1e}"})
        yield rows
        if apart["fp32"] > 1e-3:
            raise click.ClickException(f"at ratio {ratio:g} the two ways differ by {apart['fp32']:g} dB")


def _row(ratio: float, way: str, precision: Precision, seconds: list[float], plainly: list[float]) -> Row:
    return {
        "what": "BSD68",
        "ratio": ratio,
        "way": way,
        "precision": precision,
        "images_per_second": round(1 / float(np.mean(seconds)), 3),
        "times_reference": round(statistics.median(r / o for r, o in zip(plainly, seconds, strict=True)), 2),
    }


def _large(side: int, where: str, threads: int, precision: Precision) -> Row:
    device = torch.device(where)
    torch.set_num_threads(threads)
    keep_freed_memory()
    network, operator = published(device), sensing(0.25, (side, side), device)
    reconstruct = Reconstructor(network, COUNTS, deblock=True, precision=precision)
    reconstruct(sensing(0.25, (99, 99), device), torch.rand(1, 1, 99, 99, device=device))
    before = peak_mib(device)
    start = time.perf_counter()
    float(reconstruct(operator, torch.rand(1, 1, side, side, device=device)).mean())
    seconds = time.perf_counter() - start
    memory = round(peak_mib(device) - before, 1)
    return {
        "what": f"{side} x {side} pixels",
        "ratio": 0.25,
        "way": "rdun",
        "precision": precision,
        "seconds": round(seconds, 2),
        "mib": memory,
    }


@click.command()
@click.argument("result", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--images", type=click.IntRange(1, 68), default=4, show_default=True, help="Of BSD68.")
@click.option("--side", type=click.IntRange(min=33), default=2048, show_default=True, help="Of the large image.")
@click.option("--device", "where", type=click.Choice(["cpu", "cuda"]), help="The GPU where there is one.")
@click.option("--threads", type=click.IntRange(min=1), default=len(os.sched_getaffinity(0)), show_default="all cores")
def main(result: Path, images: int, side: int, where: str | None, threads: int) -> None:
    """Writes RESULT (CSV)."""
    device = torch.device(where or ("cuda" if torch.cuda.is_available() else "cpu"))
    torch.set_num_threads(threads)
    keep_freed_memory()  # for both ways
    rows: list[Row] = []
    for found in itertools.chain(compare(images, device), _alone(side, device, threads)):
        for row in found:
            click.echo("  ".join(f"{v!s:<12}" for v in row.values()))
        rows += [row | {"threads": threads} for row in found]
        write_rows(result, rows, device)


def _alone(side: int, device: torch.device, threads: int) -> Iterator[list[Row]]:
    for precision in precisions(device):
        with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as pool:
            yield [pool.submit(_large, side, device.type, threads, precision).result()]


if __name__ == "__main__":
    main()
