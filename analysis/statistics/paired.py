"""One arm against another: differences paired by seed, image, ratio and matrix, with intervals and a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from analysis.frames import StudyFrames
from analysis.frames.measures import (
    AVERAGE,
    LACKS_SCORES,
    SEVERAL,
    cell_means,
    initial_scores,
    missing_seeds,
    network_scores,
    per_image,
)
from analysis.numbers import percent
from analysis.statistics.corrections import decided, holm
from analysis.statistics.intervals import Floats, bootstrap_interval, cautious_p, crossed_interval, t_estimate

Verdict = Literal["higher", "lower", "undecided", "equal", "no data"]
NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Mean of `metric(arm) - metric(versus)` on the test images of one dataset, at a ratio, averaged over several, or over all.

    Attributes:
        seeds: seeds for which both arms are complete.
        per_seed: mean difference of each of them.
        mean, low, high, df, p: Student's t over the seeds; nan where unknown.
        boot_low, boot_high: bootstrap over seeds and images.
        all_low, all_high: crossed t over seeds and images; p_all: the larger of p and its p-value.
        p_holm: p_all corrected for all comparisons on this dataset and metric among the arms that are tested by one protocol.
        images: number of test images.
        images_better: part of the images whose mean difference over the seeds is positive.
        effect: Cohen's d_z, the paired standardised difference: mean_i(d_i) / sd_i(d_i), d_i the mean difference over
            the seeds on image i, sd with n - 1; nan below 2 images or without spread.
        missing: seeds without a difference and why.
        reason: why there is no estimate at all.
        differences: the differences themselves, shape (seeds, images).
        same: whether both arms are the very same trials, or gave the very same images, as two revisions of a study may: there
            is nothing to test, and p_all is not known.
    """

    arm: str
    versus: str
    dataset: str
    at: str
    metric: str
    seeds: tuple[int, ...] = ()
    per_seed: tuple[float, ...] = ()
    mean: float = NAN
    low: float = NAN
    high: float = NAN
    df: int = 0
    p: float = NAN
    boot_low: float = NAN
    boot_high: float = NAN
    all_low: float = NAN
    all_high: float = NAN
    p_all: float = NAN
    p_holm: float = NAN
    images: int = 0
    images_better: float = NAN
    effect: float = NAN
    missing: tuple[tuple[int, str], ...] = ()
    reason: str = ""
    differences: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False, compare=False)
    same: bool = False

    @property
    def decided(self) -> bool:
        """Whether both hold: Holm's p is below 5 %, and the bootstrap interval excludes zero."""
        return decided(self.p_holm, self.boot_low, self.boot_high)

    @property
    def verdict(self) -> Verdict:
        if not self.seeds:
            return "no data"
        if self.same:
            return "equal"
        if not self.decided:
            return "undecided"
        return "higher" if self.mean > 0 else "lower"


class Images:
    """Per-image values of a study, looked up by arm; computed once for all comparisons."""

    def __init__(self, frames: StudyFrames, *, checkpoint: str = "best") -> None:
        self.frames = frames
        rows = network_scores(frames, checkpoint=checkpoint)
        self.values = per_image(frames, rows)
        self._tables: dict[tuple[str, str, str], dict[str, pd.DataFrame]] = {}
        keys = ["dataset", "ratio", "matrix"]
        used = rows.drop_duplicates(["arm", *keys]).groupby("arm", observed=True)
        self._matrices = {str(arm): set(g[keys].itertuples(index=False, name=None)) for arm, g in used}

    @cached_property
    def initial(self) -> pd.DataFrame:
        """The same for the initial estimates."""
        return per_image(self.frames, initial_scores(self.frames))

    @cached_property
    def cells(self) -> pd.DataFrame:
        """Means over the images, see `cell_means`."""
        return cell_means(self.values)

    @cached_property
    def initial_cells(self) -> pd.DataFrame:
        """The same for the initial estimates."""
        return cell_means(self.initial)

    def table(self, arm: str, dataset: str, at: str, metric: str) -> pd.DataFrame:
        """Values of one arm, shape (seeds, images); a mean over several ratios is there where all of them are."""
        if SEVERAL in at:
            tables = [self.table(arm, dataset, one, metric) for one in at.split(SEVERAL)]
            return sum(tables[1:], tables[0]) / len(tables)
        key = (dataset, at, metric)
        if key not in self._tables:
            self._tables[key] = self._pivoted(*key)
        return self._tables[key].get(arm, pd.DataFrame())

    def _pivoted(self, dataset: str, at: str, metric: str) -> dict[str, pd.DataFrame]:
        """The tables of all arms."""
        rows = self.values
        rows = rows[(rows["dataset"] == dataset) & (rows["at"] == at) & (rows["metric"] == metric)]
        wide = rows.astype({"arm": object, "image": object}).pivot(
            index=["arm", "seed"], columns="image", values="value"
        )
        return {str(a): own.droplevel("arm").dropna(axis=1, how="all") for a, own in wide.groupby(level="arm")}

    def incomparable(self, arm: str, versus: str, dataset: str, at: str) -> str:
        """Why two arms cannot be paired: other protocols, test matrices, or ratios of an average; empty if they can."""
        groups = [self.frames.group_of(a) for a in (arm, versus)]
        if groups[0] != groups[1]:
            return f"tested by different protocols ({groups[0].name} and {groups[1].name})"
        if at == AVERAGE and (apart := at_other_ratios(self.frames, arm, versus)):
            return apart
        ours, theirs = ({m for m in self._matrices.get(a, set()) if m[0] == dataset} for a in (arm, versus))
        if not ours or not theirs or ours == theirs:
            return ""
        one, other = ({r for _, r, _ in m} for m in (ours, theirs))
        if one & other and {m for m in ours if m[1] in one & other} != {m for m in theirs if m[1] in one & other}:
            names = [", ".join(sorted({m for _, _, m in side})) for side in (ours, theirs)]
            return f"measured with different matrices ({names[0]} and {names[1]})"
        return ""

    def datasets(self) -> list[str]:
        return [str(d) for d in self.values["dataset"].unique()]

    def datasets_of(self, arm: str) -> list[str]:
        """The test sets of the arm's protocol group."""
        return [d for d in self.datasets() if d.endswith(self.frames.group_of(arm).suffix)]


def at_other_ratios(frames: StudyFrames, arm: str, versus: str) -> str:
    """Why averages of two arms cannot be paired: they are over different ratios; empty if they are not."""
    one, other = (", ".join(percent(r) for r in frames.arms[a].ratios) for a in (arm, versus))
    return f"tested at different sampling ratios ({one} and {other})" if one != other else ""


def paired_differences(images: Images, arm: str, versus: str, dataset: str, at: str, metric: str) -> pd.DataFrame:
    """`metric(arm) - metric(versus)`, shape (seeds, images); only seeds and images that both arms have."""
    ours, theirs = images.table(arm, dataset, at, metric), images.table(versus, dataset, at, metric)
    if ours.empty or theirs.empty:
        return pd.DataFrame()
    return (ours - theirs).dropna(axis=0, how="all").dropna(axis=1, how="any")


def compare(images: Images, arm: str, versus: str, dataset: str, at: str = AVERAGE, metric: str = "psnr") -> Comparison:
    """One comparison, its Holm correction still open."""
    base = Comparison(arm=arm, versus=versus, dataset=dataset, at=at, metric=metric)
    if reason := images.incomparable(arm, versus, dataset, at):
        return replace(base, reason=reason)
    table = paired_differences(images, arm, versus, dataset, at, metric)
    seeds = [int(s) for s in table.index]
    known = {a: [int(s) for s in images.table(a, dataset, at, metric).dropna(how="all").index] for a in (arm, versus)}
    missing = tuple(missing_pairs(images.frames, known, at))
    if table.empty:
        reason = missing[0][1] if missing else "no test image is common to both"
        return replace(base, missing=missing, reason=reason)
    prints = images.frames.fingerprints
    same = all(prints.get((arm, s)) == prints.get((versus, s)) for s in seeds)
    return estimated(replace(base, missing=missing), table, same=same)


def less(one: Comparison, other: Comparison) -> Comparison:
    """How much more the first change gains than the second: their difference, on the seeds and images that both have."""
    base = Comparison(arm=one.arm, versus=one.versus, dataset=one.dataset, at=one.at, metric=one.metric)
    base = replace(base, missing=tuple(dict.fromkeys((*one.missing, *other.missing))))
    if reason := one.reason or other.reason:
        return replace(base, reason=reason)
    table = (one.differences - other.differences).dropna(axis=0, how="all").dropna(axis=1, how="any")
    if table.empty:
        return replace(base, reason="no seed and test image is common to all four arms")
    return estimated(base, table, same=one.same and other.same)


def estimated(base: Comparison, table: pd.DataFrame, *, same: bool) -> Comparison:
    """What the differences, shape (seeds, images), say; `same`: whether they are between equal trials."""
    values: Floats = table.to_numpy(dtype=float)
    estimate = t_estimate(values.mean(axis=1))
    low, high = bootstrap_interval(values)
    all_low, all_high = crossed_interval(values)
    same = same or not values.any()
    p_all = NAN if same else cautious_p(values)
    by_image = values.mean(axis=0)
    return replace(
        base,
        seeds=tuple(int(s) for s in table.index),
        per_seed=tuple(float(v) for v in values.mean(axis=1)),
        mean=estimate.mean,
        low=estimate.low,
        high=estimate.high,
        df=estimate.df,
        p=estimate.p,
        boot_low=low,
        boot_high=high,
        all_low=float(all_low),
        all_high=float(all_high),
        p_all=p_all,
        p_holm=p_all,
        images=values.shape[1],
        images_better=float((by_image > 0).mean()),
        effect=_effect(by_image),
        differences=table,
        same=same,
    )


def over_seeds(base: Comparison, values: pd.Series, reason: str) -> Comparison:
    """A comparison of what a seed has one value of, without images: p is Student's t over the seeds alone.

    Args:
        base: knows which seeds are missing.
        values: the difference by seed.
        reason: why there is none, where no seed is missing.
    """
    if values.empty:
        return replace(base, reason=base.missing[0][1] if base.missing else reason)
    found = estimated(base, values.to_frame(base.dataset), same=False)
    p = NAN if found.same else found.p
    return replace(found, p_all=p, p_holm=p)


def _effect(by_image: Floats) -> float:
    spread = float(np.std(by_image, ddof=1)) if len(by_image) > 1 else NAN
    return float(np.mean(by_image)) / spread if spread > 0 else NAN


def missing_pairs(
    frames: StudyFrames, known: Mapping[str, Sequence[int]], at: str, lacks: str = LACKS_SCORES
) -> Iterable[tuple[int, str]]:
    """The plan's seeds without a difference, each with the arm that lacks it and why.

    Args:
        known: the seeds for which each of the two arms has a value.
        lacks: as in `missing_seeds`.
    """
    lacking = {arm: dict(missing_seeds(frames, arm, at, seeds, lacks)) for arm, seeds in known.items()}
    for seed in frames.plan.seeds:
        if reason := next((f"{arm}, seed {seed}: {own[seed]}" for arm, own in lacking.items() if seed in own), ""):
            yield seed, reason


def most_pairs(frames: StudyFrames, comparisons: Iterable[Comparison]) -> int:
    """Pairs of the comparison that has most; the plan's seeds, joined studies' together, may be more than any has."""
    return max((len(c.seeds) for c in comparisons), default=0) or len(frames.plan.seeds)


def compare_arms(images: Images, *, at: str = AVERAGE, metric: str = "psnr") -> list[Comparison]:
    """Every arm with its `compare_to` on every dataset, p-values corrected by Holm within each dataset."""
    pairs = [(a.name, a.compare_to) for a in images.frames.arms.values() if a.compare_to]
    results: list[Comparison] = []
    for dataset in images.datasets() or images.frames.planned_sets():
        found = [compare(images, a, v, dataset, at, metric) for a, v in pairs]
        corrected = holm([c.p_all for c in found])
        results += [replace(c, p_holm=p) for c, p in zip(found, corrected, strict=True)]
    return results
