"""The picture of results/growth.csv: CPU seconds against size on log-log axes, each line with its slope."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from analysis.figures.output import save_figure
from analysis.figures.style import FAINT, HUES, MARKERS, head, panels, style

TITLES = {"trials": "Studies", "pixels": "Reconstruction", "recursions per stage": "Training"}
"""Of a panel, by the unit of its sizes."""
LABEL = 0.5
"""Decades of seconds that a label of two lines takes."""


class GrowthLine(NamedTuple):
    """One thing that was measured; `slope` is that of the upper half."""

    what: str
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    slope: str


class GrowthPanel(NamedTuple):
    """All lines whose sizes have one unit."""

    unit: str
    lines: tuple[GrowthLine, ...]


def growth_info(file: Path) -> tuple[GrowthPanel, ...]:
    """What `benchmarks/growth.py` measured."""
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = []
    for unit in dict.fromkeys(row["unit"] for row in rows):
        lines = []
        for what in dict.fromkeys(row["what"] for row in rows if row["unit"] == unit):
            own = [row for row in rows if row["what"] == what]
            sizes, seconds = tuple(int(row["size"]) for row in own), tuple(float(row["cpu_seconds"]) for row in own)
            lines.append(GrowthLine(what, sizes, seconds, f"{float(own[0]['upper_slope']):.2f}"))
        found.append(GrowthPanel(unit, tuple(lines)))
    return tuple(found)


def draw_growth(info: Sequence[GrowthPanel]) -> Figure:
    """A panel per unit, all with the same seconds; grey lines have slope 1."""
    every = [second for panel in info for line in panel.lines for second in line.seconds]
    low, high = min(every) / 2, max(every) * 2
    with style():
        figure, axes = panels(len(info), 3.1, share_x=False)
        for ax, panel in zip(axes, info, strict=True):
            head(ax, TITLES[panel.unit])
            _draw_panel(ax, panel, low, high)
        axes[0].set_ylabel("CPU seconds")
        axes[0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    return figure


def write_figure(file: Path, folder: Path) -> None:
    """Draws what `file` holds as growth.svg and growth.png."""
    files = save_figure(draw_growth(growth_info(file)))
    for ending in ("svg", "png"):
        (folder / f"growth.{ending}").write_bytes(files[ending])


def _draw_panel(ax: Axes, panel: GrowthPanel, low: float, high: float) -> None:
    sizes = sorted({size for line in panel.lines for size in line.sizes})
    left, right = sizes[0] / 1.4, sizes[-1] * 1.4
    ax.grid(False)
    ax.set(xscale="log", yscale="log", xlim=(left, right), ylim=(low, high), xlabel=panel.unit)
    for second in 10.0 ** np.arange(math.floor(math.log10(low * left / right)), math.log10(high)):
        ax.plot([left, right], [second, second * right / left], color=FAINT, linewidth=0.7, zorder=0)
    for line, colour, marker in zip(panel.lines, HUES, MARKERS, strict=False):
        ax.plot(
            line.sizes, line.seconds, color=colour, marker=marker, markersize=5, linewidth=1.4, markeredgecolor="white"
        )
    ends = _apart([math.log10(line.seconds[-1]) for line in panel.lines])
    for line, colour, end in zip(panel.lines, HUES, ends, strict=False):
        ax.annotate(
            f"{line.what}\nslope {line.slope}",
            (1.03, 10**end),
            xycoords=("axes fraction", "data"),
            va="center",
            color=colour,
        )
    shown = sizes if len(sizes) <= 5 else [size for size in sizes if math.log10(size).is_integer()]
    ax.set_xticks(shown, [f"{math.isqrt(s)}²" if panel.unit == "pixels" else f"{s:,}" for s in shown])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_minor_locator(NullLocator())


def _apart(heights: Sequence[float]) -> list[float]:
    """Heights in decades, moved as little as keeps labels off one another."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    moved = list(heights)
    for below, above in pairwise(order):
        moved[above] = max(moved[above], moved[below] + LABEL)
    middle = sum(heights) - sum(moved)
    return [height + middle / len(heights) for height in moved]
