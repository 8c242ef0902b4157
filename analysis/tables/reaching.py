"""How soon: the training samples after which an arm has the quality that its base arm ends with."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from analysis.frames import StudyFrames
from analysis.statistics.intervals import Floats
from analysis.tables.table import Number, Table, Text
from rdun.config import TrialConfig

NAN = float("nan")
READ = ("validation_psnr", "samples")


def reaching_table(frames: StudyFrames) -> Table:
    """Per compared arm, over the seeds: best validation PSNR of both, and the samples until the arm is at least at its base's.

    Of each pair of trials (same seed, ratios and validation, both complete): the base's best validation PSNR of all epochs is
    the target; the first epoch of the arm at or above it gives the samples, and over the samples of the base's best epoch their
    ratio.
    Weights that are only tested have no line.
    """
    curves, trained = _curves(frames), {arm.name: arm.steps > 0 for arm in frames.plan.arms}
    rows: list[dict[str, Any]] = []
    gaps: dict[tuple[int, str], str] = {}
    for facts in frames.arms.values():
        if facts.compare_to is None or not trained[facts.name]:
            continue
        base = curves.get(facts.compare_to, {})
        pairs = [_pair(curve, base[key]) for key, curve in curves.get(facts.name, {}).items() if key in base]
        found = pd.DataFrame(pairs, columns=["own", "target", "samples", "ratio"])
        reached = found.dropna(subset="samples")
        every = len(found) > 0 and len(reached) == len(found)
        rows.append(
            {
                "family": facts.family,
                "arm": facts.name,
                "comparison": f"{facts.treatment} to {frames.arms[facts.compare_to].treatment}",
                "own": found["own"].mean(),
                "target": found["target"].mean(),
                "samples": reached["samples"].mean() if every else NAN,
                "samples sd": reached["samples"].std(ddof=1) if every else NAN,
                "ratio": reached["ratio"].mean() if every else NAN,
                "reached": f"{len(reached)} of {len(found)}",
            }
        )
        if not every:
            why = "not reached by every pair" if len(found) else "no pair of complete trials with the same validation"
            gaps[len(rows) - 1, "samples"] = why
    return Table(
        name="reaching",
        title="Samples to the base arm's quality",
        caption="Validation PSNR of the best epoch, mean over pairs of trials (same seed, ratios and validation), and the "
        "training samples after which an arm first validates at least as well as its base arm's best epoch (± standard deviation "
        "over pairs). Below 1 ×, it needs fewer samples than the base needed for that epoch. Epochs are the resolution.",
        frame=pd.DataFrame(rows),
        columns=(
            Text(key="comparison", header="Comparison"),
            Number(key="own", header="Validation", unit="dB"),
            Number(key="target", header="Base", unit="dB"),
            Number(key="samples", header="Samples", digits=0, spread="samples sd"),
            Number(key="ratio", header="Of the base's", unit="×"),
            Text(key="reached", header="Pairs that reach it", align="right"),
        ),
        group="family" if any(frames.families()) else "",
        gaps=gaps,
    )


class _Curve(NamedTuple):
    """Of one trial, epoch by epoch."""

    psnr: Floats
    samples: Floats


def _curves(frames: StudyFrames) -> dict[str, dict[tuple[Any, ...], _Curve]]:
    """Of each arm, the epochs of its complete trials by seed, ratios and what validation looks at."""
    epochs = frames.epochs[frames.epochs["status"] == "complete"].sort_values("epoch")
    keys = {
        (str(t.arm), str(t.fingerprint)): _what(frames.arms[str(t.arm)].configs[int(str(t.position))])
        for t in frames.trials[frames.trials["status"] == "complete"].itertuples()
    }
    curves: dict[str, dict[tuple[Any, ...], _Curve]] = defaultdict(dict)
    for (arm, seed, fingerprint), curve in epochs.groupby(["arm", "seed", "fingerprint"], observed=True):
        curves[str(arm)][seed, *keys[str(arm), str(fingerprint)]] = _Curve(
            *(curve[name].to_numpy(dtype=float) for name in READ)
        )
    return curves


def _what(config: TrialConfig) -> tuple[Any, ...]:
    """Ratios, and the images and ratios of validation."""
    return config.task.ratios, config.data.validation, config.data.validation_ratios or config.task.ratios


def _pair(own: _Curve, base: _Curve) -> tuple[float, float, float, float]:
    """Best PSNR of both, samples to the base's best, and their ratio to the base's; nan where it is not reached."""
    best = int(base.psnr.argmax())
    target, needed = float(base.psnr[best]), float(base.samples[best])
    reached = own.samples[own.psnr >= target]
    samples = float(reached[0]) if len(reached) else NAN
    return float(np.fmax.reduce(own.psnr)), target, samples, samples / needed
