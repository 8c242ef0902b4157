"""What rules of early stopping would have spent and found, from replays of one recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from analysis.numbers import plural
from analysis.tables.table import Number, Table, Text
from analysis.words.search_words import quantity
from rdun.replay import Outcome

EXACT = 1e-9
"""Regret below which the best of the record counts as found."""


def replay_table(outcomes: Sequence[Outcome], name: str, quality: str, slots: int) -> Table:
    """One line per rule: means over the orders."""
    frame = pd.DataFrame([asdict(outcome) for outcome in outcomes])
    frame["worst"] = frame["regret"]
    frame["found"] = 100.0 * (frame["regret"] < EXACT)
    how = dict.fromkeys(
        ("complete", "stopped", "core_hours", "hours", "hours_to_best", "best", "regret", "found"), "mean"
    )
    means = frame.groupby("rule", sort=False).agg({**how, "worst": "max"}).reset_index()
    base = means.loc[means["rule"] == "none", "core_hours"]
    means["share"] = 100 * means["core_hours"] / base.iloc[0] if len(base) else float("nan")
    known, count = quantity(quality), frame["order"].nunique()
    return Table(
        name="replay",
        title=f"Early stopping, replayed from {name}",
        caption=(
            f"{plural(int(frame['trials'].iloc[0]), 'recorded trial')}, {slots} at once, in {plural(count, 'order')}"
            + (" (means; the first is the record's, the others are random)" if count > 1 else " (the record's)")
            + f". Core-hours and hours are of training steps in the record. Regret: how far the best {known.name} of a complete "
            "trial is below the best in the record."
        ),
        frame=means,
        columns=(
            Text(key="rule", header="Rule"),
            Number(key="complete", header="Complete", digits=1),
            Number(key="stopped", header="Stopped", digits=1),
            Number(key="core_hours", header="Core-hours", digits=3),
            Number(key="share", header="Of none", unit="%", digits=0),
            Number(key="hours", header="Hours", digits=3),
            Number(key="hours_to_best", header="Hours to best", digits=3),
            Number(key="best", header=f"Best {known.name}", unit=known.unit, digits=3),
            Number(key="regret", header="Regret", unit=known.unit, digits=3),
            Number(key="worst", header="Largest regret", unit=known.unit, digits=3),
            Number(key="found", header="Best found", unit="%", digits=0),
        ),
    )
