"""Recursions: arms by layers, recursions and ranges; and one set of weights tested with other counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.frames import Arm, StudyFrames
from analysis.frames.measures import (
    AVERAGE,
    NAN,
    NO_NUMBER,
    Values,
    by_cell,
    mean_and_spread,
    missing_seeds,
    not_tested,
    ratio_labels,
    recursion_cells,
    swept_arms,
    without_averages,
)
from analysis.numbers import DIGITS
from analysis.statistics import Comparison
from analysis.statistics.paired import Images
from analysis.tables.table import Interval, Number, Table, Text
from rdun.config import Fixed, UniformRange


def designs_table(images: Images, comparisons: Sequence[Comparison], dataset: str) -> Table:
    """Quality of the arms by layers, recursions in training and at test; no line where all arms have the same."""
    frames = images.frames
    arms = sorted(frames.arms.values(), key=lambda a: (frames.families().index(a.family), *_design(a)))
    if len({_design(a) for a in arms}) < 2:
        arms = []
    cells = by_cell(images.cells, dataset)
    found = {c.arm: c for c in comparisons if c.dataset == dataset}
    rows: list[dict[str, Any]] = []
    gaps: dict[tuple[int, str], str] = {}
    for line, arm in enumerate(arms):
        why = not_tested(arm, AVERAGE, ratio_labels(frames.members(arm.family)))
        own = {metric: {} if why else cells.get((arm.name, AVERAGE, metric), {}) for metric in DIGITS}
        rows.append(_design_row(arm, own, found.get(arm.name)))
        if why:
            gaps[line, "psnr"] = why
        elif lacking := missing_seeds(frames, arm.name, AVERAGE, [s for values in own.values() for s in values]):
            gaps[line, "psnr"] = "; ".join(f"seed {s} {why}" for s, why in lacking)
    return Table(
        name=f"designs-{dataset}",
        title=f"Layers, recursions and ranges on {dataset}",
        caption=(
            "Each arm by its layers, its recursions per layer in training (a range: drawn anew for every batch) and at test. "
            "PSNR and SSIM averaged over ratios and images, mean ± standard deviation over seeds. Difference: PSNR minus "
            "that of the base arm, paired by seed and image, with the 95\u00a0% t-interval over seeds; the verdict is that of "
            "the table of differences."
        ),
        frame=pd.DataFrame(rows),
        columns=(
            Text(key="network", header="Network"),
            Number(key="layers", header="Layers", digits=0),
            Text(key="train", header="Recursions in training", align="right"),
            Text(key="test", header="At test", align="right"),
            Number(key="evaluations", header="Stage applications", digits=0),
            Number(key="parameters", header="Parameters", digits=0),
            Number(key="psnr", header="PSNR", unit="dB", spread="psnr sd", best=True),
            Number(key="ssim", header="SSIM", digits=4, best=True),
            Number(key="mean", header="Difference", unit="dB", signed=True),
            Interval(low="low", high="high", header="95\u00a0% interval", unit="dB"),
            Text(key="verdict", header="Verdict"),
        ),
        group="family" if any(frames.families()) else "",
        gaps=gaps,
    )


def _design(arm: Arm) -> tuple[int, tuple[int, ...], str]:
    """Layers, counts at test, counts in training."""
    config = arm.configs[0]
    return config.model.layers, config.test_counts, _training(arm)


def _training(arm: Arm) -> str:
    """`Fixed((4,))` -> "4"; `UniformRange((1,), (4,))` -> "1–4"; one entry per layer where they differ; then any other kind."""
    train = arm.configs[0].recursion.train
    if isinstance(train, Fixed):
        return _counts(train.counts)
    n = max(len(train.low), len(train.high))
    low, high = (c * n if len(c) == 1 else c for c in (train.low, train.high))
    ranges = [f"{a}–{b}" if a != b else str(a) for a, b in zip(low, high, strict=True)]
    kind = "" if train.kind == UniformRange.kind else f" ({train.kind})"
    return (ranges[0] if len(set(ranges)) == 1 else ", ".join(ranges)) + kind


def _counts(counts: tuple[int, ...]) -> str:
    return str(counts[0]) if len(set(counts)) == 1 else ", ".join(map(str, counts))


def _design_row(arm: Arm, own: dict[str, Values], found: Comparison | None) -> dict[str, Any]:
    config, known = arm.configs[0], found if found is not None and found.seeds else None
    row: dict[str, Any] = {
        "family": arm.family,
        "arm": arm.name,
        "versus": arm.compare_to or "",
        "network": arm.treatment,
        "layers": float(config.model.layers),
        "train": _training(arm),
        "test": _counts(config.test_counts),
        "evaluations": float(arm.evaluations_test),
        "parameters": float(arm.parameters),
        "verdict": found.verdict if found else "",
    }
    for metric in DIGITS:
        row[metric], row[f"{metric} sd"] = mean_and_spread(own[metric].values())
    return row | {k: getattr(known, k) if known else NAN for k in ("mean", "low", "high")}


def recursions_table(frames: StudyFrames, dataset: str) -> Table:
    """PSNR by number of stage applications for the arms that are tested with several; where there is none, the reason."""
    cells = recursion_cells(frames)
    cells = cells[(cells["dataset"] == dataset) & (cells["metric"] == "psnr")]
    planned = {a.name for a in frames.arms.values() if any(c.recursion.sweep for c in a.configs)}
    swept = planned.union(swept_arms(cells))
    lacking_ratios = without_averages(frames)
    cells = cells[cells["arm"].isin(swept - set(lacking_ratios))]
    counts = sorted({int(c) for c in cells["recursions"]})
    rows: list[dict[str, Any]] = []
    gaps: dict[tuple[int, str], str] = {}
    for line, arm in enumerate(a for a in frames.arms if counts and a in swept):
        own = cells[cells["arm"] == arm]
        values = own.groupby("recursions")["value"].mean(skipna=False)
        gaps |= {(line, str(c)): NO_NUMBER for c in values.index[values.isna()]}
        if arm in lacking_ratios:
            gaps[line, "trained"] = lacking_ratios[arm]
        elif lacking := missing_seeds(frames, arm, AVERAGE, [int(s) for s in own["seed"].unique()]):
            gaps[line, "trained"] = "; ".join(f"seed {s} {why}" for s, why in lacking)
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
        gaps=gaps,
    )
