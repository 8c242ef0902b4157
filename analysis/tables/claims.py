"""What the study claims, and what came out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.frames import StudyFrames
from analysis.frames.measures import AVERAGE
from analysis.numbers import finer
from analysis.statistics import ClaimResult
from analysis.tables.differences import costs_column
from analysis.tables.table import Interval, Number, Probability, Table, Text
from analysis.words.budgets import costs_beside, costs_caption

GAP = (
    "Gap: PSNR gained on the training blocks less that gained on the validation blocks; it has no images, and p is Student's "
    "t over seeds alone. "
)
TIME = (
    "Training time: the part of the seconds inside training steps that the arm saves, paired by seed where both ran on the same "
    "kind of device with as many threads; p is Student's t over seeds alone. "
)
METRICS = {"psnr": "PSNR, dB", "ssim": "SSIM", "gap": "Gap, dB", "time": "Training time, %"}
BEYOND = (
    "Where a claim is about two differences, the second one is taken off the first, seed by seed and image by image. "
)


def claims_table(frames: StudyFrames, results: Sequence[ClaimResult]) -> Table:
    """Each claim with its threshold, the measured difference, its interval and the verdict."""
    rows: list[dict[str, Any]] = [
        {
            "claim": r.claim.text,
            "difference": r.difference,
            "dataset": r.comparison.dataset,
            "at": r.comparison.at,
            "metric": METRICS[r.claim.metric],
            "digits": finer(r.comparison.metric),
            "at_least": r.claim.at_least,
            "mean": r.comparison.mean,
            "low": r.comparison.low,
            "high": r.comparison.high,
            "p_holm": r.p_holm,
            "verdict": r.verdict,
            "costs": costs_beside(frames, r.claim.pairs),
        }
        for r in results
    ]
    return Table(
        name="claims",
        title="Claims",
        caption=(
            "Declared in the study's file, whose history shows when. Held or refuted: the measured difference lies on that side "
            "of the threshold and "
            "p, the larger of Student's t over seeds and the crossed t over seeds and images, with Holm's correction over all "
            "claims, "
            "is below 0.05; the bootstrap over "
            "seeds and images agrees. Everything else is undecided. The interval is Student's t over seeds. "
            + (GAP if any(r.claim.metric == "gap" for r in results) else "")
            + (TIME if any(r.claim.metric == "time" for r in results) else "")
            + (BEYOND if any(r.claim.beyond for r in results) else "")
            + costs_caption([row["costs"] for row in rows])
        ),
        frame=pd.DataFrame(rows),
        columns=(
            Text(key="claim", header="Claim"),
            Text(key="difference", header="Difference"),
            Text(key="verdict", header="Verdict"),
            *([Text(key="dataset", header="Test set")] if len({r["dataset"] for r in rows}) > 1 else []),
            *([Text(key="at", header="Ratios")] if {r["at"] for r in rows} != {AVERAGE} else []),
            Text(key="metric", header="Metric"),
            Number(key="at_least", header="At least", signed=True, digits_by="digits"),
            Number(key="mean", header="Measured", signed=True, digits_by="digits"),
            Interval(low="low", high="high", header="95\u00a0% interval", digits_by="digits"),
            Probability(key="p_holm", header="p (Holm)"),
            *costs_column(rows),
        ),
    )
