"""Which arms overfit less than those that they are compared with."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.frames import StudyFrames
from analysis.numbers import plural
from analysis.statistics import compare_gaps_of_arms
from analysis.tables.differences import compared, verdict, without_pairs
from analysis.tables.table import Interval, Number, Probability, Table, Text


def gaps_table(frames: StudyFrames) -> Table:
    """Each arm's gap between training and validation blocks minus its base arm's, with interval, Holm's p and the verdict."""
    found, suffix = list(compare_gaps_of_arms(frames).values()), frames.block_groups[0].suffix
    tests = sum(c.p_all == c.p_all for c in found)
    head, names = compared(frames, found)
    rows: list[dict[str, Any]] = [
        {
            "family": frames.arms[c.arm].family,
            "comparison": name,
            "arm": c.arm,
            "versus": c.versus,
            "seeds": f"{len(c.seeds)} of {len(frames.plan.seeds)}",
            "mean": c.mean,
            "low": c.low,
            "high": c.high,
            "p": c.p,
            "p_holm": c.p_holm,
            "verdict": verdict(c),
        }
        for c, name in zip(found, names, strict=True)
    ]
    return Table(
        name=f"gaps{suffix}",
        title=f"Differences of the gap{suffix}",
        caption=(
            "Gap of the arm minus that of its base, paired by seed, with Student's t over seeds; below zero, the arm "
            f"overfits less. p is corrected by Holm for {plural(tests, 'comparison')}. Blocks are "
            "pooled, so that nothing is said about other images."
        ),
        frame=pd.DataFrame(rows),
        columns=(
            Text(key="comparison", header=head),
            Text(key="seeds", header="Seeds", align="right"),
            Number(key="mean", header="Gap minus base", unit="dB", digits=3, signed=True),
            Interval(low="low", high="high", header="95\u00a0% interval", unit="dB", digits=3),
            Probability(key="p_holm", header="p (Holm)"),
            Text(key="verdict", header="Verdict"),
        ),
        group="family" if any(frames.families()) else "",
        gaps=without_pairs(found),
    )
