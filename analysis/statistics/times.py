"""How much training time one arm saves against another, by seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from analysis.frames import StudyFrames
from analysis.frames.measures import AVERAGE, gap_reason, timing_cells
from analysis.statistics.paired import Comparison, over_seeds

TIME = "time"
TRAINING = "training"
"""What a comparison of times is about, in place of a test set."""
NO_SECONDS = "no training of its own was timed"
Places = frozenset[str]


@dataclass(frozen=True)
class Times:
    """Of the complete cells of a study.

    Attributes:
        cells: arm -> a line per seed, see `timing_cells`.
        places: (arm, seed) -> the devices that its trials were trained on, with their threads: times of others are none to
            compare, nor are those of several, as of a training that went on elsewhere.
    """

    frames: StudyFrames
    cells: Mapping[str, pd.DataFrame]
    places: Mapping[tuple[str, int], Places]

    def alike(self, arm: str, versus: str) -> tuple[list[int], list[int]]:
        """The seeds that both arms have: where both were trained on one kind of device with as many threads, and the others."""
        ours, theirs = (set(self.cells[a].index) if a in self.cells else set() for a in (arm, versus))
        both = sorted(int(s) for s in ours & theirs)
        same = [s for s in both if len(self.places[arm, s] | self.places[versus, s]) == 1]
        return same, [s for s in both if s not in same]

    def ratios(self, arm: str, versus: str, name: str) -> pd.Series:
        """A timing of the arm as a multiple of the other's, by seed."""
        seeds, _ = self.alike(arm, versus)
        if not seeds or name not in self.cells[arm]:
            return pd.Series(dtype=float)
        own, base = (self.cells[a].loc[seeds, name] for a in (arm, versus))
        return (own / base.where(base > 0)).dropna()

    def reason(self, arm: str, versus: str, seed: int) -> str:
        """Why there is no ratio for a seed."""
        if seed in self.alike(arm, versus)[1]:
            several = next((a for a in (arm, versus) if len(self.places[a, seed]) > 1), "")
            what = f"{several}, seed {seed}: trained on several devices"
            return what if several else f"{arm}, seed {seed}: on another device than {versus}"
        reasons = {a: gap_reason(self.frames, a, seed) for a in (arm, versus)}
        return next((f"{a}, seed {seed}: {why}" for a, why in reasons.items() if why), f"seed {seed}: {NO_SECONDS}")


def times(frames: StudyFrames) -> Times:
    """Of a study's complete cells."""
    rows = frames.timings[frames.timings["name"] == "train_seconds"]
    details = zip(rows["fingerprint"], rows["detail"], strict=True)
    timed = {str(fingerprint): str(detail).partition("; ")[2] for fingerprint, detail in details}
    places: dict[tuple[str, int], set[str]] = {}
    for t in frames.trials[frames.trials["status"] == "complete"].to_dict("records"):
        where = t["trained_on"] or [timed.get(t["fingerprint"], "")]  # its timing tells where another trial trained
        places.setdefault((str(t["arm"]), int(t["seed"])), set()).update(where)
    cells = {str(arm): own.set_index("seed") for arm, own in timing_cells(frames).groupby("arm", sort=False)}
    return Times(frames, cells, {cell: frozenset(found) for cell, found in places.items()})


def compare_times(known: Times, arm: str, versus: str) -> Comparison:
    """100 (1 - seconds(arm) / seconds(versus)) in %, with Student's t over the seeds; above zero, `arm` trains in less time.

    Seconds are those inside training steps, without validation. Only seeds for which both arms ran on the same kind of device
    with as many threads are compared; the spread holds what other work did to single trials.
    """
    base = Comparison(arm=arm, versus=versus, dataset=TRAINING, at=AVERAGE, metric=TIME)
    saved = 100 * (1 - known.ratios(arm, versus, "train_seconds"))
    missing = tuple((s, known.reason(arm, versus, s)) for s in known.frames.plan.seeds if s not in saved.index)
    return over_seeds(replace(base, missing=missing), saved, NO_SECONDS)
