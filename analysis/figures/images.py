"""Differences image by image: is a mean difference carried by all pictures or by a few?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.style import FAINT, INK, Look, Mark, draw_means, gap_text, head, legend, panels, style
from analysis.frames import StudyFrames
from analysis.statistics import Comparison
from rdun.results import picture_names

FEW = 16
"""Up to so many images are named one by one; more are sorted by their difference."""


class ImagesLine(NamedTuple):
    """Differences of one arm to its base in dB: mean, smallest and largest seed of every image in `ImagesInfo.images`."""

    treatment: str
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


class ImagesPanel(NamedTuple):
    """All arms of one family that have a base."""

    family: str
    lines: tuple[ImagesLine, ...]


class ImagesInfo(NamedTuple):
    """`images`: names, in the order of all lines' values."""

    dataset: str
    images: tuple[str, ...]
    panels: tuple[ImagesPanel, ...]

    @property
    def few(self) -> bool:
        """Whether images are shown one by one."""
        return len(self.images) <= FEW


def images_info(frames: StudyFrames, comparisons: Sequence[Comparison], dataset: str) -> ImagesInfo:
    """PSNR differences of every image, averaged over ratios; images in the order of their mean difference over all arms."""
    tables = {c.arm: c.differences for c in comparisons if c.dataset == dataset and c.seeds}
    names = sorted({str(n) for t in tables.values() for n in t.columns})
    means = pd.DataFrame({arm: t.mean() for arm, t in tables.items()}).mean(axis=1)
    order = sorted(names, key=lambda n: float(means[n]))
    found = []
    for family in frames.families():
        members = [a for a in frames.members(family) if a.compare_to]
        lines = [_line(a.treatment, tables[a.name].reindex(columns=order)) for a in members if a.name in tables]
        if members:
            found.append(ImagesPanel(family, tuple(lines)))
    return ImagesInfo(dataset, tuple(order), tuple(found))


def _line(treatment: str, table: pd.DataFrame) -> ImagesLine:
    mean, low, high = (tuple(float(v) for v in side) for side in (table.mean(), table.min(), table.max()))
    return ImagesLine(treatment, mean, low, high)


def draw_images(info: ImagesInfo, table: dict[str, Look]) -> Figure:
    """Few images: one row each, a marker per arm, a bar from the smallest to the largest seed. Many: sorted curves."""
    few = info.few
    with style():
        rows = max((len(p.lines) for p in info.panels), default=1)
        height = 0.9 + len(info.images) * max(0.22, 0.095 * rows) if few else 2.6
        figure, axes = panels(max(len(info.panels), 1), height)
        for ax, panel in zip(axes, info.panels, strict=False):
            head(ax, panel.family)
            (_draw_few if few else _draw_many)(ax, info, panel, table)
            if not panel.lines:
                gap_text(ax, "no complete pair yet")
        if few:
            axes[0].set_ylim(len(info.images) - 0.5, -0.5)
        else:
            axes[0].set_ylabel("difference of PSNR, dB")
        legend(
            figure,
            [t for t in table if any(v.treatment == t for p in info.panels for v in p.lines)],
            table,
            line=not few,
        )
    return figure


def _draw_few(ax: Axes, info: ImagesInfo, panel: ImagesPanel, table: dict[str, Look]) -> None:
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.grid(False, axis="y")
    for edge in range(1, len(info.images)):
        ax.axhline(edge - 0.5, color=FAINT, linewidth=0.7)
    step = 0.72 / max(len(panel.lines), 1)
    for place, line in enumerate(panel.lines):
        look = table[line.treatment]
        y = np.arange(len(info.images)) + (place - (len(panel.lines) - 1) / 2) * step
        ax.hlines(y, line.low, line.high, color=look.colour, linewidth=1.1, alpha=0.6)
        ax.plot(line.mean, y, look.marker, color=look.colour, markersize=4, linestyle="none")
    called = picture_names(info.images)
    ax.set_yticks(range(len(info.images)), [called[name] for name in info.images])
    ax.set_xlabel("difference of PSNR, dB")


def _draw_many(ax: Axes, info: ImagesInfo, panel: ImagesPanel, table: dict[str, Look]) -> None:
    ax.axhline(0, color=INK, linewidth=0.8)
    share = (np.arange(len(info.images)) + 0.5) / max(len(info.images), 1) * 100
    for line in panel.lines:
        look = table[line.treatment]
        ax.plot(share, sorted(line.mean), color=look.colour, linestyle=look.line, linewidth=1.4)
    draw_means(ax, [Mark(50, float(np.median(line.mean)), table[line.treatment]) for line in panel.lines], 4.5)
    ax.set_xlabel("part of the images, %")
