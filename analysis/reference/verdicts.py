"""Published and measured quality side by side, and what may be said about the pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import pandas as pd

from analysis.frames import Arm, StudyFrames
from analysis.frames.measures import AVERAGE, missing_seeds
from analysis.numbers import DIGITS, percent, plural
from analysis.reference import remark, rows_of
from analysis.statistics.paired import Images

Verdict = Literal["reproduced", "deviates", "not run"]
TOLERANCE = {"psnr": 0.10, "ssim": 0.003}
"""Largest difference, at the printed digits, that counts as reproduced; dB and 1."""
NOT_AS_PUBLISHED = "not trained as published (another scale, or changed)"


class Measured(NamedTuple):
    """Mean and standard deviation over seeds by metric; `lacking` names seeds without a value."""

    mean: dict[str, float]
    spread: dict[str, float]
    lacking: str = ""


class QualityCell(NamedTuple):
    """One published quality of an arm beside the study's own.

    Attributes:
        at: ratio ("10 %") or "average".
        published: value by metric.
        measured: None where there is none to be compared; `reason` then says why.
        remark: source and note of the published rows.
    """

    arm: str
    dataset: str
    at: str
    published: dict[str, float]
    measured: Measured | None
    verdict: Verdict
    reason: str
    remark: str


class Coverage(NamedTuple):
    """How many published values of the study's arms came out as published."""

    reproduced: int
    deviates: int
    not_run: int


def coverage(images: Images) -> Coverage:
    """Verdicts counted over all ratios and averages of table 1."""
    found = Counter(cell.verdict for cell in quality_cells(images))
    return Coverage(found["reproduced"], found["deviates"], found["not run"])


def quality_cells(images: Images) -> list[QualityCell]:
    """Table 1 of the paper for the arms that stand in it: every ratio, then the mean over them."""
    frames = images.frames
    means = images.cells.assign(dataset=images.cells["dataset"].map(frames.data_set))
    cells: list[QualityCell] = []
    for arm in frames.arms.values():
        rows = rows_of(arm.name, arm.published, "table1")
        rows = rows[rows["ratio"] != AVERAGE]
        if rows.empty:
            continue
        own = means[means["arm"] == arm.name]
        cells += [_quality_cell(frames, arm, own, rows.iloc[[i]]) for i in range(len(rows))]
        cells.append(_quality_cell(frames, arm, own, rows))
    return cells


def _quality_cell(frames: StudyFrames, arm: Arm, own: pd.DataFrame, rows: pd.DataFrame) -> QualityCell:
    """One ratio (one row) or the mean over several."""
    dataset, ratios = str(rows["dataset"].iloc[0]), [float(r) for r in rows["ratio"]]
    at = AVERAGE if len(ratios) > 1 else percent(ratios[0])
    published = {m: float(rows[m].astype(float).mean()) for m in DIGITS}
    reason = _why_not(frames, arm, dataset, ratios)
    measured = None if reason else _measured(frames, arm.name, own[(own["dataset"] == dataset) & (own["at"] == at)], at)
    if measured and not measured.mean:
        reason, measured = measured.lacking, None
    verdict = judge(measured.mean, published) if measured else "not run"
    return QualityCell(arm.name, dataset, at, published, measured, verdict, reason, remark(rows))


def judge(measured: Mapping[str, float], published: Mapping[str, float]) -> Verdict:
    """Whether all metrics are as close as `TOLERANCE` asks for."""
    close = [round(abs(measured[m] - published[m]), DIGITS[m]) <= TOLERANCE[m] for m in published]
    return "reproduced" if all(close) else "deviates"


def _why_not(frames: StudyFrames, arm: Arm, dataset: str, ratios: Sequence[float]) -> str:
    """Why an arm's plan gives no value to be compared; empty if it does."""
    if not frames.plan.as_published:
        return NOT_AS_PUBLISHED
    if not all(dataset in c.data.test for c in arm.configs):
        return f"not tested on {dataset}"
    lacking = [r for r in ratios if r not in arm.ratios]
    further = [r for r in arm.ratios if r not in ratios] if len(ratios) > 1 else []
    if lacking:
        return f"not tested at {', '.join(percent(r) for r in lacking)}"
    return f"its average includes {', '.join(percent(r) for r in further)}" if further else ""


def _measured(frames: StudyFrames, arm: str, rows: pd.DataFrame, at: str) -> Measured:
    seeds = [int(s) for s in rows["seed"].unique()]
    lacking = "; ".join(f"seed {s} {why}" for s, why in missing_seeds(frames, arm, at, seeds))
    if lacking and seeds:
        lacking = f"{len(seeds)} of {plural(len(frames.plan.seeds), 'seed')}: {lacking}"
    values = rows.groupby("metric")["value"]
    return Measured(_by_metric(values.mean()), _by_metric(values.std(ddof=1)), lacking)


def _by_metric(values: pd.Series) -> dict[str, float]:
    return {str(metric): float(value) for metric, value in values.items()}
