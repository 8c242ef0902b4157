"""`python -m rdun.weights`: evaluate weights from a file on images, recover an image from measurements, convert files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import numpy as np
import torch

from rdun.allocator import keep_freed_memory
from rdun.cli import Commands, data_option, device_option
from rdun.config import Precision, RowRule
from rdun.data import image_set, png
from rdun.evaluation import load_pictures
from rdun.operators import GivenMatrixTask, nominal_ratio
from rdun.results import Score, picture_names, to_csv
from rdun.weights import load_any, load_published, read_measurements, save_model
from rdun.weights.evaluate import Measurement, check_initial, protocols, recovered, scored

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
PRECISION = click.option(
    "--precision",
    type=click.Choice([p for p in get_args(Precision) if p != "auto"]),
    default="fp32",
    show_default=True,
    help="Of the network; others than fp32 are faster where the device has them, and round.",
)


@click.group(cls=Commands)
def main() -> None:
    """Weights in files: our own (*.safetensors) and the published COAST, R-COAST, ISTA-Net and ISTA-Net+ checkpoints."""


@main.command()
@click.argument("file", type=FILE)
@click.argument("images")
@click.option("--ratio", "ratios", type=float, multiple=True, help="Sampling ratio, such as 0.1; repeatable.")
@click.option(
    "--rows", type=click.Choice(get_args(RowRule)), help="Rule for the measurements per ratio; otherwise as trained."
)
@click.option("--matrix-seed", "seeds", type=int, multiple=True, help="Seed of a random test matrix; repeatable.")
@click.option("--matrix", type=FILE, help="A sampling matrix (.mat with phi, or .npy), instead of ratios and seeds.")
@click.option("--initial", type=FILE, help="The initial estimate of --matrix: .mat with Qinit, or .npy.")
@click.option("--recursions", type=click.IntRange(1), help="Applications of each stage; otherwise as trained.")
@click.option("--trained-recursions", type=click.IntRange(1), help="For published files that are not on record.")
@device_option
@click.option("--threads", type=click.IntRange(1), help="Threads of PyTorch.")
@PRECISION
@click.option(
    "--csv",
    "table",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write every score here, and beside it (.json) what their protocols are.",
)
@click.option(
    "--pictures", type=click.Path(file_okay=False, path_type=Path), help="Folder for every reconstruction, as PNG."
)
@data_option
def evaluate(
    file: Path,
    images: str,
    ratios: tuple[float, ...],
    rows: RowRule | None,
    seeds: tuple[int, ...],
    matrix: Path | None,
    initial: Path | None,
    recursions: int | None,
    trained_recursions: int | None,
    device: str,
    threads: int | None,
    precision: Precision,
    table: Path | None,
    pictures: Path | None,
) -> None:
    """PSNR and SSIM of FILE on IMAGES: a registered set (set11, bsd68, ...), a folder, or one image. Colours count as luminance.

    The published ISTA-Nets were trained for one matrix: give its two .mat files (--matrix, --initial).
    """
    if table:
        _check_place(table)
    if threads:
        torch.set_num_threads(threads)
    keep_freed_memory()
    network, config = load_any(file, trained_recursions)
    measurement = Measurement(ratios=ratios, rows=rows, seeds=seeds, matrix=matrix, estimator=initial)
    where = torch.device(device)
    task = measurement.task(config, where)
    image_files = image_set(images)
    originals = load_pictures(image_files)
    called = picture_names(picture.name for picture in originals)
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
    layout = f"{config.model.kind}, {network.parameter_count():,} parameters, {len(originals)} images"
    click.echo(f"{file.name}: {layout}\n{'image':<24} {'ratio':>6} {'matrix':<12} {'PSNR':>8} {'SSIM':>8}")
    found: list[Score] = []
    for picture, test, x, own in scored(
        network,
        config,
        task,
        originals,
        dataset=image_files.name,
        recursions=recursions,
        device=where,
        precision=precision,
    ):
        found += own
        _line(picture.name, test.ratio, test.matrix, *(score.value for score in own))
        if pictures:
            (pictures / f"{called[picture.name]}-{test.ratio:g}-{test.matrix}.png").write_bytes(png(x))
    for ratio, name, psnr, ssim in _means(found):
        _line("mean", ratio, name, psnr, ssim)
    if table:
        table.write_text(to_csv(Score, found))
        table.with_suffix(".json").write_text(json.dumps(protocols(config, task, precision).by_hash(), indent=1) + "\n")


@main.command()
@click.argument("file", type=FILE)
@click.argument("measurements", type=FILE)
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--matrix", type=FILE, required=True, help="The sampling matrix A: a .mat file with phi, or .npy.")
@click.option("--size", nargs=2, type=click.IntRange(1), required=True, metavar="HEIGHT WIDTH", help="Of the image.")
@click.option("--initial", type=FILE, help="The matrix of the initial estimate: a .mat file with Qinit, or .npy.")
@click.option("--recursions", type=click.IntRange(1), help="Applications of each stage; otherwise as trained.")
@click.option("--trained-recursions", type=click.IntRange(1), help="For published files that are not on record.")
@device_option
@click.option("--threads", type=click.IntRange(1), help="Threads of PyTorch.")
@PRECISION
def recover(
    file: Path,
    measurements: Path,
    output: Path,
    matrix: Path,
    size: tuple[int, int],
    initial: Path | None,
    recursions: int | None,
    trained_recursions: int | None,
    device: str,
    threads: int | None,
    precision: Precision,
) -> None:
    """Writes the image that FILE recovers from MEASUREMENTS as OUTPUT (*.png, or *.npy with values in [0, 1]).

    MEASUREMENTS, a .npy file or a .mat file with y, hold a row for each block of the image: A times its pixels in [0, 1], row by
    row. Blocks go from left to right, then down; those beyond the right and lower border are filled up with zeros. A may be any
    matrix of full rank.
    """
    if output.suffix not in (".png", ".npy"):
        raise ValueError(f"OUTPUT={output} should end in .png or .npy")
    if threads:
        torch.set_num_threads(threads)
    keep_freed_memory()
    network, config = load_any(file, trained_recursions)
    check_initial(config, initial)
    y, sampling, estimator = read_measurements(measurements, matrix, initial)
    where = torch.device(device)
    task = GivenMatrixTask(matrix.stem, nominal_ratio(*sampling.shape), sampling, estimator, where)
    x = recovered(network, config, task, y, size, recursions=recursions, device=where, precision=precision)
    if output.suffix == ".png":
        output.write_bytes(png(x))
    else:
        np.save(output, x / np.float32(255))
    click.echo(f"{output}: {size[0]}x{size[1]} pixels from {len(sampling)} of {sampling.shape[1]} numbers per block")


@main.command()
@click.argument("file", type=FILE)
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--trained-recursions", type=click.IntRange(1), help="For published files that are not on record.")
def convert(file: Path, output: Path, trained_recursions: int | None) -> None:
    """Writes the published checkpoint FILE as OUTPUT (*.safetensors), with its config inside."""
    if output.suffix != ".safetensors":
        raise ValueError(f"OUTPUT={output} should end in .safetensors")
    network, config = load_published(file, trained_recursions)
    save_model(network, config, output)
    click.echo(f"{output}: {config.model.kind}, {network.parameter_count():,} parameters")


def _check_place(table: Path) -> None:
    """Before an evaluation of hours, what would lose its scores."""
    if table.suffix == ".json":
        raise ValueError(f"--csv {table} is where the protocols of its scores go; end the name in .csv")
    if not table.parent.is_dir():
        raise ValueError(f"--csv {table} lies in a folder that is not there; make {table.parent} first")


def _line(image: str, ratio: float, matrix: str, psnr: float, ssim: float) -> None:
    click.echo(f"{image[:24]:<24} {ratio:>6g} {matrix:<12} {psnr:>8.3f} {ssim:>8.4f}")


def _means(found: list[Score]) -> Iterator[tuple[float, str, float, float]]:
    """Means over images per ratio and matrix; with several matrices also mean and spread (standard deviation) over them."""
    for ratio in dict.fromkeys(s.ratio for s in found):
        rows = []
        for matrix in dict.fromkeys(s.matrix for s in found if s.ratio == ratio):
            of = [s for s in found if (s.ratio, s.matrix) == (ratio, matrix)]
            rows.append([float(np.mean([s.value for s in of if s.metric == metric])) for metric in ("psnr", "ssim")])
            yield ratio, matrix, rows[-1][0], rows[-1][1]
        if len(rows) > 1:
            yield ratio, "all, mean", *np.mean(rows, axis=0)
            yield ratio, "all, sd", *np.std(rows, axis=0, ddof=1)


if __name__ == "__main__":
    main()
