"""Validation quality while training, against optimizer steps and against training time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.figures.style import WIDTH, Look, gap_text, head, legend, style
from analysis.frames import StudyFrames

Floats = NDArray[np.float64]
COLUMNS = 4
"""Most families side by side."""


class Curve(NamedTuple):
    """Mean over seeds with the smallest and largest seed; `unfinished` marks arms without any complete trial."""

    treatment: str
    steps: Floats
    seconds: Floats
    mean: Floats
    low: Floats
    high: Floats
    seeds: int
    unfinished: bool


class LearningPanel(NamedTuple):
    """All arms of one family that have begun."""

    family: str
    curves: tuple[Curve, ...]


class LearningInfo(NamedTuple):
    """`floor`: lowest PSNR shown, in dB; nan if there is no curve."""

    panels: tuple[LearningPanel, ...]
    floor: float


def learning_info(frames: StudyFrames) -> LearningInfo:
    """Curves per family and treatment over its complete trials; where there are none yet, over the epochs that all
    started ones have reached.

    Trials of several ratios are averaged.
    """
    panels = []
    for family in frames.families():
        curves = [_curve(frames, a.name, a.treatment) for a in frames.members(family)]
        panels.append(LearningPanel(family, tuple(c for c in curves if c is not None)))
    return LearningInfo(tuple(panels), _floor(panels))


def _curve(frames: StudyFrames, arm: str, treatment: str) -> Curve | None:
    rows = frames.epochs[frames.epochs["arm"] == arm]
    finished = rows["status"] == "complete"
    rows = rows[finished] if finished.any() else rows
    if rows.empty:
        return None
    by_seed = rows.groupby(["epoch", "seed"])[["step", "seconds", "validation_psnr"]].mean().unstack("seed").dropna()
    psnr = by_seed["validation_psnr"].to_numpy(dtype=float)
    return Curve(
        treatment,
        by_seed["step"].to_numpy(dtype=float).mean(axis=1),
        by_seed["seconds"].to_numpy(dtype=float).mean(axis=1),
        psnr.mean(axis=1) if psnr.size else np.array([]),
        psnr.min(axis=1) if psnr.size else np.array([]),
        psnr.max(axis=1) if psnr.size else np.array([]),
        int(rows["seed"].nunique()),
        not bool(finished.any()),
    )


def _floor(panels: list[LearningPanel]) -> float:
    """Lowest value shown: early epochs far below the rest are cut off, so that the end can be read."""
    means = [c.mean for p in panels for c in p.curves if c.mean.size]
    if not means:
        return float("nan")
    ends = [float(m[-1]) for m in means]
    late = [float(m[min(len(m) - 1, max(1, len(m) // 10))]) for m in means]
    return min([*late, *ends]) - 0.05 * (max(ends) - min(late) + 0.1)


def draw_learning(info: LearningInfo, table: dict[str, Look]) -> Figure:
    """Pairs of rows of at most `COLUMNS` families: above against optimizer steps, below against seconds of training."""
    count = max(len(info.panels), 1)
    across, pairs = min(count, COLUMNS), -(-count // COLUMNS)
    with style():
        figure = Figure(figsize=(WIDTH, 4.4 * pairs + 0.2), layout="constrained")
        grid = figure.subplots(2 * pairs, across, sharex="row", sharey=True, squeeze=False)
        for place, panel in enumerate(info.panels):
            row, column = 2 * (place // across), place % across
            upper, lower = grid[row, column], grid[row + 1, column]
            head(upper, panel.family)
            for curve in panel.curves:
                _draw_curve(upper, curve, curve.steps, table[curve.treatment])
                _draw_curve(lower, curve, curve.seconds, table[curve.treatment])
            if not panel.curves:
                gap_text(upper, "no epoch yet")
            upper.set_xlabel("optimizer steps")
            lower.set_xlabel("seconds of training")
        for first in grid[:, 0]:
            first.set_ylabel("validation PSNR, dB")
        for spare in grid[-2:, count - across * (pairs - 1) :].flat:
            spare.set_axis_off()
        if np.isfinite(info.floor):
            grid[0, 0].set_ylim(bottom=info.floor)
        legend(figure, [t for t in table if any(c.treatment == t for p in info.panels for c in p.curves)], table)
    return figure


def _draw_curve(ax: Axes, curve: Curve, x: Floats, look: Look) -> None:
    if not curve.mean.size:
        return
    ax.fill_between(x, curve.low, curve.high, color=look.colour, alpha=0.15, linewidth=0)
    ax.plot(x, curve.mean, color=look.colour, linestyle=look.line, linewidth=1.4)
    ax.plot(x[-1:], curve.mean[-1:], marker=look.marker, color=look.colour, markersize=4, linestyle="none")


def unfinished(info: LearningInfo) -> pd.DataFrame:
    """Family and treatment of the curves of arms without a complete trial."""
    rows = [(p.family, c.treatment) for p in info.panels for c in p.curves if c.unfinished]
    return pd.DataFrame(rows, columns=["family", "treatment"])
