"""How soon: the training samples after which an arm has the quality of its base arm, or that of a published training."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from analysis.frames import StudyFrames
from analysis.numbers import percent
from analysis.reference import remark, rows_of, sources
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


def published_curve_table(frames: StudyFrames) -> Table:
    """For arms that name a published validation curve: the samples until they validate as well as it does after some epochs.

    Of each complete trial that validates the same images at the same ratio, the samples of its first epoch at or above the
    published PSNR, and over the samples of the published epoch their ratio. Whatever the arm's recipe is: that it needs other
    samples than the published one is what is asked.
    """
    curves = _curves(frames)
    rows: list[dict[str, Any]] = []
    gaps: dict[tuple[int, str], str] = {}
    remarks: list[str] = []
    for arm in frames.arms.values():
        points = rows_of(arm.name, arm.published, "curve")
        remarks += [remark(points)] if len(points) else []
        for point in points.to_dict("records"):
            dataset, ratio = str(point["dataset"]), float(point["ratio"])
            needed, target = float(point["samples"]), float(point["psnr"])
            alike = [c for (_, _, *what), c in curves.get(arm.name, {}).items() if what == [dataset, (ratio,)]]
            samples = np.array([_samples_to(target, curve) for curve in alike])
            reached, every = np.isfinite(samples), len(samples) > 0 and bool(np.isfinite(samples).all())
            if not every:
                why = f"no complete trial that validates {dataset} at {percent(ratio)} alone"
                gaps[len(rows), "samples"] = "not reached by every seed" if alike else why
            rows.append(
                {
                    "arm": arm.name,
                    "epoch": int(point["epoch"]),
                    "target": target,
                    "published samples": needed,
                    "own": np.mean([np.nanmax(curve.psnr) for curve in alike]) if alike else NAN,
                    "samples": samples.mean() if every else NAN,
                    "samples sd": samples.std(ddof=1) if every and len(samples) > 1 else NAN,
                    "ratio": samples.mean() / needed if every else NAN,
                    "reached": f"{reached.sum()} of {len(samples)}",
                }
            )
    return Table(
        name="published-curve",
        title="Samples to the published validation curve",
        caption="The published validation PSNR after some epochs and the training samples of these, and the training samples "
        "after which an arm first validates at least as well (mean ± standard deviation over seeds). Below 1 ×, it needs fewer. "
        "Measured: validation of the best epoch. Epochs are the resolution.",
        frame=pd.DataFrame(rows),
        columns=(
            Number(key="epoch", header="Published epoch", digits=0),
            Number(key="target", header="Validation", unit="dB"),
            Number(key="published samples", header="Samples", digits=0),
            Number(key="own", header="Measured", unit="dB"),
            Number(key="samples", header="Samples measured", digits=0, spread="samples sd"),
            Number(key="ratio", header="Of the published", unit="×", digits=3),
            Text(key="reached", header="Seeds that reach it", align="right"),
        ),
        group="arm",
        gaps=gaps,
        notes=sources(remarks),
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
    samples = _samples_to(target, own)
    return float(np.fmax.reduce(own.psnr)), target, samples, samples / needed


def _samples_to(target: float, curve: _Curve) -> float:
    """Samples of the first epoch with at least this PSNR; nan where there is none."""
    reached = curve.samples[curve.psnr >= target]
    return float(reached[0]) if len(reached) else NAN
