"""Published parameters, training hours and reconstruction speed beside the study's own."""

from __future__ import annotations

from typing import Literal, NamedTuple

from analysis.frames import Arm, StudyFrames
from analysis.frames.measures import gap_reason, timing_cells
from analysis.numbers import percent
from analysis.reference import remark, rows_of
from analysis.reference.verdicts import NOT_AS_PUBLISHED, Verdict

NAN = float("nan")


class Cost(NamedTuple):
    """Table 2 of the paper for one arm, published and measured; nan where nothing is to be compared.

    Times are never called reproduced: how they were taken was not published, and devices differ.

    Attributes:
        hours: of training; rate: images reconstructed per second; device: where both were measured.
        reason: why a measured time is missing.
        remark: source and note of the published row.
    """

    arm: str
    published_parameters: float
    parameters: float
    parameters_verdict: Verdict
    published_hours: float
    hours: float
    published_rate: float
    rate: float
    published_device: str
    device: str
    times_verdict: Literal["same device", "other device", "not run"]
    reason: str
    remark: str


def costs(frames: StudyFrames) -> list[Cost]:
    """One line per arm that stands in table 2."""
    places = [(a, rows_of(a.name, a.published, "table2")) for a in frames.arms.values()]
    return [
        _cost(frames, arm, {str(k): str(v) for k, v in rows.iloc[0].items()}, remark(rows))
        for arm, rows in places
        if len(rows)
    ]


def _cost(frames: StudyFrames, arm: Arm, row: dict[str, str], note: str) -> Cost:
    compared, published = frames.plan.as_published, float(row["parameters"])
    hours, rate = (_hours(frames, arm, row["training_ratio"]), _rate(frames, arm)) if compared else (NAN, NAN)
    measured = hours == hours or rate == rate
    alone = f"no network was trained at {percent(float(row['training_ratio']))} alone" if row["training_ratio"] else ""
    device = _device(frames, arm) if measured else ""
    return Cost(
        arm=arm.name,
        published_parameters=published,
        parameters=float(arm.parameters) if compared else NAN,
        parameters_verdict="not run" if not compared else "reproduced" if arm.parameters == published else "deviates",
        published_hours=float(row["training_hours"]),
        hours=hours,
        published_rate=float(row["images_per_second"]),
        rate=rate,
        published_device=row["device"],
        device=device,
        times_verdict="not run" if not measured else "same device" if row["device"] in device else "other device",
        reason=_reason(frames, arm) if not measured else alone if hours != hours else "",
        remark=note,
    )


def _reason(frames: StudyFrames, arm: Arm) -> str:
    if not frames.plan.as_published:
        return NOT_AS_PUBLISHED
    reasons = [(s, gap_reason(frames, arm.name, s)) for s in frames.plan.seeds]
    return "; ".join(f"seed {s} {why}" for s, why in reasons if why) or "no time was recorded"


def _hours(frames: StudyFrames, arm: Arm, ratio: str) -> float:
    """Mean over seeds: of the network for one ratio where that is what was published, else of all networks of the arm."""
    if not ratio:
        return _mean_over_seeds(frames, arm, "train_seconds") / 3600
    trials = frames.trials[frames.trials["arm"] == arm.name]
    alone = [f for f, r in zip(trials["fingerprint"], trials["ratios"], strict=True) if r == (float(ratio),)]
    rows = frames.timings[(frames.timings["arm"] == arm.name) & (frames.timings["name"] == "train_seconds")]
    return float(rows.loc[rows["fingerprint"].isin(alone), "value"].mean()) / 3600


def _rate(frames: StudyFrames, arm: Arm) -> float:
    return _mean_over_seeds(frames, arm, "images_per_second")


def _mean_over_seeds(frames: StudyFrames, arm: Arm, name: str) -> float:
    cells = timing_cells(frames)
    return float(cells.loc[cells["arm"] == arm.name, name].mean()) if name in cells else NAN


def _device(frames: StudyFrames, arm: Arm) -> str:
    trials = frames.trials[(frames.trials["arm"] == arm.name) & (frames.trials["status"] == "complete")]
    return ", ".join(sorted({str(d) for d in trials["device"] if d}))
