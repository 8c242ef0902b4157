"""How a study looks in MLflow: names, parameters, metrics, tags and descriptions. Pure functions of plan and trial files."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

from rdun.config import digest
from rdun.results import ArmRecord, EpochRecord, PlanRecord, Score, SystemSample
from rdun.tracking.files import TrialFiles

STATUS = {"running": "RUNNING", "complete": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
"""Status of a trial -> status of its MLflow run."""

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
SOURCE = {"mlflow.source.name": "studies/run_ablation.py", "mlflow.source.type": "LOCAL"}


class Identity(NamedTuple):
    """What makes an MLflow run the run of this study, arm or trial; kept in its tags."""

    study: str
    arm: str = ""
    seed: str = ""
    fingerprint: str = ""

    def tags(self) -> dict[str, str]:
        level = "trial" if self.seed else "arm" if self.arm else "study"
        filled = {f"rdun.{key}": value for key, value in self._asdict().items() if value}
        return SOURCE | filled | {"rdun.level": level}

    @staticmethod
    def of(tags: Mapping[str, str]) -> Identity | None:
        """The inverse of `tags`; None for somebody else's run."""
        if "rdun.level" not in tags:
            return None
        return Identity(*(tags.get(f"rdun.{key}", "") for key in Identity._fields))


class Point(NamedTuple):
    """One value of a metric; timestamp in milliseconds since 1970."""

    key: str
    value: float
    timestamp: int
    step: int


def clean(name: str) -> str:
    """A name that MLflow accepts for a metric, a parameter or a file on every platform; different names stay different."""
    plain = re.sub(r"[^\w.\- ]+", "_", name).strip(" .")[:80]
    return plain if plain and plain == name else f"{plain or 'unnamed'}-{digest(name)[:6]}"


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A nested config as dotted names and texts: `{"optim.lr": "0.0001", "task.ratios": "0.1, 0.2"}`."""
    out: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{clean(str(key))}"
        if isinstance(value, Mapping):
            out |= flatten(value, f"{name}.")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
            out[name] = text or "-"
    return out


def arm_identity(study: str, arm: ArmRecord) -> Identity:
    """An arm is its name and its configs, whatever its seeds: an arm that was changed is shown beside what it was."""
    configs = [{key: value for key, value in config.items() if key != "seed"} for config in arm.configs]
    return Identity(study, arm.name, "", digest(configs))


def arm_params(arm: ArmRecord) -> dict[str, str]:
    """Name, factors and layout of an arm."""
    own = {"arm": arm.name, "layout": arm.layout, "compare_to": arm.compare_to or "-"}
    return own | {f"factor.{clean(key)}": value or "-" for key, value in arm.factors.items()}


def arm_config(arm: ArmRecord) -> dict[str, str]:
    """The fields in which the configs of an arm agree, whatever their seed."""
    first, *others = [flatten(config) for config in arm.configs]
    agreed = {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}
    agreed.pop("seed", None)
    return agreed


def size_points(arm: ArmRecord, timestamp: int) -> list[Point]:
    """Parameters and multiply-accumulates, as metrics, so that MLflow can plot against them."""
    return [Point("size/parameters", arm.parameters, timestamp, 0), Point("size/macs", arm.macs, timestamp, 0)]


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
        yield record, _points(values, record.timestamp, record.epoch)


def system_points(samples: Iterable[SystemSample], started: int) -> Iterator[tuple[SystemSample, list[Point]]]:
    """Each load sample with its metrics, in MLflow's own namespace for them; steps are seconds since the start."""
    for sample in samples:
        load = {"cpu_percent": sample.cpu_percent, "memory_mib": sample.memory_mib}
        if sample.gpu_memory_mib:
            load["gpu_memory_mib"] = sample.gpu_memory_mib
        named = {f"system/{key}": value for key, value in load.items()}
        yield sample, _points(named, sample.timestamp, (sample.timestamp - started) // 1000)


def summary(files: TrialFiles) -> dict[str, float]:
    """The final metrics of a complete trial: mean scores of the best, last and initial reconstruction, and timings."""
    if files.run.status != "complete":
        return {}
    values = score_means(files.scores) | {f"time/{clean(t.name)}": t.value for t in files.timings}
    if files.epochs:
        values |= {f"result/last_{c}": getattr(files.epochs[-1], c) for c in BEST}
        values |= {f"result/best_{c}": choose(getattr(e, c) for e in files.epochs) for c, choose in BEST.items()}
    return {key: value for key, value in values.items() if math.isfinite(value)}


def score_means(scores: Sequence[Score]) -> dict[str, float]:
    """Means over images as `result/best_test_psnr`, block-wise ones as `result/best_train_block_psnr`, and one for each data set
    and ratio where there are several; `result/initial_...` is the estimate without a network."""
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


def seed_means(per_seed: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean over seeds of every metric that all seeds have, under the trials' names, and `spread/...`, its standard deviation."""
    shared = set.intersection(*(set(values) for values in per_seed))
    out = {key: fmean(values[key] for values in per_seed) for key in shared}
    if len(per_seed) > 1:
        scored = (key for key in shared if key.startswith("result/"))
        out |= {key.replace("result/", "spread/", 1): stdev(values[key] for values in per_seed) for key in scored}
    return out


def trial_tags(files: TrialFiles, arm: ArmRecord, identity: Identity) -> dict[str, str]:
    """Where a trial stands and what it ran on."""
    tags = identity.tags() | {
        "rdun.status": files.run.status,
        "rdun.reason": files.run.reason or "-",
        "rdun.attempts": str(len(files.run.attempts)),
        "mlflow.note.content": _trial_note(files, arm, identity),
    }
    tags |= {f"rdun.fact.{clean(key)}": str(value) for key, value in files.run.facts.items()}
    for attempt in files.run.attempts[-1:]:
        tags |= {
            "rdun.host": attempt.host,
            "rdun.device": attempt.device,
            "rdun.threads": str(attempt.threads),
            "rdun.versions": ", ".join(f"{name} {version}" for name, version in attempt.versions.items()),
            "rdun.revision": attempt.revision,
            "mlflow.source.git.commit": attempt.revision.partition("+")[0],
        }
    return tags


def study_tags(plan: PlanRecord, answer: str) -> dict[str, str]:
    """Question, answer, seeds and claims of a study."""
    tags = {
        "rdun.title": plan.title,
        "rdun.question": plan.question,
        "rdun.seeds": ", ".join(map(str, plan.seeds)),
        "rdun.arms": ", ".join(arm.name for arm in plan.arms),
        "rdun.claims": "; ".join(claim.text for claim in plan.claims),
        "rdun.answer": answer,
        "mlflow.note.content": _study_note(plan, answer),
    }
    return {key: value for key, value in tags.items() if value}


def arm_note(arm: ArmRecord, complete: int, cells: int) -> str:
    """The description of an arm's run, in Markdown."""
    factors = "".join(f"\n- {_safe(key)}: {_safe(value)}" for key, value in arm.factors.items())
    versus = f"\n- compared to: {_safe(arm.compare_to)}" if arm.compare_to else ""
    gap = "Metrics are means over seeds." if complete == cells else "Means follow when all seeds are complete."
    return (
        f"**{_safe(arm.name)}**: {complete} of {cells} seeds complete. {gap}\n{factors}{versus}\n- layout: {_safe(arm.layout)}"
        f"\n- {arm.parameters:,} parameters, {arm.macs / 1e6:,.1f} M multiply-accumulates per block"
    )


def _trial_note(files: TrialFiles, arm: ArmRecord, identity: Identity) -> str:
    run, epochs = files.run, files.epochs
    text = f"**{_safe(arm.name)}**, seed {identity.seed}: {run.status}"
    text += f" ({_safe(run.reason)}).\n" if run.reason else ".\n"
    if epochs:
        best = max(epochs, key=lambda e: e.validation_psnr)
        text += f"\n- best validation PSNR {best.validation_psnr:.2f} dB, at epoch {best.epoch} of {epochs[-1].epoch}"
    means = score_means(files.scores)
    if HEADLINE in means:
        text += f"\n- test PSNR {means[HEADLINE]:.2f} dB, SSIM {means.get('result/best_test_ssim', math.nan):.4f}"
    if "result/initial_test_psnr" in means:
        text += f" (initial estimate: {means['result/initial_test_psnr']:.2f} dB)"
    return (
        text + f"\n- layout {_safe(arm.layout)}, {arm.parameters:,} parameters\n- trial directory `{run.fingerprint}`"
    )


def _study_note(plan: PlanRecord, answer: str) -> str:
    parts = {"Question": plan.question, "Answer": answer, "Method": plan.method, "Scale": plan.scale}
    lines = [f"**{name}.** {_safe(text)}" for name, text in parts.items() if text]
    if plan.claims:
        lines.append("**Claims.**\n\n" + "\n".join(f"- {_safe(claim.text)}" for claim in plan.claims))
    lines.append("The report is `report.html` among the artifacts of this run.")
    return "\n\n".join(lines)


def _points(values: Mapping[str, float], timestamp: int, step: int) -> list[Point]:
    return [Point(key, value, timestamp, step) for key, value in values.items() if math.isfinite(value)]


def _safe(text: str) -> str:
    return html.escape(" ".join(text.split()), quote=False)
