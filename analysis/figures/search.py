"""A search in one picture: the Pareto front, or for one objective what was reached trial by trial."""

from __future__ import annotations

from typing import Literal, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures.style import DASHES, HUES, INK, MARKERS, MUTED, PAPER, gap_text, style
from analysis.figures.tradeoff import log_axis
from analysis.frames.search import SearchFrames
from analysis.words.search_words import Quantity, quantity


class SearchPoint(NamedTuple):
    """A complete trial; `best`: no other trial beats it."""

    number: int
    x: float
    y: float
    best: bool


class SearchInfo(NamedTuple):
    """Points of all complete trials and of the baselines; across is None where x is the trial's number.

    Attributes:
        joined: whether the best ones make a line: not with more than two objectives.
        rising: whether larger y, and to_left whether smaller x, is better.
    """

    across: Quantity | None
    up: Quantity
    points: tuple[SearchPoint, ...]
    baselines: tuple[tuple[str, float, float], ...]
    joined: bool
    rising: bool
    to_left: bool


def search_info(frames: SearchFrames) -> SearchInfo:
    """Objective 1 against objective 2, or against the trial's number where there is one objective."""
    record, names = frames.record, frames.quantities
    several = len(names) > 1
    up, across = quantity(names[0]), quantity(names[1]) if several else None
    points = []
    for t in record.trials:
        if t.state == "complete":
            x = t.objectives[1] / across.divisor if across else float(t.number)
            points.append(SearchPoint(t.number, x, t.objectives[0] / up.divisor, t.number in frames.best))
    baselines = []
    for b in frames.baselines:
        y = b.quantities.get(names[0])
        at = b.quantities.get(names[1]) if several else 0.0
        if at is not None and y is not None:
            baselines.append((b.name, at / (across.divisor if across else 1), y / up.divisor))
    directions = [o["direction"] for o in record.objectives]
    to_left = several and directions[1] == "minimize"
    return SearchInfo(
        across, up, tuple(points), tuple(baselines), len(names) <= 2, directions[0] == "maximize", to_left
    )


def draw_search(info: SearchInfo) -> Figure:
    """Dots are trials, numbered where they are best; larger marks or lines are baselines."""
    with style():
        figure = Figure(figsize=(6.6, 3.7), layout="constrained")
        ax = figure.subplots()
        ax.yaxis.set_major_locator(MaxNLocator(5))
        ax.margins(y=0.09)  # the numbers of the best trials stay inside
        best = "Pareto-optimal" if info.across else "best trial"
        for group, colour, size, label in ((False, MUTED, 4.0, "trial"), (True, HUES[0], 6.0, best)):
            found = [p for p in info.points if p.best == group]
            if found:
                ax.plot([p.x for p in found], [p.y for p in found], "o", color=colour, markersize=size, markeredgecolor=PAPER,
                        markeredgewidth=0.6, label=label, zorder=3 if group else 2)  # fmt: skip
        _line(ax, info)
        for i, (name, x, y) in enumerate(info.baselines):
            colour, marker = (INK, *HUES[1:])[i % len(HUES)], MARKERS[1 + i % (len(MARKERS) - 1)]
            if info.across:
                ax.plot(
                    [x],
                    [y],
                    marker,
                    color=colour,
                    markersize=7,
                    markeredgecolor=PAPER,
                    label=name,
                    linestyle="none",
                    zorder=4,
                )
            else:
                ax.axhline(y, color=colour, linewidth=1.1, linestyle=DASHES[1 + i % 2], label=name)
        if not info.points:
            gap_text(ax, "no complete trial yet")
        ax.set_xlabel(_label(info.across) if info.across else "trial")
        ax.set_ylabel(_label(info.up))
        if info.across and not info.across.logarithmic:  # a quality
            ax.xaxis.set_major_locator(MaxNLocator(6))
        elif info.across:
            log_axis([ax], [*(p.x for p in info.points), *(x for _, x, _ in info.baselines)])
        else:
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        _number(ax, info)
        handles, _ = ax.get_legend_handles_labels()
        if handles:
            figure.legend(handles=handles, loc="outside upper left", ncols=min(len(handles), 4), handlelength=1.6)
    return figure


def _number(ax: Axes, info: SearchInfo) -> None:
    """The numbers of the best trials, on the side on which no better one lies; of those that nearly touch, at one place."""
    apart = 0.03 * ax.bbox.width, 0.05 * ax.bbox.height
    groups: list[list[SearchPoint]] = []
    for point in sorted((p for p in info.points if p.best), key=lambda p: (p.x, p.y)):
        x, y = ax.transData.transform((point.x, point.y))
        if groups:
            near_x, near_y = ax.transData.transform((groups[-1][-1].x, groups[-1][-1].y))
            if abs(x - near_x) < apart[0] and abs(y - near_y) < apart[1]:
                groups[-1].append(point)
                continue
        groups.append([point])
    left, up = (-1 if info.to_left else 1), (1 if info.rising else -1)
    for group in groups:
        at = group[0 if info.to_left else -1]
        ax.annotate(
            ", ".join(str(p.number) for p in group),
            (at.x, at.y),
            (4 * left, 4 * up),
            textcoords="offset points",
            fontsize=7.5,
            color=HUES[0],
            ha="right" if info.to_left else "left",
            va="bottom" if info.rising else "top",
        )


def _line(ax: Axes, info: SearchInfo) -> None:
    """The front as steps, or the best value so far."""
    if info.across is None:
        pick, so_far = (max if info.rising else min), list[float]()
        ordered = sorted(info.points, key=lambda p: p.number)
        for p in ordered:
            so_far.append(pick([*so_far[-1:], p.y]))
        if so_far:
            ax.step(
                [p.x for p in ordered],
                so_far,
                where="post",
                color=HUES[0],
                linewidth=1.1,
                label="best so far",
                zorder=1,
            )
        return
    front = sorted({(p.x, p.y) for p in info.points if p.best})
    if info.joined and len(front) > 1:
        where: Literal["post", "pre"] = "post" if info.to_left else "pre"
        ax.step(*zip(*front, strict=True), where=where, color=HUES[0], linewidth=0.9, linestyle=DASHES[1], zorder=1)


def _label(known: Quantity) -> str:
    return known.name + (f", {known.unit}" if known.unit else "")
