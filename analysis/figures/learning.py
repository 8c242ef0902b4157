"""Validation quality while training, against optimizer steps and against training time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analysis.figures.style import WIDTH, Look, gap_text, head, legend, style
from analysis.frames import StudyFrames
from analysis.frames.measures import LeftOut, of_whole_cells, without_validation

Floats = NDArray[np.float64]
COLUMNS = 4
"""Most families side by side."""
ROOM = 0.05
"""Least room below and above all curves in dB: the one point of a single epoch lies between."""
READ = ["step", "seconds", "validation_psnr"]


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
    """`floor`: lowest PSNR shown, in dB; nan if there is no curve. `left_out`: arms that are validated at fewer ratios than
    others of their family, and why."""

    panels: tuple[LearningPanel, ...]
    floor: float
    left_out: LeftOut = ()


def learning_info(frames: StudyFrames) -> LearningInfo:
    """Curves per family and treatment over its complete cells (seeds with all their trials); where there are none yet, over
    the epochs that all trials of the seeds that have begun have reached.

    Trials of several ratios are averaged.
    """
    epochs, lacking = frames.epochs, without_validation(frames)
    whole = of_whole_cells(frames, epochs)
    finished = {str(a) for a in whole["arm"].unique()}
    shown = pd.concat([whole, _reached(frames, epochs[~epochs["arm"].isin(finished)])])
    means = pd.DataFrame(shown.groupby(["arm", "epoch", "seed"], observed=True)[READ].mean().unstack("seed"))
    by_arm = {str(arm): own for arm, own in means.groupby(level="arm", observed=True)}
    panels = []
    for family in frames.families():
        members = [a for a in frames.members(family) if a.name in by_arm and a.name not in lacking]
        curves = [_curve(by_arm[a.name], a.treatment, unfinished=a.name not in finished) for a in members]
        panels.append(LearningPanel(family, tuple(curves)))
    return LearningInfo(tuple(panels), _floor(panels), tuple(lacking.items()))


def _reached(frames: StudyFrames, epochs: pd.DataFrame) -> pd.DataFrame:
    """The epochs that all trials of their cell have reached: a mean over the ratios that are further on would be another."""
    networks = epochs["arm"].astype(object).map({a.name: len(a.configs) for a in frames.arms.values()})
    there = epochs.groupby(["arm", "seed", "epoch"], observed=True)["fingerprint"].transform("nunique")
    return epochs[(there == networks).to_numpy()]


def _curve(means: pd.DataFrame, treatment: str, *, unfinished: bool) -> Curve:
    """Of one arm: a line per epoch; columns: what is read, and the seeds."""
    known = means.dropna(axis=1, how="all")
    seeds = int(known["validation_psnr"].shape[1])
    steps, seconds, psnr = (known.dropna()[name].to_numpy(dtype=float) for name in READ)
    return Curve(
        treatment,
        steps.mean(axis=1),
        seconds.mean(axis=1),
        psnr.mean(axis=1) if psnr.size else np.array([]),
        psnr.min(axis=1) if psnr.size else np.array([]),
        psnr.max(axis=1) if psnr.size else np.array([]),
        seeds,
        unfinished,
    )


def _floor(panels: list[LearningPanel]) -> float:
    """Lowest value shown: early epochs far below the rest are cut off, so that the end can be read."""
    means = [c.mean for p in panels for c in p.curves if c.mean.size]
    if not means:
        return float("nan")
    ends = [float(m[-1]) for m in means]
    late = [float(m[min(len(m) - 1, max(1, len(m) // 10))]) for m in means]
    return min([*late, *ends]) - max(0.05 * (max(ends) - min(late)), ROOM)


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
            shown = [c for c in panel.curves if c.mean.size]
            _draw_curves(upper, shown, [c.steps for c in shown], table)
            _draw_curves(lower, shown, [c.seconds for c in shown], table)
            if not panel.curves:
                gap_text(upper, "no epoch to be shown yet")
            upper.set_xlabel("optimizer steps")
            upper.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 2.5, 5, 10]))
            lower.set_xlabel("seconds of training")
        for first in grid[:, 0]:
            first.set_ylabel("validation PSNR, dB")
        for spare in grid[-2:, count - across * (pairs - 1) :].flat:
            spare.set_axis_off()
        if np.isfinite(info.floor):
            top = max(float(c.high.max()) for p in info.panels for c in p.curves if c.high.size)
            grid[0, 0].set_ylim(info.floor, top + max(0.05 * (top - info.floor), ROOM))
        legend(figure, [t for t in table if any(c.treatment == t for p in info.panels for c in p.curves)], table)
    return figure


def _draw_curves(ax: Axes, curves: Sequence[Curve], xs: Sequence[Floats], table: dict[str, Look]) -> None:
    """Lines that end in a marker, over their bands; the bands are one artist."""
    looks = [table[c.treatment] for c in curves]
    bands = [_outline(x, c.low, c.high) for x, c in zip(xs, curves, strict=True)]
    ax.add_collection(PolyCollection(bands, facecolors=[k.colour for k in looks], alpha=0.15, linewidths=0, zorder=1))
    for curve, x, look in zip(curves, xs, looks, strict=True):
        ax.plot(x, curve.mean, color=look.colour, linestyle=look.line, linewidth=1.4, marker=look.marker, markersize=4,
                markevery=[-1])  # fmt: skip


def _outline(x: Floats, low: Floats, high: Floats) -> Floats:
    """The corners of a band, shape (2 n, 2)."""
    return np.column_stack([np.concatenate([x, x[::-1]]), np.concatenate([low, high[::-1]])])


def unfinished(info: LearningInfo) -> pd.DataFrame:
    """Family and treatment of the curves of arms without a complete trial."""
    rows = [(p.family, c.treatment) for p in info.panels for c in p.curves if c.unfinished]
    return pd.DataFrame(rows, columns=["family", "treatment"])
