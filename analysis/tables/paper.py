"""The paper's Table 1 in its own layout, each cell with the published value, the difference and the verdict."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.frames import Arm
from analysis.frames.measures import (
    AVERAGE,
    NAN,
    Values,
    by_cell,
    mean_and_spread,
    missing_seeds,
    not_tested,
    ratio_labels,
)
from analysis.numbers import DIGITS, percent
from analysis.reference.verdicts import TOLERANCE, QualityCell, quality_cells
from analysis.statistics.paired import Images
from analysis.tables.table import Compared, Number, Table, Text


def paper_table(images: Images, dataset: str) -> Table:
    """Rows: data fraction (groups), then model, configuration, layout; columns: PSNR / SSIM per ratio and average."""
    frames = images.frames
    ratios = ratio_labels(frames.arms.values())
    heads = ratios if len(ratios) == 1 else [*ratios, AVERAGE]
    cells = by_cell(images.cells, dataset)
    published = {(c.arm, c.at): c for c in quality_cells(images) if c.dataset == frames.data_set(dataset)}
    arms = sorted(frames.arms.values(), key=lambda a: -a.fraction)
    rows, gaps = [], {}
    for line, arm in enumerate(arms):
        rows.append(_row(arm, cells, ratios, heads, published))
        for at in heads:
            cell = published.get((arm.name, at))
            seeds = [s for metric in DIGITS for s in cells.get((arm.name, at, metric), ())]
            lacking = "; ".join(f"seed {s} {why}" for s, why in missing_seeds(frames, arm.name, at, seeds))
            if reason := not_tested(arm, at, ratios) or lacking or (cell.reason if cell else ""):
                gaps[line, f"psnr {at}"] = reason
    return Table(
        name=f"paper-{dataset}",
        title=f"Quality on {dataset} in the layout of the paper's Table 1",
        caption=(
            "PSNR in dB and SSIM, checkpoint with the best validation PSNR, mean over seeds; the best of each column within one "
            "fraction of the training data in bold, whether or not differences are decided. In brackets, where the paper has the "
            f"cell: the published pair, measured minus published, and the verdict; reproduced: within "
            f"{TOLERANCE['psnr']:.2f}\u00a0dB and {TOLERANCE['ssim']:.3f} at the digits shown."
        ),
        frame=pd.DataFrame(rows),
        columns=(
            Text(key="model", header="Model"),
            Text(key="configuration", header="Configuration"),
            Text(key="layout", header="Layers × recursions"),
            *(Compared(at=at, header="Average" if at == AVERAGE else at) for at in heads),
            Number(key="parameters", header="Parameters", digits=0),
        ),
        group="data",
        gaps=gaps,
    )


def _row(
    arm: Arm,
    cells: dict[tuple[str, str, str], Values],
    ratios: list[str],
    heads: list[str],
    published: dict[tuple[str, str], QualityCell],
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "data": f"{percent(arm.fraction)} of the training blocks",
        "arm": arm.name,
        "model": MODELS.get(arm.configs[0].model.kind, arm.configs[0].model.kind),
        "configuration": arm.treatment,
        "layout": arm.layout,
        "parameters": float(arm.parameters),
    }
    for at in heads:
        cell = published.get((arm.name, at))
        compared = cell is not None and cell.measured is not None
        for metric in DIGITS:
            values = cells.get((arm.name, at, metric), {}) if compared or not not_tested(arm, at, ratios) else {}
            measured, _ = mean_and_spread(values.values())
            known = cell.published[metric] if cell else NAN
            row |= {f"{metric} {at}": measured, f"{metric} {at} published": known}
            row[f"{metric} {at} difference"] = measured - known if compared else NAN
        row[f"verdict {at}"] = cell.verdict if cell else ""
    return row


MODELS = {"coast": "COAST", "ista_net": "ISTA-Net", "ista_net_plus": "ISTA-Net+", "dpdnn": "DPDNN"}
