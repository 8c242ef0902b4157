"""Inside one reconstruction: quality, data residual and modulation after every stage application."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from analysis.figures.style import PAPER, SEQUENCE, WIDTH, gap_text, style
from analysis.frames import StudyFrames
from analysis.frames.measures import LeftOut, of_whole_cells, without_averages

COLUMNS = 5
"""Most arms side by side in one figure."""
MEASURES = {"psnr": "PSNR, dB", "residual": "residual ‖Ax − y‖ / ‖y‖", "scale_max": "largest |scale|"}


class TraceLine(NamedTuple):
    """Means after t = 0, 1, ..., `total` stage applications, by measure; nan where there is none."""

    total: int
    values: dict[str, tuple[float, ...]]


class TracePanel(NamedTuple):
    """One arm; `own` is the number of stage applications it is meant to be tested with."""

    treatment: str
    own: int
    lines: tuple[TraceLine, ...]


class TracesInfo(NamedTuple):
    """Arms of one family on one test set; all counts that any arm of the study was tested with.

    Attributes:
        of_family: the panels of all figures of the family: their axes are the same.
        across: places for panels side by side, the same in all figures of a test set, so that all panels have one size.
        left_out: arms of the family that lack ratios of the others, and why.
    """

    family: str
    dataset: str
    counts: tuple[int, ...]
    panels: tuple[TracePanel, ...]
    of_family: tuple[TracePanel, ...]
    across: int
    left_out: LeftOut = ()

    @property
    def modulated(self) -> bool:
        """Whether any arm has modulation scales."""
        return any(np.isfinite(line.values["scale_max"]).any() for p in self.panels for line in p.lines)


def traces_infos(frames: StudyFrames, dataset: str) -> list[TracesInfo]:
    """Traces averaged over images, ratios, matrices and seeds; families with many arms are cut into figures of about equally
    many."""
    name = frames.data_set(dataset)
    rows = of_whole_cells(frames, frames.traces[frames.traces["dataset"] == name])
    if rows.empty:
        return []
    by = ["arm", "recursions", "application"]
    means = rows.groupby(by, observed=True)[list(MEASURES)].mean(skipna=False).reset_index().astype({"arm": object})
    counts = tuple(sorted({int(c) for c in means["recursions"]}))
    found: list[TracesInfo] = []
    lacking = without_averages(frames)
    for family in frames.families():
        members = frames.members(family)
        panels = tuple(
            TracePanel(arm.treatment, arm.evaluations_test, _lines(means[means["arm"] == arm.name]))
            for arm in members
            if arm.name not in lacking
        )
        panels = tuple(p for p in panels if p.lines)
        left_out = tuple((arm.name, lacking[arm.name]) for arm in members if arm.name in lacking)
        found += [TracesInfo(family, name, counts, cut, panels, len(cut), left_out) for cut in _cut(panels)]
    across = max((info.across for info in found), default=0)
    return [info._replace(across=max(across, 2)) for info in found]


def _cut(panels: tuple[TracePanel, ...]) -> list[tuple[TracePanel, ...]]:
    """As few figures as possible, with about equally many panels."""
    pieces = -(-len(panels) // COLUMNS)
    size = -(-len(panels) // max(pieces, 1))
    return [panels[i * size : (i + 1) * size] for i in range(pieces)]


def _lines(means: pd.DataFrame) -> tuple[TraceLine, ...]:
    return tuple(
        TraceLine(int(str(count)), {m: tuple(float(v) for v in own.sort_values("application")[m]) for m in MEASURES})
        for count, own in means.groupby("recursions")
    )


def draw_traces(info: TracesInfo) -> Figure:
    """Columns are arms; rows are PSNR, residual and largest modulation scale; colours are the number of applications."""
    measures = [m for m in MEASURES if m != "scale_max" or info.modulated]
    across = info.across
    with style():
        figure = Figure(figsize=(WIDTH, 0.5 + 1.75 * len(measures)), layout="constrained")
        grid = figure.subplots(len(measures), across, sharex=True, sharey="row", squeeze=False)
        for row, measure in enumerate(measures):
            low, high = _limits(info.of_family, measure)
            for ax, panel in zip(grid[row], info.panels, strict=False):
                _draw_panel(ax, panel, measure, info.counts, low)
            if measure != "psnr":
                _logarithmic(grid[row, 0])
            grid[row, 0].set_ylim(low, high)
            grid[row, 0].set_ylabel(MEASURES[measure])
        longest = max(line.total for panel in info.of_family for line in panel.lines)
        grid[0, 0].set_xlim(-0.05 * longest, 1.1 * longest)
        for column, panel in enumerate(info.panels):
            grid[0, column].set_title(textwrap.fill(panel.treatment, 88 // across))
            grid[-1, column].set_xlabel("stage application t")
            grid[-1, column].xaxis.set_major_locator(MaxNLocator(5, integer=True))
        for spare in grid[:, len(info.panels) :].flat:
            spare.set_axis_off()
    return figure


def _draw_panel(ax: Axes, panel: TracePanel, measure: str, counts: Sequence[int], floor: float) -> None:
    """Every line ends in a dot with its number of applications; the arm's own is thick, its dot large."""
    if not any(np.isfinite(line.values[measure]).any() for line in panel.lines):
        gap_text(ax, "no modulation")
        return
    for line in panel.lines:
        own, colour = line.total == panel.own, _colour(line.total, counts)
        values = np.array(line.values[measure])
        if measure != "psnr" and values[0] < floor:
            values[0] = np.nan  # an initial estimate that explains the measurements exactly
        ax.plot(np.arange(len(values)), values, color=colour, linewidth=2.2 if own else 1.1, zorder=3 if own else 2)
        if np.isfinite(values[-1]):
            size = 6 if own else 3.5
            ax.plot(line.total, values[-1], "o", color=colour, markersize=size, markeredgecolor=PAPER, zorder=4)
            _label(ax, line.total, values, colour, bold=own)


def _label(ax: Axes, count: int, values: NDArray[np.float64], colour: str, *, bold: bool) -> None:
    """Above the end of a line that rises, beside the end of one that falls."""
    falls = len(values) > 1 and values[-1] < values[-2]
    ax.annotate(
        str(count),
        (count, float(values[-1])),
        xytext=(3, 3) if falls else (0, 5),
        textcoords="offset points",
        ha="left" if falls else "center",
        va="bottom",
        fontsize=7.5,
        fontweight="bold" if bold else "normal",
        color=colour,
        annotation_clip=True,
    )


def _colour(count: int, counts: Sequence[int]) -> str:
    """Dark for few applications, light for many."""
    place = counts.index(count) / max(len(counts) - 1, 1)
    return SEQUENCE[round(place * (len(SEQUENCE) - 1))]


def _limits(panels: Sequence[TracePanel], measure: str) -> tuple[float, float]:
    """PSNR: down to the initial estimate and the arms' own lines. Others, logarithmic: from the smallest value after t = 0."""
    values = [(line.values[measure], line.total == p.own) for p in panels for line in p.lines]
    if measure == "psnr":
        low = min(_finite([v for line, own in values for v in (line if own else line[:1])]), default=0.0)
        high = max(_finite([v for line, _ in values for v in line]), default=1.0)
        span = high - low + 0.1
        return low - 0.08 * span, high + 0.16 * span
    later = [v for v in _finite([v for line, _ in values for v in line[1:]]) if v > 0] or [1.0]
    span = max(later) / min(later) * 1.2
    return min(later) / span**0.08, max(later) * span**0.2


def _finite(values: Sequence[float]) -> list[float]:
    return [v for v in values if np.isfinite(v)]


def _logarithmic(ax: Axes) -> None:
    """A logarithmic axis with plain numbers at 1, 2 and 5 times powers of ten."""
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=6))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
