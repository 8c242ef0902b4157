"""Quality of one set of weights against the number of stage applications at test time."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures.style import Look, gap_text, head, legend, panels, style
from analysis.frames import StudyFrames
from analysis.frames.measures import LeftOut, recursion_cells, swept_arms, without_averages

MOST_TICKS = 10
"""Counts up to which each has its tick."""


class SweepLine(NamedTuple):
    """Mean, smallest and largest seed in dB for every count; `own` is the count the arm is meant to be tested with."""

    treatment: str
    counts: tuple[int, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    own: int


class SweepPanel(NamedTuple):
    """The swept arms of one family."""

    family: str
    lines: tuple[SweepLine, ...]


class SweepInfo(NamedTuple):
    """Families with swept arms, on one test set; `left_out`: arms that lack ratios of their family's, and why."""

    dataset: str
    panels: tuple[SweepPanel, ...]
    left_out: LeftOut = ()


def sweep_info(frames: StudyFrames, dataset: str) -> SweepInfo:
    """Arms tested with more than one count; no panel if there are none."""
    cells = recursion_cells(frames)
    cells = cells[(cells["dataset"] == dataset) & (cells["metric"] == "psnr")]
    lacking = without_averages(frames)
    swept = set(swept_arms(cells)) - set(lacking)
    found = []
    for family in frames.families():
        lines = []
        for arm in frames.members(family):
            if arm.name in swept:
                values = cells[cells["arm"] == arm.name].groupby("recursions")["value"]
                mean, low, high = (
                    tuple(float(v) for v in side)
                    for side in (values.mean(skipna=False), values.min(skipna=False), values.max(skipna=False))
                )
                counts = tuple(int(str(c)) for c in values.groups)
                lines.append(SweepLine(arm.treatment, counts, mean, low, high, arm.evaluations_test))
        if lines:
            found.append(SweepPanel(family, tuple(lines)))
    return SweepInfo(frames.data_set(dataset), tuple(found), tuple(lacking.items()))


def draw_sweep(info: SweepInfo, table: dict[str, Look]) -> Figure:
    """Bands run from the smallest to the largest seed; the large marker is the arm's own count."""
    counts = sorted({count for panel in info.panels for line in panel.lines for count in line.counts})
    with style():
        figure, axes = panels(max(len(info.panels), 1), 2.6)
        for ax, panel in zip(axes, info.panels, strict=False):
            head(ax, panel.family)
            for line in panel.lines:
                look = table[line.treatment]
                ax.fill_between(line.counts, line.low, line.high, color=look.colour, alpha=0.15, linewidth=0)
                ax.plot(
                    line.counts,
                    line.mean,
                    color=look.colour,
                    linestyle=look.line,
                    linewidth=1.3,
                    marker=look.marker,
                    markersize=3,
                )
                if line.own in line.counts:
                    ax.plot(
                        [line.own],
                        [line.mean[line.counts.index(line.own)]],
                        look.marker,
                        color=look.colour,
                        markersize=7,
                        markeredgecolor="white",
                    )
            if len(counts) <= MOST_TICKS:
                ax.set_xticks(counts)
            else:
                ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            ax.set_xlabel("stage applications at test")
        if not info.panels:
            gap_text(axes[0], "no arm was tested with several counts")
        axes[0].set_ylabel(f"PSNR on {info.dataset}, dB")
        legend(figure, [t for t in table if any(v.treatment == t for p in info.panels for v in p.lines)], table)
    return figure
