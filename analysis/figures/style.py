"""The look of all figures: colours that hold for colour-blind readers and in print, one per treatment, everywhere the same."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from analysis.frames import StudyFrames

INK = "#1d2127"
MUTED = "#5a6370"
FAINT = "#dde1e6"
PAPER = "#ffffff"
HUES = ("#0072b2", "#d55e00", "#009e73", "#b5609a", "#a66f00", "#2a96d4", "#7a5cc7")
"""Okabe and Ito's order, the last ones darkened so that they keep a contrast of 3:1 on white; the first arm is drawn in ink."""
SEQUENCE = ("#471365", "#46327e", "#3d4d8a", "#31668e", "#287c8e", "#20928c", "#22a782")
"""Ordered colours for counts, dark to light: the part of viridis with a contrast of 3:1 on white."""
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "p")
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)))
MOST_NAMED = 40
"""Most names in one legend."""
LETTER, HANDLE = 0.073, 0.5
"""Inches that a letter of a legend takes, and a column beside its letters."""
WIDTH = 9.4
"""Width of a full-width figure in inches."""


class Look(NamedTuple):
    """Colour, marker and line of a treatment."""

    colour: str
    marker: str
    line: Any


def looks(frames: StudyFrames) -> dict[str, Look]:
    """One look per treatment, in the plan's order: the first in ink, the others in `HUES`, then again with other lines."""
    return {t: look(i) for i, t in enumerate(frames.treatments())}


def look(index: int) -> Look:
    """The look of what comes at this place."""
    colours = (INK, *HUES)
    turn, place = divmod(index, len(colours))
    return Look(colours[place], MARKERS[(place + turn) % len(MARKERS)], DASHES[turn % len(DASHES)])


@contextmanager
def style() -> Iterator[None]:
    """seaborn's white style in our inks; no text of a user is read as mathematics; SVGs are the same at every run."""
    base: dict[Any, Any] = sns.axes_style("white") | sns.plotting_context("paper")
    ours: dict[Any, Any] = {
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 8.5,
        "axes.titlesize": 9,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlecolor": INK,
        "axes.titlepad": 7,
        "axes.labelsize": 8.5,
        "axes.labelcolor": MUTED,
        "axes.edgecolor": MUTED,
        "axes.linewidth": 0.7,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.unicode_minus": True,
        "grid.color": FAINT,
        "grid.linewidth": 0.7,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.bottom": True,
        "xtick.major.size": 3,
        "xtick.major.width": 0.7,
        "ytick.major.size": 0,
        "text.color": INK,
        "text.parse_math": False,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "lines.solid_capstyle": "round",
        "figure.facecolor": PAPER,
        "axes.facecolor": "none",
        "savefig.facecolor": PAPER,
        "svg.fonttype": "none",
        "svg.hashsalt": "rdun",
        "pdf.fonttype": 42,
    }
    with mpl.rc_context({**base, **ours}):
        yield


def panels(
    count: int, height: float, *, share_x: bool = True, share_y: bool = True, columns: int = 4
) -> tuple[Figure, list[Axes]]:
    """A full-width figure of small multiples that share their axes; `height` is that of one row in inches."""
    across = min(count, columns) if count != 4 or columns >= 4 else 2
    down = -(-count // across)
    figure = Figure(figsize=(WIDTH if across > 1 else WIDTH * 0.68, height * down + 0.35), layout="constrained")
    grid = figure.subplots(down, across, sharex=share_x, sharey=share_y, squeeze=False)
    axes = list(grid.flat)
    for spare in axes[count:]:
        spare.set_axis_off()
    for ax in axes:
        ax.yaxis.set_major_locator(MaxNLocator(5))
    return figure, axes[:count]


def head(ax: Axes, text: str) -> None:
    """A panel's title, in as many lines as keep it off its neighbour's."""
    grid = ax.get_subplotspec()
    across = grid.get_gridspec().ncols if grid else 1
    ax.set_title(textwrap.fill(text, 96 // across))


def legend(figure: Figure, names: Sequence[str], table: dict[str, Look], *, line: bool = True) -> None:
    """One legend above all panels, in the order of the arms, in as many columns as fit; of very many, the first `MOST_NAMED`.

    Long names are broken into lines; the figure grows by what the legend takes beyond three rows, so that panels keep room.
    """
    width = figure.get_figwidth()
    labels = [textwrap.fill(n, int((width - HANDLE) / LETTER)) for n in names[:MOST_NAMED]]
    handles = [
        Line2D(
            [],
            [],
            color=table[n].colour,
            marker=table[n].marker,
            linestyle=table[n].line if line else "none",
            markersize=4.5,
            label=label,
        )
        for n, label in zip(names, labels, strict=False)
    ]
    if len(names) > MOST_NAMED:
        labels.append(f"and {len(names) - MOST_NAMED} more")
        handles.append(Line2D([], [], linestyle="none", label=labels[-1]))
    if handles:
        columns = _columns(labels, width)
        lines = sum(max(label.count("\n") + 1 for label in row) for row in _rows(labels, columns))
        figure.set_figheight(figure.get_figheight() + 0.17 * max(lines - 3, 0))
        figure.legend(handles=handles, loc="outside upper left", ncols=columns, handlelength=1.8, columnspacing=1.6)


def _columns(labels: Sequence[str], width: float) -> int:
    """Columns of a legend that stay within `width` inches, at most 4; it is filled column by column."""
    for columns in range(min(len(labels), 4), 1, -1):
        parts = np.array_split(np.array([max(map(len, label.split("\n"))) for label in labels]), columns)
        if sum(HANDLE + LETTER * part.max() for part in parts) <= width:
            return columns
    return 1


def _rows(labels: Sequence[str], columns: int) -> list[tuple[str, ...]]:
    """The labels that stand beside each other."""
    rows = -(-len(labels) // columns)
    return [tuple(labels[row::rows]) for row in range(rows)]


class Mark(NamedTuple):
    """A point in data coordinates with the look of its treatment."""

    x: float
    y: float
    look: Look


def draw_means(ax: Axes, marks: Sequence[Mark], size: float = 6.5, *, zorder: float = 3) -> None:
    """Means as markers of `size` points. All of one shape are one artist: large studies have thousands."""
    for marker in dict.fromkeys(m.look.marker for m in marks):
        own = [m for m in marks if m.look.marker == marker]
        colours = [m.look.colour for m in own]
        ax.scatter([m.x for m in own], [m.y for m in own], s=size**2, marker=marker, c=colours, edgecolors=PAPER,
                   linewidths=0.8, zorder=zorder)  # fmt: skip


def draw_seeds(ax: Axes, marks: Sequence[Mark], size: float = 7, *, marker: str = "_", zorder: float = 2) -> None:
    """Single seeds as dashes, all one artist."""
    if marks:
        colours = [m.look.colour for m in marks]
        ax.scatter([m.x for m in marks], [m.y for m in marks], s=size**2, marker=marker, c=colours, linewidths=0.9,
                   alpha=0.75, zorder=zorder)  # fmt: skip


def gap_text(ax: Axes, text: str) -> None:
    """Says in an empty panel why it is empty."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=MUTED, fontsize=8, wrap=True)
