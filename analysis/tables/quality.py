"""Parameters and quality: the paper's Table 1, for any arms, with spread over seeds and the difference to the base arm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.frames import StudyFrames
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
from analysis.numbers import DIGITS, plural
from analysis.statistics import Comparison
from analysis.statistics.paired import Images
from analysis.tables.table import Column, Interval, Number, Pair, Table, Text

Gaps = dict[tuple[int, str], str]
Cells = dict[tuple[str, str, str], Values]


def quality_table(images: Images, comparisons: Sequence[Comparison], dataset: str) -> Table:
    """PSNR and SSIM of every arm on one test set (best checkpoint), the initial estimate as first line of each family."""
    frames = images.frames
    heads = _heads(frames)
    cells = by_cell(images.cells, dataset)
    initial = by_cell(images.initial_cells, dataset)
    differences = {c.arm: c for c in comparisons if c.dataset == dataset and c.metric == "psnr"}
    rows: list[dict[str, Any]] = []
    gaps: Gaps = {}
    for family in frames.families():
        members = [a.name for a in frames.members(family)]
        rows += _initial_rows(frames, members, initial, heads)
        for arm in members:
            rows.append(_network_row(frames, arm, cells, heads, differences.get(arm)))
            gaps |= _gaps(frames, arm, len(rows) - 1, cells, heads)
    seeds = plural(len(frames.plan.seeds), "seed")
    caption = (
        f"Test images of {dataset}, checkpoint with the best validation PSNR. Mean ± standard deviation over "
        f"{seeds}; best mean of each "
        "group in bold, whether or not the difference is decided. Difference: PSNR minus that of the base arm, "
        "paired by seed and "
        "image, with the 95\u00a0% t-interval over seeds. Initial estimate: the linear reconstruction the networks start from."
    )
    return Table(
        name=f"quality-{dataset}",
        title=f"Parameters and quality on {dataset}",
        caption=caption,
        frame=pd.DataFrame(rows),
        columns=_columns(heads, frames),
        group="family" if any(frames.families()) else "",
        gaps=gaps,
    )


def _heads(frames: StudyFrames) -> list[str]:
    """Column heads: the ratios and their average, or the single ratio of the study alone."""
    ratios = ratio_labels(frames.arms.values())
    return ratios if len(ratios) == 1 else [*ratios, AVERAGE]


def _network_row(
    frames: StudyFrames,
    arm: str,
    cells: Cells,
    heads: list[str],
    difference: Comparison | None,
) -> dict[str, Any]:
    facts = frames.arms[arm]
    row: dict[str, Any] = {
        "family": facts.family,
        "arm": arm,
        "network": facts.treatment,
        "layout": facts.layout,
        "parameters": float(facts.parameters),
        "evaluations": float(facts.evaluations_test),
        "baseline": False,
    }
    for at in heads:
        for metric in DIGITS:
            values = {} if _not_tested(frames, arm, at, heads) else cells.get((arm, at, metric), {})
            row[f"{metric} {at}"], row[f"{metric} {at} sd"] = mean_and_spread(values.values())
    row["seeds"] = len(cells.get((arm, heads[-1], "psnr"), ()))
    known = difference if difference is not None and difference.seeds else None
    row |= {k: getattr(known, k) if known else NAN for k in ("mean", "low", "high", "boot_low", "boot_high", "p_holm")}
    return row


def _initial_rows(
    frames: StudyFrames,
    members: list[str],
    initial: Cells,
    heads: list[str],
) -> list[dict[str, Any]]:
    """One line per distinct initial estimate of a family: one, unless its arms start from different ones."""
    rows: dict[tuple[tuple[str, float], ...], dict[str, Any]] = {}
    for arm in members:
        row = _network_row(frames, arm, initial, heads, None)
        row |= {"network": "initial estimate", "layout": "", "parameters": NAN, "evaluations": 0.0, "baseline": True}
        there = [f"{m} {at}" for at in heads if not _not_tested(frames, arm, at, heads) for m in DIGITS]
        key = tuple((name, round(row[name], 4)) for name in there)
        if all(value == value for _, value in key):
            rows.setdefault(key, row)
    found = list(rows.values())
    if len(found) > 1:
        found = [r | {"network": f"initial estimate ({frames.arms[r['arm']].treatment})"} for r in found]
    return [r | {"arm": ""} for r in found]


def _gaps(frames: StudyFrames, arm: str, line: int, cells: Cells, heads: list[str]) -> Gaps:
    gaps: Gaps = {}
    for at in heads:
        if why := _not_tested(frames, arm, at, heads):
            gaps[line, f"psnr {at}"] = why
        elif lacking := missing_seeds(frames, arm, at, there := list(cells.get((arm, at, "psnr"), ()))):
            reasons = "; ".join(f"seed {s} {why}" for s, why in lacking)
            gaps[line, f"psnr {at}"] = f"{len(there)} of {plural(len(frames.plan.seeds), 'seed')}: {reasons}"
    return gaps


def _not_tested(frames: StudyFrames, arm: str, at: str, heads: list[str]) -> str:
    """Why a cell stays empty by the plan: averages stand in one column only where they are over the same ratios."""
    return not_tested(frames.arms[arm], at, [head for head in heads if head != AVERAGE])


def _columns(heads: list[str], frames: StudyFrames) -> tuple[Column, ...]:
    columns: list[Column] = [
        Text(key="network", header="Network"),
        Text(key="layout", header="Layout"),
        Number(key="parameters", header="Parameters", digits=0),
        Number(key="evaluations", header="Stage applications", digits=0),
    ]
    if len(heads) == 1:
        at = heads[0]
        columns += [
            Number(key=f"psnr {at}", header=f"PSNR at {at}", unit="dB", spread=f"psnr {at} sd", best=True),
            Number(key=f"ssim {at}", header=f"SSIM at {at}", digits=4, spread=f"ssim {at} sd", best=True),
        ]
    else:
        columns += [_pair(at) for at in heads]
    if frames.compares:
        columns += [
            Number(key="mean", header="Difference", unit="dB", signed=True),
            Interval(low="low", high="high", header="95\u00a0% interval", unit="dB"),
        ]
    return tuple(columns)


def _pair(at: str) -> Pair:
    first = Number(key=f"psnr {at}", header="PSNR", best=True, spread=f"psnr {at} sd" if at == AVERAGE else "")
    second = Number(key=f"ssim {at}", header="SSIM", digits=4, best=True)
    return Pair(first=first, second=second, header="Average" if at == AVERAGE else at, unit="dB / SSIM")
