"""The validation quality of published checkpoints beside the study's own."""

from __future__ import annotations

from typing import NamedTuple

from analysis.frames import Arm, StudyFrames
from analysis.frames.measures import AVERAGE, facts, missing_seeds
from analysis.numbers import percent
from analysis.reference import remark, rows_of
from analysis.reference.verdicts import NOT_AS_PUBLISHED, Verdict, judge

NAN = float("nan")


class CheckpointCell(NamedTuple):
    """The best validation PSNR of a published checkpoint beside that of an arm, in dB; nan where there is none."""

    arm: str
    dataset: str
    at: str
    published: float
    measured: float
    verdict: Verdict
    reason: str
    remark: str


def checkpoint_cells(frames: StudyFrames) -> list[CheckpointCell]:
    """The published checkpoints for the arms that name one."""
    found, best = [], facts(frames, "best_validation_psnr")
    for arm in frames.arms.values():
        rows = rows_of(arm.name, arm.published, "checkpoints")
        for row in rows.to_dict("records"):
            dataset, ratio, published = str(row["dataset"]), float(row["ratio"]), float(row["best_psnr"])
            reason = _why_not(frames, arm, dataset, ratio)
            measured = NAN if reason else best[arm.name]
            if measured != measured and not reason:
                reason = "; ".join(f"seed {s} {why}" for s, why in missing_seeds(frames, arm.name, AVERAGE, []))
            verdict = "not run" if reason else judge({"psnr": measured}, {"psnr": published})
            found.append(
                CheckpointCell(arm.name, dataset, percent(ratio), published, measured, verdict, reason, remark(rows))
            )
    return found


def _why_not(frames: StudyFrames, arm: Arm, dataset: str, ratio: float) -> str:
    """Why an arm's validation cannot be compared: validation quality is a mean over the ratios that a trial validates."""
    if not frames.plan.as_published:
        return NOT_AS_PUBLISHED
    if others := [c.data.validation for c in arm.configs if c.data.validation != dataset]:
        return f"validated on {others[0]}, not on {dataset}"
    validated = sorted({r for c in arm.configs for r in c.data.validation_ratios or c.task.ratios})
    if validated != [ratio]:
        return f"validated over {', '.join(percent(r) for r in validated)} together, not at {percent(ratio)}"
    return ""
