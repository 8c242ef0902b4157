"""The few scalars that a network learns besides its filters: step sizes and thresholds, layer by layer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load

from analysis.figures.style import INK, Look, Mark, draw_seeds, head, legend, panels, style
from analysis.frames import Arm, StudyFrames
from rdun.results import TrialDirectory

Scalars = dict[str, NDArray[np.float64]]
PLACE = re.compile(r"stages\.(\d+)\.(step|threshold|table)")
KINDS = {"step": "step size", "threshold": "threshold", "delta": "step size δ", "eta": "weight of the denoiser η"}
WEIGHTS = "best.safetensors"


class LearnedLine(NamedTuple):
    """One arm: values by layer (DPDNN: by layer and recursion), shape (seeds, places)."""

    treatment: str
    values: NDArray[np.float64]


class LearnedPanel(NamedTuple):
    """The arms of one family that have scalars of this kind."""

    family: str
    lines: tuple[LearnedLine, ...]


class LearnedInfo(NamedTuple):
    """One kind of scalar; `start` is its value before training (nan where some arm starts from weights of a file), `without` the
    number of trials whose weights were not kept."""

    kind: str
    label: str
    start: float
    panels: tuple[LearnedPanel, ...]
    without: int


STARTS = {"step": 0.5, "threshold": 0.01, "delta": 0.1, "eta": 0.9}


def learned_infos(frames: StudyFrames) -> list[LearnedInfo]:
    """Every kind of scalar that any complete trial has learned, from its best weights; an arm of several networks is left out."""
    read = {a.name: _seeds(frames, a) for a in frames.arms.values() if len(a.configs) == 1}
    without = sum(not scalars for seeds in read.values() for scalars in seeds)
    from_file = any(a.configs[0].weights for a in frames.arms.values() if read.get(a.name))
    found = []
    for kind, label in KINDS.items():
        members = [LearnedPanel(f, _lines(frames.members(f), read, kind)) for f in frames.families()]
        if shown := tuple(p for p in members if p.lines):
            found.append(LearnedInfo(kind, label, float("nan") if from_file else STARTS[kind], shown, without))
    return found


def _lines(arms: Sequence[Arm], read: dict[str, list[Scalars]], kind: str) -> tuple[LearnedLine, ...]:
    seeds = {a.treatment: [s[kind] for s in read.get(a.name, []) if kind in s] for a in arms}
    return tuple(LearnedLine(t, np.stack(values)) for t, values in seeds.items() if values)


def _seeds(frames: StudyFrames, arm: Arm) -> list[Scalars]:
    rows = frames.trials[(frames.trials["arm"] == arm.name) & (frames.trials["status"] == "complete")]
    return [scalars(frames.store.trial(str(f))) for f in rows["fingerprint"]]


def scalars(trial: TrialDirectory) -> Scalars:
    """Step sizes and thresholds of a trial's best weights by kind, in the order of the layers; empty where it kept no weights."""
    if not trial.exists(WEIGHTS):
        return {}
    try:
        tensors = _tensors(trial)
    except (SafetensorError, OSError):
        return {}  # a figure less, not a report less
    found: dict[str, list[tuple[int, NDArray[np.float64]]]] = {}
    for name, tensor in tensors.items():
        stage, kind = PLACE.fullmatch(name).groups()  # type: ignore[union-attr]
        columns = {"delta": tensor[:, 0], "eta": tensor[:, 1]} if kind == "table" else {kind: tensor.reshape(1)}
        for key, values in columns.items():
            found.setdefault(key, []).append((int(stage), values.astype(float)))
    return {k: np.concatenate([v for _, v in sorted(places, key=lambda p: p[0])]) for k, places in found.items()}


def _tensors(trial: TrialDirectory) -> dict[str, NDArray[np.float32]]:
    """The tensors of `PLACE` only; a local file is not read whole."""
    if not trial.is_local:
        return {n: t for n, t in load(trial.read(WEIGHTS)).items() if PLACE.fullmatch(n)}
    with safe_open(f"{trial.path}/{WEIGHTS}", framework="numpy") as file:
        return {n: file.get_tensor(n) for n in file.keys() if PLACE.fullmatch(n)}  # noqa: SIM118 (no mapping)


def draw_learned(info: LearnedInfo, table: dict[str, Look]) -> Figure:
    """Lines are means over seeds, dashes single seeds; the thin line is the value before training."""
    with style():
        figure, axes = panels(len(info.panels), 2.4, share_x=False)
        for ax, panel in zip(axes, info.panels, strict=True):
            head(ax, panel.family)
            if np.isfinite(info.start):
                ax.axhline(info.start, color=INK, linewidth=0.7, linestyle=(0, (1, 2)))
            for place, line in enumerate(panel.lines):
                look = table[line.treatment]
                shift = 0.3 * ((place + 0.5) / len(panel.lines) - 0.5)
                x = np.arange(1, line.values.shape[1] + 1) + shift
                draw_seeds(ax, [Mark(at, v, look) for seed in line.values for at, v in zip(x, seed, strict=True)], 5)
                means = line.values.mean(axis=0)
                ax.plot(
                    x, means, color=look.colour, linestyle=look.line, marker=look.marker, linewidth=1.2, markersize=4.5
                )
            ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
            ax.set_xlabel(
                "layer"
                if info.kind in ("step", "threshold")
                else "row of the table: layer by layer, recursion by recursion"
            )
        axes[0].set_ylabel(info.label)
        shown = {line.treatment for p in info.panels for line in p.lines}
        legend(figure, [t for t in table if t in shown], table)
    return figure
