"""All differences to the base arms with their intervals: the answer as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Transform, blended_transform_factory

from analysis.figures.style import FAINT, INK, MUTED, WIDTH, Look, style
from analysis.frames import StudyFrames
from analysis.numbers import MINUS, interval, number
from analysis.statistics import Comparison


class ForestLine(NamedTuple):
    """One comparison; `text` is what stands at the right: the numbers, or why there are none."""

    label: str
    treatment: str
    mean: float
    low: float
    high: float
    per_seed: tuple[float, ...]
    decided: bool
    text: str


class ForestGroup(NamedTuple):
    """The comparisons of one family."""

    family: str
    lines: tuple[ForestLine, ...]


class ForestInfo(NamedTuple):
    """Groups of comparisons; `span` is half the width of the axis in dB, wider intervals end in an arrow."""

    groups: tuple[ForestGroup, ...]
    span: float
    base: str


def forest_info(frames: StudyFrames, comparisons: Sequence[Comparison], dataset: str) -> ForestInfo:
    """Comparisons of one dataset by family. The axis shows all per-seed differences; t-intervals of 2 seeds may leave it."""
    found = [c for c in comparisons if c.dataset == dataset]
    groups = []
    for family in frames.families():
        lines = [_line(c, frames.arms[c.arm].treatment) for c in found if frames.arms[c.arm].family == family]
        if lines:
            groups.append(ForestGroup(family, tuple(lines)))
    points = [abs(v) for c in found for v in (*c.per_seed, c.mean) if np.isfinite(v)]
    ends = sorted(max(abs(c.low), abs(c.high)) for c in found if np.isfinite(c.low))
    reach = max([0.05, *(1.25 * p for p in points)])
    if ends:
        reach = max(reach, min(1.05 * ends[-1], 4 * reach))
    bases = {frames.arms[c.versus].treatment for c in found}
    return ForestInfo(tuple(groups), reach, bases.pop() if len(bases) == 1 else "the base arm")


def _line(c: Comparison, treatment: str) -> ForestLine:
    if not c.seeds:
        text = "no data yet"
    elif len(c.seeds) == 1:
        text = f"{number(c.mean, signed=True)}  one seed"
    else:
        text = f"{number(c.mean, signed=True)}  {interval(c.low, c.high, signed=True)}"
    return ForestLine(treatment, treatment, c.mean, c.low, c.high, c.per_seed, c.decided, text)


def draw_forest(info: ForestInfo, table: dict[str, Look]) -> Figure:
    """Filled markers are decided differences, open ones undecided; small ticks are the single seeds."""
    rows = sum(len(g.lines) + (1 if g.family else 0) for g in info.groups) + 0.4 * len(info.groups)
    with style():
        figure = Figure(figsize=(0.82 * WIDTH, max(1.3, 0.235 * rows + 0.75)), layout="constrained")
        ax = figure.subplots()
        y = 0.0
        for group in info.groups:
            if group.family:
                ax.text(
                    -0.005,
                    y,
                    group.family,
                    transform=_left(ax),
                    ha="right",
                    va="center",
                    fontweight="bold",
                    fontsize=8.5,
                )
                y += 1
            for line in group.lines:
                _draw_line(ax, y, line, table[line.treatment], info.span)
                y += 1
            y += 0.4
        ax.axvline(0, color=INK, linewidth=0.9, zorder=1)
        ax.set(xlim=(-info.span, info.span), ylim=(y - 0.7, -0.8), yticks=[])
        ax.spines["left"].set_visible(False)
        ax.grid(True, axis="x")
        ax.set_xlabel(f"PSNR minus that of {info.base}, dB   ({MINUS} worse, + better)")
    return figure


def _draw_line(ax: Axes, y: float, line: ForestLine, look: Look, span: float) -> None:
    ax.text(-0.018, y, line.label, transform=_left(ax), ha="right", va="center", fontsize=8.5, color=INK)
    ax.text(
        1.01,
        y,
        line.text,
        transform=_left(ax),
        ha="left",
        va="center",
        fontsize=8,
        color=INK if line.decided else MUTED,
    )
    ax.axhline(y, color=FAINT, linewidth=0.6, zorder=0)
    if np.isfinite(line.low):
        low, high = max(line.low, -span), min(line.high, span)
        ax.plot([low, high], [y, y], color=look.colour, linewidth=1.6, zorder=2)
        for end, limit, marker in ((line.low, -span, "<"), (line.high, span, ">")):
            if abs(end) > span:
                ax.plot([limit], [y], marker=marker, color=look.colour, markersize=4.5, clip_on=False, zorder=3)
    ax.plot(
        line.per_seed, [y] * len(line.per_seed), "|", color=look.colour, markersize=6, markeredgewidth=0.9, zorder=2
    )
    if np.isfinite(line.mean):
        face = look.colour if line.decided else "white"
        ax.plot(
            [line.mean],
            [y],
            marker="o",
            color=look.colour,
            markerfacecolor=face,
            markersize=5.5,
            markeredgewidth=1.4,
            zorder=4,
        )


def _left(ax: Axes) -> Transform:
    """x in parts of the axes, y in data."""
    return blended_transform_factory(ax.transAxes, ax.transData)
