"""Whether one arm overfits less than another: the difference of their gaps between training and validation blocks, by seed."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from analysis.frames import StudyFrames
from analysis.frames.measures import AVERAGE, overfitting_cells
from analysis.statistics.corrections import holm
from analysis.statistics.paired import Comparison, at_other_ratios, missing_pairs, over_seeds

GAP = "gap"
BLOCKS = "blocks"
"""What a comparison of gaps is about, in place of a test set: all blocks of a split are pooled, so that there are no images."""


def gaps(frames: StudyFrames) -> pd.DataFrame:
    """The gap of each arm and seed at the best checkpoint in dB, shape (seeds, arms), see `overfitting_cells`."""
    known = [cells for part in frames.block_parts() if "gap" in (cells := overfitting_cells(part))]
    rows = pd.concat([cells[["arm", "seed", "gap"]].dropna() for cells in known]) if known else pd.DataFrame()
    return rows.pivot(index="seed", columns="arm", values="gap") if len(rows) else rows


def compare_gaps(frames: StudyFrames, values: pd.DataFrame, arm: str, versus: str) -> Comparison:
    """gap(arm) - gap(versus) with Student's t over the seeds that both have; below zero, `arm` overfits less.

    Args:
        values: see `gaps`.
    """
    base = Comparison(arm=arm, versus=versus, dataset=BLOCKS, at=AVERAGE, metric="psnr")
    if apart := at_other_ratios(frames, arm, versus):
        return replace(base, reason=apart)
    own = {a: values[a].dropna() if a in values else pd.Series(dtype=float) for a in (arm, versus)}
    known = {a: [int(seed) for seed in found.index] for a, found in own.items()}
    missing = tuple(missing_pairs(frames, known, AVERAGE, "complete, but without finite scores of blocks"))
    return over_seeds(replace(base, missing=missing), (own[arm] - own[versus]).dropna(), "no scores of blocks")


def compare_gaps_of_arms(frames: StudyFrames) -> dict[str, Comparison]:
    """Of every arm that has a `compare_to`, p-values corrected by Holm, by arm."""
    values = gaps(frames)
    pairs = [(a.name, a.compare_to) for a in frames.arms.values() if a.compare_to in frames.arms]
    found = [compare_gaps(frames, values, arm, str(versus)) for arm, versus in pairs]
    return {c.arm: replace(c, p_holm=p) for c, p in zip(found, holm([c.p_all for c in found]), strict=True)}
