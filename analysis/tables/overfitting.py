"""Overfitting: train, validation and test quality by training-set size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.frames import StudyFrames
from analysis.frames.measures import (
    SPLITS,
    facts,
    mean_and_spread,
    missing_seeds,
    overfitting_cells,
    without_block_averages,
)
from analysis.numbers import listed, number, percent
from analysis.tables.table import Column, Number, Table, Text


def overfitting_table(frames: StudyFrames) -> Table:
    """Pooled block PSNR of each split, its gain over the initial estimate, and the gap between training and validation."""
    values, suffix = overfitting_cells(frames), frames.block_groups[0].suffix
    by_arm = {str(arm): own for arm, own in values.groupby("arm", sort=False)}
    known = facts(frames, "blocks")
    rows: list[dict[str, Any]] = []
    gaps: dict[tuple[int, str], str] = {}
    unequal, unknown = without_block_averages(frames), _unknown(frames)
    for arm in _order(frames):
        own = values[:0] if arm in unequal else by_arm.get(arm, values[:0])
        place = frames.arms[arm]
        blocks = known[arm]
        row: dict[str, Any] = {
            "setting": place.setting,
            "arm": arm,
            "network": place.series,
            "size": size_label(place.fraction, blocks),
            "fraction": place.fraction,
            "blocks": blocks,
        }
        for name in [*SPLITS, *(f"gain {s}" for s in SPLITS), "gap", "gap last"]:
            row[name], row[f"{name} sd"] = mean_and_spread(own[name].dropna() if name in own else ())
            lacks = own.loc[own[name].isna(), "seed"] if name in own else ()
            if without := [str(seed) for seed in lacks if (arm, seed) in unknown]:
                gaps[len(rows), name] = f"without seed {listed(without)}, where some score is not a number"
        rows.append(row)
        if arm in unequal:
            gaps[len(rows) - 1, "gain train"] = unequal[arm]
        elif lacking := missing_seeds(frames, arm, "average", [int(s) for s in own["seed"]]):
            gaps[len(rows) - 1, "gain train"] = "; ".join(f"seed {s} {why}" for s, why in lacking)
    return Table(
        name=f"overfitting{suffix}",
        title=f"Overfitting by training-set size{suffix}",
        caption=(
            "PSNR of the mean squared error over all blocks of a split, best checkpoint, mean over ratios, test matrices and "
            "seeds (of the test split, over the test sets too). The "
            "splits hold different "
            "pictures, so each is also shown as the gain over its own initial estimate. Gap: gain on the training "
            "blocks minus gain on "
            "the validation blocks (± standard deviation over seeds); a larger gap means more overfitting. The "
            "last column is the gap after the last epoch."
        ),
        frame=pd.DataFrame(rows),
        columns=_columns(),
        group="setting" if any(a.setting for a in frames.arms.values()) else "",
        gaps=gaps,
    )


def _unknown(frames: StudyFrames) -> set[tuple[str, int]]:
    """The cells (arm, seed) with a score of blocks that is not a number."""
    scores = frames.scores[
        (frames.scores["unit"] == "block").to_numpy() & ~np.isfinite(frames.scores["value"].to_numpy())
    ]
    return set(zip(scores["arm"].astype(str), scores["seed"], strict=True))


def size_label(fraction: float, blocks: float) -> str:
    """`(0.1, 1111)` -> "10 % (1,111)"."""
    return percent(fraction) + (f" ({number(blocks, 0)})" if blocks == blocks else "")


def _order(frames: StudyFrames) -> list[str]:
    """Arms by setting, then series, then training size: what is to be compared stands together."""
    arms = list(frames.arms.values())
    settings, series = list(dict.fromkeys(a.setting for a in arms)), list(dict.fromkeys(a.series for a in arms))
    return [a.name for a in sorted(arms, key=lambda a: (settings.index(a.setting), series.index(a.series), a.fraction))]


def _columns() -> tuple[Column, ...]:
    names = {"train": "Train", "validation": "Validation", "test": "Test"}
    return (
        Text(key="network", header="Network"),
        Text(key="size", header="Training blocks", align="right"),
        *(Number(key=s, header=names[s], unit="dB") for s in SPLITS),
        *(Number(key=f"gain {s}", header=f"Gain, {s}", unit="dB", signed=True) for s in SPLITS),
        Number(key="gap", header="Gap", unit="dB", signed=True, spread="gap sd"),
        Number(key="gap last", header="Gap, last epoch", unit="dB", signed=True),
    )
