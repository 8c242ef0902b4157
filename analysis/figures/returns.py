"""What recursions give and cost: quality, or training time, of arms that differ in nothing but their recursions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures.style import MUTED, Look, Mark, draw_means, draw_seeds, head, legend, look, panels, style
from analysis.frames import Arm, StudyFrames
from analysis.frames.measures import AVERAGE, LeftOut, timing_cells, without_averages
from analysis.statistics.paired import Images
from rdun.config import Fixed, TrialConfig, with_values

Values = Mapping[str, tuple[float, ...]]
ASIDE = 0.16
"""Recursions between lines that stand side by side; where they meet they have one marker."""


class ReturnsPoint(NamedTuple):
    """One arm: recursions per layer at test (mean over its layers), and the value of every seed."""

    treatment: str
    recursions: float
    per_seed: tuple[float, ...]


class ReturnsLine(NamedTuple):
    """Arms with rising recursions that are counted in one way in training, and what that way is called."""

    way: str
    points: tuple[ReturnsPoint, ...]


class ReturnsPanel(NamedTuple):
    """The lines of one family."""

    family: str
    lines: tuple[ReturnsLine, ...]


class ReturnsInfo(NamedTuple):
    """`label` names the values and their unit; no panel: no two arms differ in their recursions alone.

    `left_out`: arms whose average is over fewer ratios than their family's, and why.
    """

    label: str
    panels: tuple[ReturnsPanel, ...]
    left_out: LeftOut = ()


def quality_returns(images: Images, dataset: str) -> ReturnsInfo:
    """Mean test PSNR of every complete seed."""
    cells = images.cells
    cells = cells[(cells["dataset"] == dataset) & (cells["metric"] == "psnr") & (cells["at"] == AVERAGE)]
    values = {str(a): tuple(float(v) for v in g["value"]) for a, g in cells.groupby("arm", sort=False)}
    frames = images.frames
    lacking = without_averages(frames)
    info = _info(
        frames, {a: v for a, v in values.items() if a not in lacking}, f"PSNR on {frames.data_set(dataset)}, dB"
    )
    return info._replace(left_out=tuple(lacking.items()))


def time_returns(frames: StudyFrames) -> ReturnsInfo:
    """Seconds of training of every complete seed."""
    cells = timing_cells(frames)
    known = cells.dropna(subset=["train_seconds"]) if "train_seconds" in cells else cells[:0].assign(train_seconds=0.0)
    values = {str(a): tuple(float(v) for v in g["train_seconds"]) for a, g in known.groupby("arm", sort=False)}
    return _info(frames, values, "training time, s")


def _info(frames: StudyFrames, values: Values, label: str) -> ReturnsInfo:
    found = []
    for family in frames.families():
        lines = [ReturnsLine(way, _points(arms, values)) for way, arms in _series(frames.members(family))]
        if lines := [line for line in lines if len({p.recursions for p in line.points}) > 1]:
            found.append(ReturnsPanel(family, tuple(lines)))
    return ReturnsInfo(label, tuple(found))


def _points(arms: list[Arm], values: Values) -> tuple[ReturnsPoint, ...]:
    points = [ReturnsPoint(a.treatment, _recursions(a), values[a.name]) for a in arms if values.get(a.name)]
    return tuple(sorted(points, key=lambda p: p.recursions))


def _recursions(arm: Arm) -> float:
    return float(np.mean([np.mean(c.test_counts) for c in arm.configs]))


def _series(arms: list[Arm]) -> list[tuple[str, list[Arm]]]:
    """Arms that are equal but for their counts and are counted in one way; an arm without recursion joins every way."""
    arms = [a for a in arms if a.configs]
    rests = {a.name: tuple(map(_without_counts, a.configs)) for a in arms}
    ways = {a.name: _way(a.configs[0]) for a in arms}
    keys = dict.fromkeys((rests[name], way) for name, way in ways.items() if way)
    return [(way, [a for a in arms if rests[a.name] == rest and ways[a.name] in (None, way)]) for rest, way in keys]


def _without_counts(config: TrialConfig) -> TrialConfig:
    return with_values(config, {"recursion.train": Fixed(), "recursion.test": None, "recursion.sweep": ()})


def _way(config: TrialConfig) -> str | None:
    """How counts are chosen in training: fixed, or random from a lowest count; None: every layer is applied once."""
    train = config.recursion.train
    if set(config.high_counts) == {1} == set(config.test_counts):
        return None
    return "fixed" if isinstance(train, Fixed) else f"drawn from {', '.join(map(str, train.low))} up"


def draw_returns(info: ReturnsInfo, table: dict[str, Look]) -> Figure:
    """Large markers are means, dashes single seeds; a line joins arms that differ in their recursions alone.

    Lines have a look each and their names, and an arm that they share its own; where two of a panel are counted in one way, all
    arms have their own, and a legend.
    """
    ways = list(dict.fromkeys(line.way for panel in info.panels for line in panel.lines))
    told = all(len({line.way for line in panel.lines}) == len(panel.lines) for panel in info.panels)
    with style():
        figure, axes = panels(max(len(info.panels), 1), 2.5)
        for ax, panel in zip(axes, info.panels, strict=False):
            head(ax, panel.family)
            met = Counter(p.treatment for line in panel.lines for p in line.points)
            for place, line in enumerate(panel.lines):
                alone = [met[p.treatment] == 1 for p in line.points]
                of_line, of_arms = look(ways.index(line.way)), [table[p.treatment] for p in line.points]
                marks = [of_line if told and one else own for one, own in zip(alone, of_arms, strict=True)]
                aside = ASIDE * (place - (len(panel.lines) - 1) / 2)
                places = [p.recursions + aside * one for one, p in zip(alone, line.points, strict=True)]
                _draw_line(ax, line, marks, places)
            if told or len({line.way for line in panel.lines}) > 1:
                _name_lines(ax, panel.lines)
            ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
            ax.set_xlabel("recursions per layer at test")
        axes[0].set_ylabel(info.label)
        shown = {p.treatment for panel in info.panels for line in panel.lines for p in line.points}
        if not told:
            legend(figure, [t for t in table if t in shown], table, line=False)
    return figure


def _draw_line(ax: Axes, line: ReturnsLine, marks: Sequence[Look], places: Sequence[float]) -> None:
    placed = list(zip(places, line.points, marks, strict=True))
    means = [Mark(x, float(np.mean(p.per_seed)), own) for x, p, own in placed]
    ax.plot([m.x for m in means], [m.y for m in means], color=MUTED, linewidth=1.0, zorder=1)
    draw_seeds(ax, [Mark(x, v, own) for x, p, own in placed for v in p.per_seed])
    draw_means(ax, means)


def _name_lines(ax: Axes, lines: Sequence[ReturnsLine]) -> None:
    """How counts were chosen, at the end of each line."""
    for line in lines:
        last = line.points[-1]
        ax.annotate(
            line.way,
            (last.recursions, float(np.mean(last.per_seed))),
            xytext=(12, 0),
            textcoords="offset points",
            va="center",
            color=MUTED,
        )
