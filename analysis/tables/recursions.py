"""Test-time recursions: one set of weights, tested with other numbers of stage applications."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.frames import StudyFrames
from analysis.measures import recursion_cells, swept_arms
from analysis.tables.table import Number, Table, Text


def recursions_table(frames: StudyFrames, dataset: str) -> Table:
    """PSNR by number of stage applications for the arms that were tested with several."""
    cells = recursion_cells(frames)
    cells = cells[(cells["dataset"] == dataset) & (cells["metric"] == "psnr")]
    swept = swept_arms(cells)
    counts = sorted({int(c) for c in cells.loc[cells["arm"].isin(swept), "recursions"]})
    rows: list[dict[str, Any]] = []
    for arm in (a for a in frames.arms if a in swept):
        values = cells[cells["arm"] == arm].groupby("recursions")["value"].mean()
        facts = frames.arms[arm]
        row = {"family": facts.family, "arm": arm, "network": facts.treatment, "trained": float(facts.evaluations_test)}
        rows.append(row | {str(c): float(values.get(c, float("nan"))) for c in counts})
    return Table(
        name=f"recursions-{dataset}",
        title=f"Stage applications at test time on {dataset}",
        caption=(
            "PSNR in dB of the same weights, tested with other numbers of stage applications than the arm's own; "
            "mean over seeds and images."
        ),
        frame=pd.DataFrame(rows),
        columns=(
            Text(key="network", header="Network"),
            Number(key="trained", header="Own count", digits=0),
            *(Number(key=str(c), header=str(c), unit="dB") for c in counts),
        ),
        group="family" if any(frames.families()) else "",
    )
