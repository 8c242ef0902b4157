"""Every published cell and what it is worth here: reproduced, deviates, or not run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from analysis.numbers import number
from analysis.reference import published
from analysis.reference.verdicts import judge
from rdun.results import EpochRecord

NOT_RUN = "not run"
WEIGHTS = {("COAST", "recursive", "1"): "r_coast_5x4.pkl", ("COAST", "recursive", "0.03"): "r_coast_5x4_3_percent.pkl"}
"""Networks of Table 1 whose weights were published: the file, by the name that it has here."""
PER_LAYER = 4
"""Recursions per layer of these networks."""
SWEPT = {"r_coast_5x4.pkl": "R-COAST 5x4", "coast_5x4_no_rfmu.pkl": "the same without RFMU"}


class Cell(NamedTuple):
    """A published pair of PSNR (dB) and SSIM with what was measured for it."""

    ratio: str
    published: str
    measured: str
    difference: str
    verdict: str


class Network(NamedTuple):
    """A row of the paper's Table 1.

    Attributes:
        trained_on: share of the training blocks.
        weights: file of the published weights; empty if there are none.
    """

    trained_on: str
    name: str
    weights: str
    cells: Sequence[Cell]


class Timed(NamedTuple):
    """A row of the paper's Table 2: parameters, training time (h), and images per second against the unrolled network."""

    name: str
    parameters: str
    counted: str
    verdict: str
    hours: str
    published: str
    measured: str


class Swept(NamedTuple):
    """A published checkpoint with more or fewer recursions per layer than it was trained with: PSNR (dB) by their number."""

    name: str
    psnr: Mapping[int, str]


class Reached(NamedTuple):
    """A point of the authors' validation curve, and the samples after which each training of our own first validated as well.

    Attributes:
        psnr: in dB, as it was printed.
    """

    epoch: str
    psnr: str
    samples: str
    own: Sequence[str]


def table1(scores: pd.DataFrame, limited: pd.DataFrame) -> list[Network]:
    """All cells of the paper's Table 1, tested with the published weights where there are any.

    Args:
        scores: means over images of the weights trained with all data (`benchmarks/agreement.py`).
        limited: of those trained with 3 %, image by image (`python -m rdun.weights evaluate`). Both with one random matrix per
            ratio.
    """
    of_all_data = (scores.file == WEIGHTS["COAST", "recursive", "1"]) & (scores.recursions == PER_LAYER)
    all_data = scores[(scores.dataset == "bsd68") & of_all_data]
    tested = {"1": all_data, "0.03": _means(limited)}
    found = []
    for key, rows in published("table1").groupby(["fraction", "model", "configuration"], sort=False):
        fraction, model, configuration = (str(part) for part in key)
        first, file = rows.iloc[0], WEIGHTS.get((model, configuration, fraction), "")
        ours = tested[fraction] if file else all_data.head(0)
        name = _name(model, configuration, str(first.layers), str(first.recursions))
        found.append(Network(f"{100 * float(fraction):g} %", name, file, _cells(rows, ours)))
    return found


def _name(model: str, configuration: str, layers: str, recursions: str) -> str:
    """`R-COAST 5x4` of a recursive network, `COAST 20x1` of an unrolled one."""
    return f"{'R-' if configuration == 'recursive' else ''}{model} {layers}x{recursions}"


def _means(scores: pd.DataFrame) -> pd.DataFrame:
    """PSNR and SSIM by ratio: means over the images of BSD68."""
    whole = scores[(scores.dataset == "bsd68") & (scores.unit == "image")]
    return whole.pivot_table(index="ratio", columns="metric", values="value").reset_index()


def _cells(rows: pd.DataFrame, ours: pd.DataFrame) -> list[Cell]:
    found = []
    for values in rows.to_dict("records"):
        row = {str(name): str(value) for name, value in values.items()}
        mine = ours[ours.ratio.astype(str) == row["ratio"]]
        if row["ratio"] == "average" and len(ours) == len(rows) - 1:
            mine = ours[["psnr", "ssim"]].mean().to_frame().T
        found.append(_cell(row, mine))
    return found


def _cell(row: Mapping[str, str], mine: pd.DataFrame) -> Cell:
    psnr, ssim = float(row["psnr"]), float(row["ssim"])
    ratio = "average" if row["ratio"] == "average" else f"{100 * float(row['ratio']):g} %"
    printed = f"{psnr:.2f} / {ssim:.4f}"
    if mine.empty:
        return Cell(ratio, printed, "–", "–", NOT_RUN)
    measured = {"psnr": float(mine.psnr.iloc[0]), "ssim": float(mine.ssim.iloc[0])}
    return Cell(
        ratio,
        printed,
        f"{measured['psnr']:.2f} / {measured['ssim']:.4f}",
        f"{number(measured['psnr'] - psnr, signed=True)} / {number(measured['ssim'] - ssim, 4, signed=True)}",
        judge(measured, {"psnr": psnr, "ssim": ssim}),
    )


def table2(inference: pd.DataFrame) -> list[Timed]:
    """The rows of the paper's Table 2.

    Args:
        inference: networks of the published sizes, timed side by side on another machine (`benchmarks/inference.py`).
    """
    found, base = [], 0.0
    for values in published("table2").to_dict("records"):
        row = {str(name): str(value) for name, value in values.items()}
        ours = inference[(inference.model == row["model"]) & (inference.layers.astype(str) == row["layers"])]
        base = float(row["images_per_second"]) if row["configuration"] == "base" else base
        counted = "–" if ours.empty else f"{int(ours.parameters.iloc[0]):,}"
        printed = f"{int(row['parameters']):,}"
        found.append(
            Timed(
                _name(row["model"], row["configuration"], row["layers"], row["recursions"]),
                printed,
                counted,
                NOT_RUN if ours.empty else "reproduced" if counted == printed else "deviates",
                row["training_hours"],
                f"{float(row['images_per_second']) / base:.2f}",
                "–" if ours.empty else f"{ours.times_base.iloc[0]:.2f}",
            )
        )
    return found


def sweeps(scores: pd.DataFrame) -> list[Swept]:
    """The published checkpoints on Set11 at 10 % with more and fewer recursions, all with one matrix."""
    rows = scores[(scores.dataset == "set11") & (scores.ratio == 0.1) & (scores.matrix == "gauss-s0")]
    found = []
    for file, name in SWEPT.items():
        mine = rows[rows.file == file].sort_values("recursions")
        found.append(Swept(name, {int(k): f"{psnr:.2f}" for k, psnr in zip(mine.recursions, mine.psnr, strict=True)}))
    return found


def curve(trainings: Sequence[Sequence[EpochRecord]]) -> list[Reached]:
    """The published curve of R-COAST 5x4 that was trained with all data, point by point.

    Args:
        trainings: epochs of trainings of that network, with the same images and ratio in validation; any may be unfinished.
    """
    points = published("curve").to_dict("records")
    return [
        Reached(
            str(point["epoch"]),
            str(point["psnr"]),
            f"{int(point['samples']):,}",
            [_reached(epochs, float(point["psnr"]), int(point["samples"])) for epochs in trainings],
        )
        for point in points
    ]


def _reached(epochs: Sequence[EpochRecord], psnr: float, samples: int) -> str:
    """`53,280 (0.030 ×)`, or how far the training has come without it."""
    for epoch in epochs:
        if epoch.validation_psnr >= psnr:
            return f"{epoch.samples:,} ({epoch.samples / samples:.3f} ×)"
    return f"not in {epochs[-1].samples:,}"
