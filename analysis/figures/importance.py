"""Which parameters of a search mattered, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from analysis.figures.style import HUES, INK, WIDTH, style
from analysis.numbers import NBSP, number
from analysis.statistics.importance import Importance


class ImportanceBar(NamedTuple):
    """A parameter: its share in percent, and the smallest and largest one without a tenth of the trials."""

    parameter: str
    share: float
    low: float
    high: float


class ImportanceInfo(NamedTuple):
    """Bars from the most to the least important."""

    bars: tuple[ImportanceBar, ...]


def importance_info(found: Sequence[Importance]) -> ImportanceInfo:
    """Shares of importance in percent."""
    return ImportanceInfo(tuple(ImportanceBar(i.parameter, 100 * i.share, 100 * i.low, 100 * i.high) for i in found))


def draw_importance(info: ImportanceInfo) -> Figure:
    """A bar is the share, the line across its end the range, the number that of the bar."""
    rows = range(len(info.bars))
    with style():
        figure = Figure(figsize=(0.7 * WIDTH, 0.7 + 0.27 * len(rows)), layout="constrained")
        ax = figure.subplots()
        ax.barh(rows, [b.share for b in info.bars], height=0.62, color=HUES[0], alpha=0.55)
        ax.hlines(rows, [b.low for b in info.bars], [b.high for b in info.bars], color=INK, linewidth=1.3)
        for row, bar in zip(rows, info.bars, strict=True):
            text = f"{number(bar.share, 0)}{NBSP}%"
            ax.annotate(text, (bar.high, row), (5, 0), textcoords="offset points", va="center", fontsize=8)
        ax.set_yticks(rows, [b.parameter for b in info.bars])
        ax.set(xlim=(0, 1.12 * max(b.high for b in info.bars)), ylim=(len(rows) - 0.4, -0.6))
        ax.grid(False, axis="y")
        ax.set_xlabel("share of the importance of all parameters, %")
    return figure
