"""Original, initial estimate and reconstructions side by side, with zoomed squares and error maps."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from analysis.figures.pictures import Bytes, Gray, Window, hardest_window, psnr, read_gray
from analysis.figures.style import HUES, MUTED, WIDTH, style
from analysis.frames import StudyFrames
from analysis.frames.measures import INITIAL, gap_reason, network_scores
from analysis.numbers import NBSP, number, percent
from rdun.results import picture_names

ERROR_MAP = "magma"
ACROSS = 8
"""Most pictures side by side."""


class Panel(NamedTuple):
    """One picture: whole, its zoomed square, its absolute error in gray levels; None with a reason where there is none."""

    title: str
    caption: str
    pixels: Gray | None
    error: Gray | None
    reason: str = ""


class ReconstructionsInfo(NamedTuple):
    """Panels of one family, image and seed; `scale` is the gray-level error at the upper end of the error maps, `at` the ratio
    of the pictures: a trial keeps those of its first one."""

    family: str
    dataset: str
    image: str
    seed: int
    window: Window | None
    scale: float
    panels: tuple[Panel, ...]
    at: str = ""


def example_image(frames: StudyFrames, dataset: str) -> str:
    """The image with the median gain over its initial estimate, averaged over all arms and seeds, among those with pictures."""
    pictured = _pictured(frames, dataset)
    if not pictured:
        return ""
    rows = network_scores(frames)
    rows = rows[(rows["dataset"] == dataset) & (rows["metric"] == "psnr")]
    start = frames.scores[(frames.scores["recursions"] == INITIAL) & (frames.scores["dataset"] == dataset)]
    start = start[(start["metric"] == "psnr") & (start["unit"] == "image")]
    gains, called = (_means(rows) - _means(start)).dropna().sort_values(), picture_names(start["image"].unique())
    stems = [called[n] for n in gains.index]
    known = [s for s in stems if s in pictured] or sorted(pictured)
    return known[len(known) // 2] if known else ""


def _means(rows: pd.DataFrame) -> pd.Series:
    return rows.astype({"image": object}).groupby("image")["value"].mean()


def _pictured(frames: StudyFrames, dataset: str) -> set[str]:
    """Names of the pictures (see `picture_names`) whose reconstructions the first trials with pictures have kept."""
    complete, folder = frames.trials[frames.trials["status"] == "complete"], _folder(frames, dataset)
    for fingerprint in complete["fingerprint"]:
        names = frames.store.trial(str(fingerprint)).names(folder)
        if stems := {n.removesuffix("-best.png") for n in names if n.endswith("-best.png")}:
            return stems
    return set()


def reconstructions_info(
    frames: StudyFrames, family: str, dataset: str, stem: str, seed: int | None = None
) -> ReconstructionsInfo:
    """All arms of a family on one image, by default at the study's first seed."""
    seed = frames.plan.seeds[0] if seed is None and frames.plan.seeds else seed or 0
    members = frames.members(family)
    at = percent(members[0].configs[0].task.ratios[0])
    found = {a.name: _read(frames, a.name, seed, dataset, stem, at) for a in members}
    first = next((f for f in found.values() if {"original", "initial"} <= set(f)), {})
    original, initial = first.get("original"), first.get("initial")
    if original is None or initial is None:
        return ReconstructionsInfo(family, dataset, stem, seed, None, 1.0, ())
    panels = [Panel("original", "", original, None), _panel("initial estimate", initial, original)]
    for arm in members:
        best = found[arm.name].get("best")
        if best is None or best.shape != original.shape:
            reason = gap_reason(frames, arm.name, seed, at) or f"no picture at {at} was kept"
            panels.append(Panel(arm.treatment, "", None, None, reason))
        else:
            panels.append(_panel(arm.treatment, best, original))
    scale = max(float(np.quantile(np.abs(initial - original), 0.99)), 1.0)
    return ReconstructionsInfo(family, dataset, stem, seed, hardest_window(original, initial), scale, tuple(panels), at)


def _read(frames: StudyFrames, arm: str, seed: int, dataset: str, stem: str, at: str) -> dict[str, Gray]:
    """The pictures of the arm's network whose first ratio is `at`: those of another are no match."""
    cells = frames.trials[
        (frames.trials["arm"] == arm) & (frames.trials["seed"] == seed) & (frames.trials["status"] == "complete")
    ]
    folder = _folder(frames, dataset)
    for fingerprint, ratios in zip(cells["fingerprint"], cells["ratios"], strict=True):
        if percent(ratios[0]) != at:
            continue
        trial = frames.store.trial(str(fingerprint))
        names = set(trial.names(folder))
        kinds = [k for k in ("original", "initial", "best") if f"{stem}-{k}.png" in names]
        if kinds:
            return {k: read_gray(trial.read(f"{folder}/{stem}-{k}.png")) for k in kinds}
    return {}


def _folder(frames: StudyFrames, dataset: str) -> str:
    return f"reconstructions/{frames.data_set(dataset)}"


def _panel(title: str, pixels: Gray, original: Gray) -> Panel:
    return Panel(title, f"{number(psnr(pixels, original))}{NBSP}dB", pixels, np.abs(pixels - original))


def error_palette() -> Bytes:
    """256 colours of the error map, shape (256, 3)."""
    colours = mpl.colormaps[ERROR_MAP](np.arange(256))[:, :3]
    return np.round(colours * 255).astype(np.uint8)


def draw_reconstructions(info: ReconstructionsInfo) -> Figure:
    """First row: whole pictures; second: the square in which the initial estimate errs most; third: absolute error. Of more than
    `ACROSS` pictures the rest stands below."""
    count = min(max(len(info.panels), 1), ACROSS)
    blocks = -(-len(info.panels) // count)
    first = next((p.pixels for p in info.panels if p.pixels is not None), np.zeros((1, 1)))
    ratio = first.shape[0] / first.shape[1]
    side = WIDTH / count
    with style():
        titles = [textwrap.fill(panel.title, int(side / 0.068)) for panel in info.panels]
        head = 0.14 * max((t.count("\n") + 1 for t in titles), default=1) + 0.3
        figure = Figure(figsize=(WIDTH, blocks * (side * (2 * ratio + 1) + head) + 0.3), layout="constrained")
        grid = figure.subplots(3 * blocks, count, squeeze=False, height_ratios=[ratio, 1, ratio] * blocks)
        shown: AxesImage | None = None
        for place, (panel, title) in enumerate(zip(info.panels, titles, strict=True)):
            row, column = 3 * (place // count), place % count
            grid[row, column].set_title(f"{title}\n{panel.caption}", loc="center", fontsize=8, fontweight="normal")
            shown = _draw_column(list(grid[row : row + 3, column]), panel, info) or shown
        for spare in grid[-3:, len(info.panels) - count * (blocks - 1) :].flat:
            spare.set_axis_off()
        if shown is not None:
            bar = figure.colorbar(
                shown, ax=grid[2, 0], orientation="horizontal", fraction=0.08, location="bottom", shrink=0.9
            )
            bar.set_label("absolute error,\ngray levels", fontsize=7.5)
            bar.outline.set_visible(False)
    return figure


def _draw_column(axes: list[Axes], panel: Panel, info: ReconstructionsInfo) -> AxesImage | None:
    whole, zoom, error = axes
    for ax in axes:
        ax.set_xticks([])
        ax.set_yticks([])
        ax.grid(False)
        for spine in ax.spines.values():
            spine.set_visible(False)
    if panel.pixels is None or info.window is None:
        whole.text(
            0.5,
            0.5,
            panel.reason,
            transform=whole.transAxes,
            ha="center",
            va="center",
            color=MUTED,
            fontsize=7,
            wrap=True,
        )
        return None
    whole.imshow(panel.pixels, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
    corner = (info.window.left - 0.5, info.window.top - 0.5)
    whole.add_patch(Rectangle(corner, info.window.side, info.window.side, fill=False, edgecolor=HUES[1], linewidth=1.2))
    zoom.imshow(info.window.of(panel.pixels), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    if panel.error is None:
        return None
    return error.imshow(panel.error, cmap=ERROR_MAP, vmin=0, vmax=info.scale, interpolation="antialiased")
