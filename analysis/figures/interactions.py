"""Two factors at once: does what one of them does depend on the other?"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.style import DASHES, MARKERS, SEQUENCE, Look, panels, style
from analysis.frames import Arm, StudyFrames
from analysis.frames.measures import AVERAGE
from analysis.statistics.paired import Images

MOST_PAIRS = 8
MOST_LINES = len(SEQUENCE)


class InteractionLine(NamedTuple):
    """One level of the second factor: mean, smallest and largest seed in dB at every level of the first."""

    level: str
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


class InteractionPanel(NamedTuple):
    """Two crossed factors; `levels` are those of the first, left to right."""

    across: str
    levels: tuple[str, ...]
    by: str
    lines: tuple[InteractionLine, ...]


class InteractionsInfo(NamedTuple):
    """All pairs of crossed factors, at most `MOST_PAIRS`; `seeds` are those that all arms have."""

    dataset: str
    seeds: tuple[int, ...]
    panels: tuple[InteractionPanel, ...]


def interactions_info(images: Images, dataset: str) -> InteractionsInfo:
    """Pairs of factors whose levels occur in every combination, each with the same levels of all other factors and with the same
    ratios: averages over others would be compared.

    Values are means of test PSNR over arms, for the seeds that all arms have complete: what is
    missing favours no combination.
    """
    frames = images.frames
    cells = images.cells
    cells = cells[(cells["dataset"] == dataset) & (cells["metric"] == "psnr") & (cells["at"] == AVERAGE)]
    table = cells.pivot_table(index="seed", columns="arm", values="value").reindex(columns=list(frames.arms)).dropna()
    found = []
    if len(table):
        for one, other in combinations(_factors(frames), 2):
            if (panel := _panel(list(frames.arms.values()), one, other, table)) is not None:
                found.append(panel)
    return InteractionsInfo(frames.data_set(dataset), tuple(int(s) for s in table.index), tuple(found[:MOST_PAIRS]))


def _factors(frames: StudyFrames) -> list[str]:
    names = dict.fromkeys(name for a in frames.arms.values() for name in a.factors)
    return [n for n in names if len({a.factors.get(n) for a in frames.arms.values()}) > 1]


def _panel(arms: list[Arm], one: str, other: str, table: pd.DataFrame) -> InteractionPanel | None:
    if any(one not in a.factors or other not in a.factors for a in arms):
        return None
    levels = {f: list(dict.fromkeys(a.factors[f] for a in arms)) for f in (one, other)}
    across, by = (one, other) if len(levels[one]) >= len(levels[other]) else (other, one)
    if len(levels[by]) > MOST_LINES:
        return None
    cells = {
        (a, b): [m for m in arms if (m.factors[across], m.factors[by]) == (a, b)]
        for a in levels[across]
        for b in levels[by]
    }
    rests = {frozenset(_rest(m, (one, other)) for m in members) for members in cells.values()}
    if len(rests) > 1 or any(len(members) != len(next(iter(rests))) for members in cells.values()):
        return None
    lines = []
    for b in levels[by]:
        seeds = [table[[m.name for m in cells[a, b]]].mean(axis=1) for a in levels[across]]
        mean, low, high = (tuple(float(getattr(s, how)()) for s in seeds) for how in ("mean", "min", "max"))
        lines.append(InteractionLine(b, mean, low, high))
    return InteractionPanel(across, tuple(levels[across]), by, tuple(lines))


def _rest(arm: Arm, without: tuple[str, str]) -> tuple[object, ...]:
    return arm.ratios, *sorted((k, v) for k, v in arm.factors.items() if k not in without)


def draw_interactions(info: InteractionsInfo, table: dict[str, Look]) -> Figure:
    """A panel per pair of factors; bars run from the smallest to the largest seed. Levels that are treatments keep their look."""
    upright = any(_turn(panel.levels) == 90 for panel in info.panels)
    with style():
        figure, axes = panels(len(info.panels), 4.6 if upright else 3.1, share_x=False, columns=2)
        for ax, panel in zip(axes, info.panels, strict=True):
            for place, line in enumerate(panel.lines):
                _draw_line(ax, line, _look(line.level, place, len(panel.lines), table), place, len(panel.lines))
            ax.set_title(f"{panel.across} × {panel.by}")
            turn = _turn(panel.levels)
            names = [_short(level, 1 if len(panel.levels) > 14 else 2) if turn else level for level in panel.levels]
            ax.set_xticks(range(len(names)), names, rotation=turn, ha="right" if turn == 20 else "center")
            ax.margins(x=0.12)
            ax.set_xlabel(panel.across)
            ax.legend(
                title=panel.by,
                alignment="left",
                title_fontsize=8,
                fontsize=8,
                loc="best",
                frameon=True,
                framealpha=0.85,
                edgecolor="none",
            )
        axes[0].set_ylabel(f"PSNR on {info.dataset}, dB")
    return figure


def _turn(levels: Sequence[str]) -> int:
    """Degrees by which the names of levels are turned, so that none lies over another: many long ones stand upright."""
    if sum(map(len, levels)) <= 44:
        return 0
    return 20 if len(levels) <= 6 else 90


def _short(level: str, lines: int) -> str:
    """A name in one or two short lines; of a longer one the middle is left to the tables: names often differ at their ends."""
    found = textwrap.wrap(level, 26)
    if len(found) <= lines:
        return "\n".join(found)
    if lines == 1:
        return f"{level[:12].rstrip()}…{level[-13:].lstrip()}"
    return f"{found[0]}\n…{level[-25:].partition(' ')[2] or level[-25:]}"


def _look(level: str, place: int, count: int, table: dict[str, Look]) -> Look:
    if level in table:
        return table[level]
    colour = SEQUENCE[round(place * (len(SEQUENCE) - 1) / max(count - 1, 1))]
    return Look(colour, MARKERS[place % len(MARKERS)], DASHES[place % len(DASHES)])


def _draw_line(ax: Axes, line: InteractionLine, look: Look, place: int, count: int) -> None:
    x = np.arange(len(line.mean)) + 0.16 * ((place + 0.5) / count - 0.5)
    ax.vlines(x, line.low, line.high, color=look.colour, linewidth=1.2, alpha=0.7)
    ax.plot(
        x,
        line.mean,
        color=look.colour,
        linestyle=look.line,
        marker=look.marker,
        markersize=5,
        linewidth=1.3,
        label=line.level,
    )
