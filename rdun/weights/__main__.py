"""`python -m rdun.weights`: evaluate weights from a file on a folder of images, or convert published ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import numpy as np
import torch

from rdun.allocator import keep_freed_memory
from rdun.cli import Commands, data_option
from rdun.config import RowRule
from rdun.data import image_set
from rdun.evaluation import load_pictures
from rdun.results import Score, to_csv
from rdun.weights import load_any, load_published, save_model
from rdun.weights.evaluate import Measurement, protocols, scores

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


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
@click.option("--matrix", type=FILE, help="A .mat file with a sampling matrix, instead of ratios and seeds.")
@click.option("--initial", type=FILE, help="The .mat file with the initial estimate of --matrix.")
@click.option("--recursions", type=click.IntRange(1), help="Applications of each stage; otherwise as trained.")
@click.option("--trained-recursions", type=click.IntRange(1), help="For published files that are not on record.")
@click.option("--threads", type=click.IntRange(1), help="Threads of PyTorch.")
@click.option(
    "--csv",
    "table",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write every score here, and beside it (.json) what their protocols are.",
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
    threads: int | None,
    table: Path | None,
) -> None:
    """PSNR and SSIM of FILE on IMAGES: a registered set (set11, bsd68, ...) or a folder.

    The published ISTA-Nets were trained for one matrix: give its two .mat files (--matrix, --initial).
    """
    if table:
        _check_place(table)
    if threads:
        torch.set_num_threads(threads)
    keep_freed_memory()
    network, config = load_any(file, trained_recursions)
    measurement = Measurement(ratios=ratios, rows=rows, seeds=seeds, matrix=matrix, estimator=initial)
    task = measurement.task(config, torch.device("cpu"))
    image_files = image_set(images)
    pictures = load_pictures(image_files)
    layout = f"{config.model.kind}, {network.parameter_count():,} parameters, {len(pictures)} images"
    click.echo(f"{file.name}: {layout}\n{'image':<24} {'ratio':>6} {'matrix':<12} {'PSNR':>8} {'SSIM':>8}")
    found: list[Score] = []
    for picture in pictures:
        own = scores(network, config, task, [picture], dataset=image_files.name, recursions=recursions)
        found += own
        for first, second in zip(own[::2], own[1::2], strict=True):
            _line(first.image, first.ratio, first.matrix, first.value, second.value)
    for ratio, name, psnr, ssim in _means(found):
        _line("mean", ratio, name, psnr, ssim)
    if table:
        table.write_text(to_csv(Score, found))
        table.with_suffix(".json").write_text(json.dumps(protocols(config, task).by_hash(), indent=1) + "\n")


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
