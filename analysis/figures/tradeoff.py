"""Quality against parameters or compute, with the Pareto front: which network gives most for what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from analysis.figures.style import MUTED, Look, Mark, draw_means, draw_seeds, gap_text, head, legend, panels, style
from analysis.frames.measures import AVERAGE, LeftOut, without_averages
from analysis.statistics.paired import Images

Cost = Literal["parameters", "macs"]
LABELS: dict[Cost, str] = {"parameters": "parameters", "macs": "multiply-accumulates per block"}


class TradeoffPoint(NamedTuple):
    """One arm: its cost, PSNR of every seed in dB and their mean; `front`: no other arm beats it in both."""

    treatment: str
    cost: int
    per_seed: tuple[float, ...]
    mean: float
    front: bool


class TradeoffPanel(NamedTuple):
    """The arms of one family that have a complete seed."""

    family: str
    points: tuple[TradeoffPoint, ...]


class TradeoffInfo(NamedTuple):
    """All families, on one test set; `left_out`: arms whose average is over fewer ratios than their family's, and why."""

    dataset: str
    cost: Cost
    panels: tuple[TradeoffPanel, ...]
    left_out: LeftOut = ()

    @property
    def varies(self) -> bool:
        """Whether any two arms of a family differ in their cost by 5 % or more: else there is no trade-off to be seen."""
        costs = [[p.cost for p in panel.points] for panel in self.panels]
        return any(max(c) >= 1.05 * min(c) and len(set(c)) > 1 for c in costs if c)


def tradeoff_info(images: Images, dataset: str, cost: Cost = "parameters") -> TradeoffInfo:
    """Mean test PSNR (over ratios and images) of each arm against its cost; arms without a complete seed, or tested at
    fewer ratios than others of their family, are left out."""
    frames = images.frames
    cells = images.cells
    cells = cells[(cells["dataset"] == dataset) & (cells["metric"] == "psnr") & (cells["at"] == AVERAGE)]
    by_arm = {str(a): tuple(float(v) for v in g["value"]) for a, g in cells.groupby("arm", sort=False)}
    found = []
    lacking = without_averages(frames)
    for family in frames.families():
        known = [a for a in frames.members(family) if by_arm.get(a.name) and a.name not in lacking]
        costs = {a.name: a.parameters if cost == "parameters" else a.macs for a in known}
        raw = [(costs[a.name], float(np.mean(by_arm[a.name]))) for a in known]
        front = pareto(raw)
        points = [
            TradeoffPoint(a.treatment, p, by_arm[a.name], q, on)
            for a, (p, q), on in zip(known, raw, front, strict=True)
        ]
        found.append(TradeoffPanel(family, tuple(points)))
    return TradeoffInfo(frames.data_set(dataset), cost, tuple(found), tuple(lacking.items()))


def pareto(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Whether no other point is at least as small and at least as good, and better in one of the two."""
    return [not any((a <= p and b >= q) and (a, b) != (p, q) for a, b in points) for p, q in points]


def draw_tradeoff(info: TradeoffInfo, table: dict[str, Look]) -> Figure:
    """Large markers are means, small ones single seeds; the step line is the Pareto front."""
    with style():
        figure, axes = panels(max(len(info.panels), 1), 2.5)
        for ax, panel in zip(axes, info.panels, strict=False):
            head(ax, panel.family)
            _front(ax, panel)
            draw_seeds(ax, [Mark(p.cost, v, table[p.treatment]) for p in panel.points for v in p.per_seed])
            draw_means(ax, [Mark(p.cost, p.mean, table[p.treatment]) for p in panel.points])
            if not panel.points:
                gap_text(ax, "no complete seed yet")
            ax.set_xlabel(LABELS[info.cost])
        axes[0].set_ylabel(f"PSNR on {info.dataset}, dB")
        log_axis(axes, [p.cost for panel in info.panels for p in panel.points])
        legend(
            figure,
            [t for t in table if any(p.treatment == t for g in info.panels for p in g.points)],
            table,
            line=False,
        )
    return figure


def _front(ax: Axes, panel: TradeoffPanel) -> None:
    front = sorted((p.cost, p.mean) for p in panel.points if p.front)
    if len(front) > 1:
        ax.step(*zip(*front, strict=True), where="post", color=MUTED, linewidth=0.9, linestyle=(0, (3, 2)), zorder=1)


def log_axis(axes: list[Axes], values: Sequence[float]) -> None:
    """A logarithmic x axis with room at both ends; linear where a value is not positive."""
    if not values or min(values) <= 0:
        return
    low, high = min(values) / 1.35, max(values) * 1.35
    for ax in axes:
        ax.set_xscale("log")
        ax.set_xlim(low, high)
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 300 else (1,)))
        ax.xaxis.set_major_formatter(
            FuncFormatter(
                lambda v, _: (
                    f"{v / 1e9:g} G"
                    if v >= 1e9
                    else f"{v / 1e6:g} M"
                    if v >= 1e6
                    else f"{v / 1e3:g} k"
                    if v >= 1e3
                    else f"{v:g}"
                )
            )
        )
        ax.xaxis.set_minor_formatter(NullFormatter())
