"""Do the published weights score here what they score in the authors' code?

    RDUN_DATA=... python benchmarks/agreement.py agreement.csv [--only r_coast] [--dataset set11] [--threads 2] [--device cuda]

Needs the published files in $RDUN_DATA/weights and the sets set11 and bsd68. Rows that the CSV already has are not computed
again. A row passes at 0.01 dB and 0.0005 SSIM; exit code 1 if one fails.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click
import numpy as np
import torch

from rdun.config import TrialConfig
from rdun.data import DATA_VARIABLE, image_set
from rdun.evaluation import Picture, load_pictures
from rdun.models import Unfolding
from rdun.results import from_csv, to_csv
from rdun.weights import load_published
from rdun.weights.evaluate import Measurement, scored

REFERENCE = Path(__file__).parent.parent / "tests" / "gold" / "published_weights.csv"
PSNR_TOLERANCE, SSIM_TOLERANCE = 0.01, 0.0005


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Mean scores of one published file on one set (published_weights.csv). `recursions`: applications per layer."""

    file: str
    model: str
    dataset: str
    ratio: float
    recursions: int
    matrix: str
    psnr: float
    ssim: float
    source: str
    note: str

    @property
    def key(self) -> tuple[str, str, float, int, str]:
        """What identifies the row."""
        return self.file, self.dataset, self.ratio, self.recursions, self.matrix


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """One reference row with our mean scores and the seconds they took (the result file)."""

    file: str
    dataset: str
    ratio: float
    recursions: int
    matrix: str
    psnr: float
    ssim: float
    reference_psnr: float
    reference_ssim: float
    seconds: float

    @property
    def key(self) -> tuple[str, str, float, int, str]:
        """What identifies the row."""
        return self.file, self.dataset, self.ratio, self.recursions, self.matrix

    @property
    def passed(self) -> bool:
        """Whether both means agree."""
        near = abs(self.psnr - self.reference_psnr) <= PSNR_TOLERANCE
        return near and abs(self.ssim - self.reference_ssim) <= SSIM_TOLERANCE


def references() -> list[Reference]:
    """All rows of the reference."""
    return from_csv(Reference, REFERENCE.read_text())


def measured(reference: Reference, device: torch.device) -> Agreement:
    """Our scores for one row."""
    start = time.perf_counter()
    network, config = network_of(reference.file)
    network.to(device)
    task = measurement(reference).task(config, device)
    pictures = pictures_of(reference.dataset)
    tested = scored(
        network, config, task, pictures, dataset=reference.dataset, recursions=reference.recursions, device=device
    )
    found = [score for *_, own in tested for score in own]
    psnr, ssim = (float(np.mean([s.value for s in found if s.metric == m])) for m in ("psnr", "ssim"))
    return Agreement(
        file=reference.file,
        dataset=reference.dataset,
        ratio=reference.ratio,
        recursions=reference.recursions,
        matrix=reference.matrix,
        psnr=psnr,
        ssim=ssim,
        reference_psnr=reference.psnr,
        reference_ssim=reference.ssim,
        seconds=round(time.perf_counter() - start, 1),
    )


def measurement(reference: Reference) -> Measurement:
    """A seeded matrix, or the authors' phi_0 with its initial estimate."""
    if reference.matrix == "phi_0":
        percent = round(reference.ratio * 100)
        names = f"phi_0_{percent}_1089.mat", f"Initialization_Matrix_{percent}.mat"
        matrix, estimator = (weights_folder() / name for name in names)
        return Measurement(matrix=matrix, estimator=estimator)
    return Measurement(ratios=(reference.ratio,), seeds=(int(reference.matrix.removeprefix("gauss-s")),))


def weights_folder() -> Path:
    """Where the published files lie."""
    root = os.environ.get(DATA_VARIABLE)
    if not root or not (Path(root) / "weights").is_dir():
        raise click.UsageError(f"set {DATA_VARIABLE} to a folder that holds weights/, set11/ and bsd68/")
    return Path(root) / "weights"


@cache
def network_of(file: str) -> tuple[Unfolding, TrialConfig]:
    """A published network, read once."""
    return load_published(weights_folder() / file)


@cache
def pictures_of(dataset: str) -> list[Picture]:
    """The images of a set, read once."""
    return load_pictures(image_set(dataset))


def run(result: Path, rows: list[Reference], device: torch.device) -> Iterator[Agreement]:
    """Every row, from the result file or computed; the file grows row by row."""
    done = {row.key: row for row in from_csv(Agreement, result.read_text())} if result.exists() else {}
    for reference in rows:
        if reference.key not in done:
            done[reference.key] = measured(reference, device)
            partial = result.with_name(result.name + ".part")
            partial.write_text(to_csv(Agreement, done.values()))
            partial.replace(result)
        yield done[reference.key]


@click.command()
@click.argument("result", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--only", default="", help="Files whose name contains this.")
@click.option("--dataset", default="", help="set11 or bsd68.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
def main(result: Path, only: str, dataset: str, threads: int, device: str) -> None:
    """Compares our scores of the published weights with the reference and keeps them in RESULT (CSV)."""
    torch.set_num_threads(threads)
    rows = [r for r in references() if only in r.file and dataset in r.dataset]
    click.echo(
        f"{'file':<28} {'set':<6} {'ratio':>5} {'rec.':>4} {'matrix':<9} {'PSNR':>8} {'SSIM':>7} {'d dB':>8} {'d SSIM':>9}"
    )
    failed, worst = 0, [0.0, 0.0]
    for row in run(result, rows, torch.device(device)):
        gaps = row.psnr - row.reference_psnr, row.ssim - row.reference_ssim
        worst = [max(w, abs(g)) for w, g in zip(worst, gaps, strict=True)]
        failed += not row.passed
        click.echo(
            f"{row.file:<28} {row.dataset:<6} {row.ratio:>5g} {row.recursions:>4} {row.matrix:<9} {row.psnr:>8.4f} "
            f"{row.ssim:>7.5f} {gaps[0]:>+8.4f} {gaps[1]:>+9.5f} {'pass' if row.passed else 'FAIL'}"
        )
    click.echo(
        f"{len(rows) - failed} of {len(rows)} rows pass; largest differences {worst[0]:.4f} dB, {worst[1]:.5f} SSIM"
    )
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
