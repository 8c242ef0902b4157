"""All differences to the base arms with their intervals: the answer as a picture."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Transform, blended_transform_factory

from analysis.figures.style import FAINT, INK, MUTED, PAPER, WIDTH, Look, Mark, draw_seeds, style
from analysis.frames import StudyFrames
from analysis.numbers import MINUS, interval, number
from analysis.statistics import Comparison

LETTERS = 44
"""Most letters of a name in one line."""


class ForestLine(NamedTuple):
    """One comparison; `label` names the base too where there are several, `text` is what stands at the right: the numbers, or why
    there are none."""

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
    bases = {frames.arms[c.versus].treatment for c in found}
    for family in frames.families():
        lines = [_line(frames, c, several=len(bases) > 1) for c in found if frames.arms[c.arm].family == family]
        if lines:
            groups.append(ForestGroup(family, tuple(lines)))
    points = [abs(v) for c in found for v in (*c.per_seed, c.mean) if np.isfinite(v)]
    ends = sorted(max(abs(c.low), abs(c.high)) for c in found if np.isfinite(c.low))
    reach = max([0.05, *(1.25 * p for p in points)])
    if ends:
        reach = max(reach, min(1.05 * ends[-1], 4 * reach))
    return ForestInfo(tuple(groups), reach, bases.pop() if len(bases) == 1 else "the base arm")


def _line(frames: StudyFrames, c: Comparison, *, several: bool) -> ForestLine:
    treatment = frames.arms[c.arm].treatment
    label = treatment + (f" minus {frames.arms[c.versus].treatment}" if several else "")
    if not c.seeds:
        text = f"no data{_why(frames, c)}"
    elif len(c.seeds) == 1:
        text = f"{number(c.mean, signed=True)}  one seed"
    else:
        text = f"{number(c.mean, signed=True)}  {interval(c.low, c.high, signed=True)}"
    return ForestLine(label, treatment, c.mean, c.low, c.high, c.per_seed, c.decided, text)


def _why(frames: StudyFrames, c: Comparison) -> str:
    """What keeps a comparison from having data, in few words: the line has no room for more."""
    if not c.missing:
        return ": not comparable" if c.reason else ""
    ends = [_end(frames, arm, seed) for seed, _ in c.missing for arm in (c.arm, c.versus)]
    pairs = [ours or (base and f"base arm {base}") for ours, base in zip(ends[::2], ends[1::2], strict=True)]
    return f": {', '.join(dict.fromkeys(pairs))}" if all(pairs) else " yet"


def _end(frames: StudyFrames, arm: str, seed: int) -> str:
    """How a cell has ended without scores, if it is not to go on by itself."""
    trials = frames.trials[(frames.trials["arm"] == arm) & (frames.trials["seed"] == seed)]
    for status, reason in zip(trials["status"], trials["reason"], strict=True):
        if status in ("failed", "unreadable"):
            kind = str(reason).partition(":")[0]
            return "diverged" if kind.endswith("Diverged") else str(status)
    return ""


def draw_forest(info: ForestInfo, table: dict[str, Look]) -> Figure:
    """Filled markers are decided differences, open ones undecided; small ticks are the single seeds."""
    heights = [_height(line.label) for g in info.groups for line in g.lines]
    rows = sum(heights) + sum(_height(g.family) + 0.4 if g.family else 0.4 for g in info.groups)
    places: list[tuple[float, ForestLine]] = []
    with style():
        figure = Figure(figsize=(0.82 * WIDTH, max(1.3, 0.235 * rows + 0.75)), layout="constrained")
        ax = figure.subplots()
        y = 0.0
        for group in info.groups:
            if group.family:
                _write(
                    ax, -0.005, y + (_height(group.family) - 1) / 2, _folded(group.family), ha="right", weight="bold"
                )
                y += _height(group.family)
            for line in group.lines:
                places.append((y + (_height(line.label) - 1) / 2, line))
                y += _height(line.label)
            y += 0.4
        for at, line in places:
            _write(ax, -0.018, at, _folded(line.label), ha="right")
            _write(ax, 1.01, at, line.text, ha="left", colour=INK if line.decided else MUTED, size=8)
        _draw_lines(ax, places, table, info.span)
        ax.axvline(0, color=INK, linewidth=0.9, zorder=1)
        ax.set(xlim=(-info.span, info.span), ylim=(y - 0.7, -0.8), yticks=[])
        ax.spines["left"].set_visible(False)
        ax.grid(True, axis="x")
        ax.set_xlabel(textwrap.fill(f"PSNR minus that of {info.base}, dB   ({MINUS} worse, + better)", 76))
    return figure


def _folded(label: str) -> str:
    """A long name in lines that leave the axis its room."""
    return textwrap.fill(label, LETTERS)


def _height(label: str) -> float:
    """Of a label, in lines of the figure."""
    return max(1.0, 0.75 * (_folded(label).count("\n") + 1))


def _write(
    ax: Axes,
    x: float,
    y: float,
    text: str,
    *,
    ha: Literal["left", "right"],
    weight: str = "normal",
    colour: str = INK,
    size: float = 8.5,
) -> None:
    ax.text(x, y, text, transform=_left(ax), ha=ha, va="center", fontweight=weight, fontsize=size, color=colour)


def _draw_lines(ax: Axes, places: Sequence[tuple[float, ForestLine]], table: dict[str, Look], span: float) -> None:
    """Intervals, seeds and means of all lines; few artists, whatever the number of lines."""
    ax.hlines([y for y, _ in places], 0, 1, transform=_left(ax), color=FAINT, linewidth=0.6, zorder=0)
    known = [(y, line, table[line.treatment]) for y, line in places if np.isfinite(line.low)]
    ends = [(max(line.low, -span), min(line.high, span)) for _, line, _ in known]
    rows, colours = [y for y, _, _ in known], [look.colour for _, _, look in known]
    ax.hlines(rows, [low for low, _ in ends], [high for _, high in ends], color=colours, linewidth=1.6, zorder=2)
    for y, line, look in known:
        for end, limit, marker in ((line.low, -span, "<"), (line.high, span, ">")):
            if abs(end) > span:
                ax.plot([limit], [y], marker=marker, color=look.colour, markersize=4.5, clip_on=False, zorder=3)
    draw_seeds(ax, [Mark(v, y, table[line.treatment]) for y, line in places for v in line.per_seed], 6, marker="|")
    means = [(y, line, table[line.treatment].colour) for y, line in places if np.isfinite(line.mean)]
    faces = [colour if line.decided else PAPER for _, line, colour in means]
    edges = [colour for *_, colour in means]
    ax.scatter([line.mean for _, line, _ in means], [y for y, *_ in means], s=5.5**2, c=faces, edgecolors=edges,
               linewidths=1.4, zorder=4)  # fmt: skip


def _left(ax: Axes) -> Transform:
    """x in parts of the axes, y in data."""
    return blended_transform_factory(ax.transAxes, ax.transData)
