"""Main effects over settings: the effect of a treatment averaged over all families that have it, and how it differs
between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.frames import StudyFrames
from analysis.statistics.corrections import decided, holm
from analysis.statistics.intervals import Estimate, Floats, bootstrap_interval, t_estimate
from analysis.statistics.paired import Comparison


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A contrast between paired differences, estimated per seed.

    Attributes:
        name: e.g. "recursive minus unrolled", or "recursive minus unrolled: 10 % minus 100 %" for an interaction.
        kind: "main" (mean over settings) or "interaction" (difference of two levels of a factor).
        settings: number of families that enter.
        estimate: Student's t over the seeds for which all of them are complete.
        boot_low, boot_high: bootstrap over these seeds and the images; p_holm: corrected over all effects on the dataset.
    """

    name: str
    kind: str
    dataset: str
    settings: int
    estimate: Estimate
    boot_low: float
    boot_high: float
    p_holm: float = float("nan")

    @property
    def verdict(self) -> str:
        if self.estimate.n < 2:
            return "undecided: one seed" if self.estimate.n else "no data"
        if not decided(self.p_holm, self.boot_low, self.boot_high):
            return "undecided"
        return "higher" if self.estimate.mean > 0 else "lower"


def main_effects(frames: StudyFrames, comparisons: Sequence[Comparison]) -> list[Effect]:
    """Main effect of every treatment pair that occurs in two or more families, and its interaction with two-level factors."""
    results: list[Effect] = []
    for dataset in dict.fromkeys(c.dataset for c in comparisons):
        effects: list[Effect] = []
        groups = _by_treatment(frames, [c for c in comparisons if c.dataset == dataset])
        for (treatment, versus), found in groups.items():
            if len(found) > 1:
                name = f"“{treatment}” minus “{versus}”"
                effects.append(_effect(name, "main", dataset, found, np.full(len(found), 1 / len(found))))
                effects += _interactions(frames, name, dataset, found)
        corrected = holm([e.estimate.p for e in effects])
        results += [replace(e, p_holm=p) for e, p in zip(effects, corrected, strict=True)]
    return results


def _by_treatment(frames: StudyFrames, found: Sequence[Comparison]) -> dict[tuple[str, str], list[Comparison]]:
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for c in found:
        groups.setdefault((frames.arms[c.arm].treatment, frames.arms[c.versus].treatment), []).append(c)
    return groups


def _interactions(frames: StudyFrames, name: str, dataset: str, found: list[Comparison]) -> list[Effect]:
    """Effect at one level minus effect at the other, averaged over the rest, for factors with two levels."""
    effects = []
    factors = [frames.arms[c.arm].factors for c in found]
    for factor in dict.fromkeys(n for f in factors for n in f):
        levels = [f.get(factor, "") for f in factors]
        one, *others = dict.fromkeys(levels)
        if len(others) != 1 or levels.count(one) != levels.count(others[0]):
            continue
        weights = np.array([1 if level == one else -1 for level in levels]) / levels.count(one)
        effects.append(_effect(f"{name}: {one} minus {others[0]}", "interaction", dataset, found, weights))
    return effects


def _effect(name: str, kind: str, dataset: str, found: list[Comparison], weights: Floats) -> Effect:
    """The weighted sum of differences, seed by seed and image by image, over what all comparisons have in common."""
    tables = [c.differences for c in found]
    seeds = sorted(set.intersection(*(set(t.index) for t in tables)))
    images = sorted(set.intersection(*(set(t.columns) for t in tables)))
    values = sum(w * t.loc[seeds, images].to_numpy(dtype=float) for w, t in zip(weights, tables, strict=True))
    table: Floats = np.asarray(values, dtype=float).reshape(len(seeds), len(images))
    estimate = t_estimate(table.mean(axis=1) if table.size else np.array([]))
    low, high = bootstrap_interval(table)
    return Effect(
        name=name, kind=kind, dataset=dataset, settings=len(found), estimate=estimate, boot_low=low, boot_high=high
    )
