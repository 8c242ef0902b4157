"""The gap between training and validation against the size of the training set."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from analysis.figures.style import INK, Look, Mark, draw_seeds, gap_text, head, legend, panels, style
from analysis.frames import Arm, StudyFrames
from analysis.frames.measures import LeftOut, facts, overfitting_cells, without_block_averages
from analysis.numbers import number, percent


class GapLine(NamedTuple):
    """One kind of network over training sizes: part of the training blocks, gap of every seed in dB."""

    series: str
    treatment: str
    fractions: tuple[float, ...]
    per_seed: tuple[tuple[float, ...], ...]


class GapPanel(NamedTuple):
    """All lines of one setting."""

    setting: str
    lines: tuple[GapLine, ...]


class GapInfo(NamedTuple):
    """`sizes`: (fraction, number of training blocks), rising, nan where that is unknown or not the same for all arms; fewer than
    two mean there is nothing to draw.

    `left_out`: arms that lack ratios of others in their setting, and why.
    """

    panels: tuple[GapPanel, ...]
    sizes: tuple[tuple[float, float], ...]
    left_out: LeftOut = ()


def gap_info(frames: StudyFrames) -> GapInfo:
    """Gain on training blocks minus gain on validation blocks, at the best checkpoint, for every arm and seed."""
    cells = overfitting_cells(frames)
    lacking = without_block_averages(frames)
    arms = [a for a in frames.arms.values() if a.name not in lacking]
    found = []
    for setting in dict.fromkeys(a.setting for a in arms):
        here = [a for a in arms if a.setting == setting]
        lines = [
            _line([a for a in here if a.series == series], cells) for series in dict.fromkeys(a.series for a in here)
        ]
        found.append(GapPanel(setting, tuple(line for line in lines if line.fractions)))
    blocks = facts(frames, "blocks")
    counts: dict[float, set[float]] = {a.fraction: set() for a in arms}
    for arm in arms:
        counts[arm.fraction] |= {blocks[arm.name]} if np.isfinite(blocks[arm.name]) else set()
    sizes = [(f, own.pop() if len(own) == 1 else float("nan")) for f, own in sorted(counts.items())]
    return GapInfo(tuple(found), tuple(sizes), tuple(lacking.items()))


def _line(members: list[Arm], cells: pd.DataFrame) -> GapLine:
    rising = sorted(members, key=lambda a: a.fraction)
    gaps = [(a.fraction, tuple(float(v) for v in cells.loc[cells["arm"] == a.name, "gap"])) for a in rising]
    known = [(f, g) for f, g in gaps if g and np.isfinite(g).all()]
    return GapLine(members[0].series, members[0].treatment, tuple(f for f, _ in known), tuple(g for _, g in known))


def draw_gap(info: GapInfo, table: dict[str, Look]) -> Figure:
    """Lines are means over seeds, small dashes single seeds; series stand side by side at each size."""
    sizes = [f for f, _ in info.sizes]
    reach = min(
        [1.2, *((b / a) ** 0.35 for a, b in pairwise(sizes))]
    )  # markers stay by their own size, and inside the axis
    with style():
        figure, axes = panels(max(len(info.panels), 1), 2.6)
        for ax, panel in zip(axes, info.panels, strict=False):
            head(ax, panel.setting)
            aside = min(1.03, reach ** (1 / max(len(panel.lines) - 1, 1)))
            for place, line in enumerate(panel.lines):
                look = table[line.treatment]
                shift = aside ** (2 * place - len(panel.lines) + 1)
                x = [f * shift for f in line.fractions]
                seeds = [Mark(at, v, look) for at, values in zip(x, line.per_seed, strict=True) for v in values]
                draw_seeds(ax, seeds, 6)
                means = [float(np.mean(v)) for v in line.per_seed]
                ax.plot(
                    x,
                    means,
                    color=look.colour,
                    linestyle=look.line,
                    marker=look.marker,
                    linewidth=1.3,
                    markersize=5.5,
                    markeredgecolor="white",
                )
            if not panel.lines:
                gap_text(ax, "no complete seed yet")
            ax.set_xscale("log")
            ax.set_xlim(info.sizes[0][0] / 1.4, info.sizes[-1][0] * 1.4)
            ax.set_xticks([f for f, _ in info.sizes], [_size(f, b) for f, b in info.sizes])
            ax.xaxis.set_minor_locator(NullLocator())
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.axhline(0, color=INK, linewidth=0.7)
            ax.set_xlabel("training set")
        axes[0].set_ylabel("gap of gains,\ntrain − validation, dB")
        legend(figure, [t for t in table if any(v.treatment == t for p in info.panels for v in p.lines)], table)
    return figure


def _size(fraction: float, blocks: float) -> str:
    return percent(fraction) + (f"\n{number(blocks, 0)} blocks" if blocks == blocks else "")
