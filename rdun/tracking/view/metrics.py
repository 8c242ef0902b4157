"""Metrics: the rows of a trial directory as points, and their summaries over images, seeds and trials."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean, stdev
from typing import NamedTuple

from rdun.config import TrialConfig, from_dict
from rdun.results import EpochRecord, SystemSample, hours
from rdun.tracking.files import TrialFiles
from rdun.tracking.view.names import clean

CURVES = {
    "train_loss": "epoch/train_loss",
    "train_psnr": "epoch/train_psnr",
    "validation_psnr": "epoch/validation_psnr",
    "validation_ssim": "epoch/validation_ssim",
    "lr": "progress/learning_rate",
    "stage_evaluations": "progress/stage_evaluations",
    "seconds": "progress/seconds",
    "samples": "progress/samples",
    "step": "progress/steps",
}
"""Column of epochs.csv -> metric."""
BEST = {"validation_psnr": max, "validation_ssim": max, "train_psnr": max, "train_loss": min}
EPOCH_MARK, SYSTEM_MARK = "progress/steps", "system/memory_mib"
"""Metrics that every epoch and every load sample has: they tell which ones MLflow already holds."""
HEADLINE = "result/best_test_psnr"
"""The metric that a study is about: mean PSNR of the test images, best checkpoint."""


class Point(NamedTuple):
    """One value of a metric; timestamp in milliseconds since 1970."""

    key: str
    value: float
    timestamp: int
    step: int


def points(values: Mapping[str, float], timestamp: int, step: int) -> list[Point]:
    """Values of one moment; what is not finite is left out."""
    return [Point(key, value, timestamp, step) for key, value in values.items() if math.isfinite(value)]


def epoch_points(records: Iterable[EpochRecord]) -> Iterator[tuple[EpochRecord, list[Point]]]:
    """Each epoch with its metrics: the columns as they are, and the best values where an epoch improves on them."""
    best: dict[str, float] = {}
    for record in records:
        values = {metric: getattr(record, column) for column, metric in CURVES.items()}
        for column, choose in BEST.items():
            value, old = getattr(record, column), best.get(column)
            if math.isfinite(value) and (old is None or (value != old and choose(value, old) == value)):
                best[column] = values[f"result/best_{column}"] = value
                if column == "validation_psnr":
                    values["result/best_epoch"] = record.epoch
        yield record, points(values, record.timestamp, record.epoch)


def mean_curves(seeds: Sequence[Sequence[Sequence[EpochRecord]]]) -> list[list[Point]]:
    """The epochs that all trials have, each with the means over seeds under the trials' names and, of qualities, their standard
    deviation as `epoch_spread/...`; at the moment when the last trial reached it.

    Args:
        seeds: of each seed the epochs of its trials, over which its own value is a mean.
    """
    trials = [[{record.epoch: record for record in trial} for trial in seed] for seed in seeds]
    shared = set.intersection(*(set(trial) for seed in trials for trial in seed))
    return [_mean_epoch([[trial[epoch] for trial in seed] for seed in trials]) for epoch in sorted(shared)]


def _mean_epoch(seeds: Sequence[Sequence[EpochRecord]]) -> list[Point]:
    values: dict[str, float] = {}
    for column, metric in CURVES.items():
        per_seed = [fmean(getattr(record, column) for record in seed) for seed in seeds]
        values[metric] = fmean(per_seed)
        if metric.startswith("epoch/") and len(per_seed) > 1 and math.isfinite(values[metric]):
            values[metric.replace("epoch/", "epoch_spread/", 1)] = stdev(per_seed)
    records = [record for seed in seeds for record in seed]
    return points(values, max(record.timestamp for record in records), records[0].epoch)


def system_points(samples: Iterable[SystemSample], started: int) -> Iterator[tuple[SystemSample, list[Point]]]:
    """Each load sample with its metrics, in MLflow's own namespace for them; steps are seconds since the start."""
    for sample in samples:
        load = {"cpu_percent": sample.cpu_percent, "memory_mib": sample.memory_mib}
        if sample.gpu_memory_mib:
            load["gpu_memory_mib"] = sample.gpu_memory_mib
        named = {f"system/{key}": value for key, value in load.items()}
        yield sample, points(named, sample.timestamp, (sample.timestamp - started) // 1000)


def summary(files: TrialFiles) -> dict[str, float]:
    """What a trial has come to: best and last value of every curve, costs, and, where it is complete, timings and mean scores
    of the best, last and initial reconstruction."""
    values = score_means(files) | {f"time/{clean(t.name)}": t.value for t in files.timings} | costs(files)
    if files.epochs:
        values |= {f"result/last_{c}": getattr(files.epochs[-1], c) for c in BEST}
        finite = {c: [v for e in files.epochs if math.isfinite(v := getattr(e, c))] for c in BEST}
        values |= {f"result/best_{c}": BEST[c](column) for c, column in finite.items() if column}
    return {key: value for key, value in values.items() if math.isfinite(value)}


def costs(files: TrialFiles) -> dict[str, float]:
    """Hours of cores and GPUs that a trial held in all its attempts, whatever became of them."""
    return {f"cost/{unit}_hours": value for unit, value in hours(files.run, files.epochs, files.system).items()}


def score_means(files: TrialFiles) -> dict[str, float]:
    """Means over images as `result/best_test_psnr`, block-wise ones as `result/best_train_block_psnr`, and one for each data set
    and ratio where there are several; `result/initial_...` is the estimate without a network. At the test counts: other counts
    that the network was tried with are not among them."""
    own = sum(from_dict(TrialConfig, files.config).test_counts)
    scores = [score for score in files.scores if score.recursions in (0, own)]
    several = {
        "dataset": len({s.dataset for s in scores if s.split == "test"}) > 1,
        "ratio": len({s.ratio for s in scores}) > 1,
    }
    groups: dict[str, list[float]] = {}
    for score in scores:
        stage = score.checkpoint if score.recursions else "initial"
        unit = "" if score.unit == "image" else f"_{clean(score.unit)}"
        name = f"result/{stage}_{score.split}{unit}_{score.metric}"
        names = [name]
        if several["dataset"] and score.split == "test":
            names.append(f"{name}/{clean(score.dataset)}")
        if several["ratio"]:
            names.append(f"{name}/ratio_{score.ratio:g}")
        for key in names:
            groups.setdefault(key, []).append(score.value)
    return {key: fmean(values) for key, values in groups.items()}


def cell_means(trials: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The metrics of a cell: means over its trials, where all of them have the metric; costs are sums."""
    shared = set.intersection(*map(set, trials))
    means = {key: fmean(values[key] for values in trials) for key in shared}
    return means | total_costs(trials)


def seed_means(per_seed: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean over seeds of every metric that all seeds have, under the trials' names, and `spread/...`, its standard deviation."""
    shared = {key for key in set.intersection(*map(set, per_seed)) if not key.startswith("cost/")}
    out = {key: fmean(values[key] for values in per_seed) for key in shared}
    if len(per_seed) > 1:
        scored = (key for key in shared if key.startswith("result/"))
        out |= {key.replace("result/", "spread/", 1): stdev(values[key] for values in per_seed) for key in scored}
    return out


def averages(per_seed: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """`seed_means` and over how many seeds they are."""
    means = seed_means(per_seed) if per_seed else {}
    return means | {"seeds_averaged": float(len(per_seed))}


def total_costs(trials: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Sums of the costs of trials."""
    sums: dict[str, float] = {}
    for values in trials:
        for key in values:
            if key.startswith("cost/"):
                sums[key] = sums.get(key, 0.0) + values[key]
    return sums
