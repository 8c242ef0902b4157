"""How large a difference has to be for a study of so many seeds to find it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.frames import StudyFrames
from analysis.numbers import number, percent, plural
from analysis.statistics import Comparison, sensitivities
from analysis.statistics.sensitivity import POWER, uncertainty
from analysis.tables.differences import compared
from analysis.tables.table import Number, Table, Text
from analysis.words.spent import UNITS

LARGER = (5, 10, 20, 50)
"""Numbers of seeds beside the study's own."""
COLUMNS = 3


def sensitivity_table(frames: StudyFrames, comparisons: Sequence[Comparison], dataset: str) -> Table:
    """The smallest difference of PSNR that is found with so many seeds, for each comparison with two or more."""
    found = sensitivities([c for c in comparisons if c.dataset == dataset])
    there = max((len(s.comparison.seeds) for s in found), default=0)
    counts = [there, *[n for n in LARGER if n > there][:COLUMNS]] if there else []
    head, names = compared(frames, [s.comparison for s in found])
    rows: list[dict[str, Any]] = []
    for s, name in zip(found, names, strict=True):
        c = s.comparison
        row: dict[str, Any] = {
            "family": frames.arms[c.arm].family,
            "comparison": name,
            "arm": c.arm,
            "versus": c.versus,
        }
        row |= {"measured": c.mean, "spread": float(np.std(c.per_seed, ddof=1))}
        rows.append(row | {str(n): s.detectable(n) for n in counts})
    return Table(
        name=f"sensitivity-{dataset}",
        title=f"Differences that more seeds would find on {dataset}",
        caption=_caption(frames, found[0].tests, there) if found else "",
        frame=pd.DataFrame(rows),
        columns=(
            Text(key="comparison", header=head),
            Number(key="measured", header="Measured", unit="dB", digits=3, signed=True),
            Number(key="spread", header="SD over seeds", unit="dB", digits=3),
            *(Number(key=str(n), header=f"{n} seeds", unit="dB", digits=3) for n in counts),
        ),
        group="family" if any(frames.families()) else "",
    )


def _caption(frames: StudyFrames, tests: int, seeds: int) -> str:
    low, high = uncertainty(seeds)
    return (
        f"The smallest true PSNR difference that {percent(POWER)} of studies with so many seeds would call decided, by both "
        f"t-tests at the level of 5\u00a0% divided by {plural(tests, 'comparison')}, as Holm's correction has it for the "
        "smallest p. It follows from the spread over seeds and images, not from the difference that was measured. Where more "
        "seeds help little, it is the images that disagree, and only more of them would find less. The spread is itself "
        f"estimated: with {plural(seeds, 'seed')} the true standard deviation may be {number(low, 1)} to {number(high, 1)} times "
        f"the one here (95\u00a0%). {_cost(frames)}"
    ).rstrip()


def _cost(frames: StudyFrames) -> str:
    """What one more seed of all arms takes."""
    trials = frames.trials.drop_duplicates("fingerprint")
    done = trials[trials["status"] == "complete"]
    kind = "gpu" if done["gpu_hours"].sum() else "core"
    hours = float(done[f"{kind}_hours"].mean()) * len(trials) / len(frames.plan.seeds)
    return (
        f"One more seed of all arms takes {number(hours, 3)}\u00a0{UNITS[kind]} at the pace of these."
        if hours > 0
        else ""
    )
