"""Main effects over settings: the effect of a treatment averaged over all families that have it, and how it differs
between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.frames import StudyFrames
from analysis.frames.families import SEPARATOR
from analysis.statistics.corrections import decided, holm
from analysis.statistics.factorial import Change, contrasts, grids
from analysis.statistics.intervals import (
    Estimate,
    Floats,
    bootstrap_interval,
    cautious_p,
    crossed_interval,
    t_estimate,
)
from analysis.statistics.paired import Comparison


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A contrast between paired differences, estimated per seed.

    Attributes:
        name: e.g. "recursive minus unrolled", or "recursive minus unrolled: 10 % minus 100 %" for an interaction.
        kind: "main" (a treatment, mean over families), "factor" (a level of a factor, mean over the other factors of the
            same family), or "interaction" (how much more one change does at one level of a factor than at another).
        settings: number of comparisons or, of factorial effects, of combinations that enter.
        estimate: Student's t over the seeds for which all of them are complete.
        boot_low, boot_high: bootstrap over these seeds and the images; all_low, all_high: crossed t over both.
        p_all: as in `Comparison`; p_holm: corrected over all effects on the dataset.
        family, changes: of factorial effects, see `Contrast`; else empty.
        pairs: the arms whose differences are averaged, each with the one it is compared with; none of interactions.
        reason: why there is no estimate.
        same: whether all that is averaged compares the very same trials or images, or the trials of one side gave the images of
            the other, so that there is nothing to test.
    """

    name: str
    kind: str
    dataset: str
    settings: int
    estimate: Estimate
    boot_low: float
    boot_high: float
    all_low: float = float("nan")
    all_high: float = float("nan")
    p_all: float = float("nan")
    p_holm: float = float("nan")
    family: str = ""
    changes: tuple[Change, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    same: bool = False

    @property
    def verdict(self) -> str:
        if self.same:
            return "equal"
        if self.estimate.n < 2:
            return "undecided: one seed" if self.estimate.n else "no data"
        if not decided(self.p_holm, self.boot_low, self.boot_high):
            return "undecided"
        return "higher" if self.estimate.mean > 0 else "lower"


def main_effects(frames: StudyFrames, comparisons: Sequence[Comparison]) -> list[Effect]:
    """Main effect of every treatment pair that occurs in two or more families, its interaction with the factors between families,
    and the factorial effects within families; p-values corrected together on each dataset."""
    results: list[Effect] = []
    for dataset in dict.fromkeys(c.dataset for c in comparisons):
        effects: list[Effect] = []
        groups = _by_treatment(frames, [c for c in comparisons if c.dataset == dataset])
        for (treatment, versus), found in groups.items():
            if len(found) > 1:
                name = f"“{treatment}” minus “{versus}”"
                main = _effect(name, "main", dataset, found, np.full(len(found), 1 / len(found)))
                effects.append(replace(main, pairs=tuple((c.arm, c.versus) for c in found)))
                effects += _interactions(frames, name, dataset, found)
        effects += factorial_effects(frames, dataset, [c for c in comparisons if c.dataset == dataset])
        corrected = holm([e.p_all for e in effects])
        results += [replace(e, p_holm=p) for e, p in zip(effects, corrected, strict=True)]
    return results


def _by_treatment(frames: StudyFrames, found: Sequence[Comparison]) -> dict[tuple[str, str], list[Comparison]]:
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for c in found:
        groups.setdefault((frames.arms[c.arm].treatment, frames.arms[c.versus].treatment), []).append(c)
    return groups


def _interactions(frames: StudyFrames, name: str, dataset: str, found: list[Comparison]) -> list[Effect]:
    """Effect at each further level of a factor minus that at its first one, averaged over the rest.

    Only where every level has the same settings of the rest, which would else be what makes the difference. Factors that change
    together are one, named by the levels of both.
    """
    effects = []
    factors = [frames.arms[c.arm].factors for c in found]
    together: dict[tuple[int, ...], list[str]] = {}
    for factor in dict.fromkeys(n for f in factors for n in f):
        own = [f.get(factor, "") for f in factors]
        together.setdefault(tuple(own.index(level) for level in own), []).append(factor)
    for names in together.values():
        levels = [SEPARATOR.join(f[n] for n in names if f.get(n)) or "none" for f in factors]
        first, *others = dict.fromkeys(levels)
        rests: dict[str, list[list[tuple[str, str]]]] = {level: [] for level in levels}
        for level, f in zip(levels, factors, strict=True):
            rests[level].append(sorted((n, v) for n, v in f.items() if n not in names))
        if any(sorted(rest) != sorted(rests[first]) for rest in rests.values()):
            continue
        pairs = [(first, others[0])] if len(others) == 1 else [(level, first) for level in others]
        for one, other in pairs:
            weights = np.array([(level == one) - (level == other) for level in levels]) / levels.count(one)
            effects.append(_effect(f"{name}: {one} minus {other}", "interaction", dataset, found, weights))
    return effects


def factorial_effects(frames: StudyFrames, dataset: str, found: Sequence[Comparison]) -> list[Effect]:
    """Main effects and two-way interactions of the factors that form a full grid within a family.

    The base arm has weight, but no difference to itself: a contrast of arms is that of their differences to it.
    """
    known = {c.arm: c for c in found}
    effects = []
    for grid in grids(frames.arms.values()):
        for contrast in contrasts(grid):
            weights = {arm: w for arm, w in contrast.weights.items() if arm in known}
            comparisons = [known[arm] for arm in weights]
            if comparisons:
                effect = _effect(contrast.name, contrast.kind, dataset, comparisons, np.array(list(weights.values())))
                effect = replace(effect, settings=contrast.settings, family=contrast.family)
                effects.append(replace(effect, changes=contrast.changes, pairs=contrast.pairs))
    return effects


def _effect(name: str, kind: str, dataset: str, found: list[Comparison], weights: Floats) -> Effect:
    """The weighted sum of differences, seed by seed and image by image, over what all comparisons have in common."""
    tables = [c.differences for c in found]
    seeds = sorted(set.intersection(*(set(t.index) for t in tables)))
    images = sorted(set.intersection(*(set(t.columns) for t in tables)))
    table: Floats = np.zeros((len(seeds), len(images)))
    for weight, own in zip(weights, tables, strict=True):
        table += weight * own.reindex(index=seeds, columns=images).to_numpy(dtype=float)
    estimate = t_estimate(table.mean(axis=1) if table.size else np.array([]))
    low, high = bootstrap_interval(table)
    all_low, all_high = crossed_interval(table)
    same = all(c.same for c in found) or (table.size > 0 and not table.any())
    lacking = [c.missing[0][1] if c.missing else c.reason for c in found if not c.seeds]
    reason = "" if estimate.n else (lacking or ["no seed or image is common to all"])[0]
    return Effect(
        name=name,
        kind=kind,
        dataset=dataset,
        settings=len(found),
        estimate=estimate,
        boot_low=low,
        boot_high=high,
        all_low=float(all_low),
        all_high=float(all_high),
        p_all=float("nan") if same else cautious_p(table),
        reason=reason,
        same=same,
    )
