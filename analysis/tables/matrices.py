"""How much quality depends on the test matrix: spread over the matrices of one ratio."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.frames import Arm, StudyFrames
from analysis.frames.measures import missing_seeds
from analysis.numbers import percent, plural
from analysis.statistics.matrices import matrix_scores, means_by_matrix
from analysis.tables.table import Interval, Number, Table, Text

NAN = float("nan")


def matrices_table(frames: StudyFrames, dataset: str) -> Table:
    """PSNR of every arm and ratio over its test matrices; no line where there is one matrix only.

    The frame also has each matrix's PSNR and DC gain, as "psnr gauss-s0" and "gain gauss-s0".
    """
    gains = _gains(frames)
    rows: list[dict[str, Any]] = []
    gaps: dict[tuple[int, str], str] = {}
    for (name, ratio), found in matrix_scores(frames, dataset).items():
        whole = means_by_matrix(found)
        rows.append(_row(frames.arms[name], ratio, pd.Series(whole.mean()), found, gains))
        there = [int(s) for s in whole.index]
        if lacking := missing_seeds(frames, name, percent(ratio), there):
            reasons = "; ".join(f"seed {s} {why}" for s, why in lacking)
            gaps[len(rows) - 1, "mean"] = f"{len(there)} of {plural(len(frames.plan.seeds), 'seed')}: {reasons}"
    return Table(
        name=f"matrices-{dataset}",
        title=f"Spread over test matrices on {dataset}",
        caption=(
            "PSNR of each test matrix, a mean over images and seeds; here its mean, standard deviation (SD), lowest and highest "
            "value over the matrices. All other tables average over the matrices. DC gain: how much of a constant block a "
            "matrix measures (expected: the ratio), lowest to highest."
        ),
        frame=pd.DataFrame(rows),
        columns=(
            Text(key="network", header="Network"),
            Text(key="at", header="Ratio", align="right"),
            Number(key="matrices", header="Matrices", digits=0),
            Number(key="mean", header="Mean", unit="dB"),
            Number(key="sd", header="SD", unit="dB"),
            Number(key="low", header="Lowest", unit="dB"),
            Number(key="high", header="Highest", unit="dB"),
            Interval(low="gain low", high="gain high", header="DC gain", digits=3, signed=False),
        ),
        group="family" if any(frames.families()) else "",
        gaps=gaps,
    )


def _row(
    arm: Arm, ratio: float, values: pd.Series, scores: pd.DataFrame, gains: dict[tuple[str, str], float]
) -> dict[str, Any]:
    """Of the PSNR of each matrix; `scores` name the protocols that they were tested by."""
    pairs = scores[["protocol", "matrix"]].astype(object).drop_duplicates().itertuples(index=False, name=None)
    known = {str(matrix): gains.get((str(protocol), str(matrix)), NAN) for protocol, matrix in pairs}
    present = [g for g in known.values() if not np.isnan(g)]
    row: dict[str, Any] = {
        "family": arm.family,
        "arm": arm.name,
        "network": arm.treatment,
        "at": percent(ratio),
        "matrices": float(len(values)),
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)),
        "low": float(values.min()),
        "high": float(values.max()),
        "gain low": min(present, default=NAN),
        "gain high": max(present, default=NAN),
    }
    row |= {f"psnr {matrix}": float(value) for matrix, value in values.items()}
    return row | {f"gain {matrix}": gain for matrix, gain in known.items()}


def _gains(frames: StudyFrames) -> dict[tuple[str, str], float]:
    """DC gain by (protocol, matrix), where the trials recorded it."""
    return {
        (str(protocol), str(matrix)): float(gain)
        for facts in frames.trials["facts"]
        for protocol, record in facts.get("protocols", {}).items()
        for matrix, gain in record["measurement"].get("matrices", {}).items()
    }
