"""Claims a study declared beforehand, and what its numbers allow one to say about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from analysis.frames.measures import mean_over
from analysis.statistics.corrections import decided, holm
from analysis.statistics.gaps import BLOCKS, GAP, compare_gaps, gaps
from analysis.statistics.intervals import cautious_p, t_estimate
from analysis.statistics.paired import Comparison, Images, compare, less
from analysis.statistics.times import TIME, TRAINING, Times, compare_times, times
from rdun.results import ClaimRecord
from rdun.significance import LEVEL

ClaimVerdict = Literal["held", "refuted", "undecided"]
WITHOUT_IMAGES = {GAP: BLOCKS, TIME: TRAINING}
"""Metrics that a seed has one value of, and what they are about in place of a test set."""


@dataclass(frozen=True, kw_only=True)
class ClaimResult:
    """A claim `metric(arm) - metric(versus) >= at_least` and what the study says about it.

    Attributes:
        comparison: the difference itself; of a claim with `beyond`, the first difference less the second.
        p: two-sided p-value of "the difference is exactly `at_least`", the larger of those by Student's t over seeds and by the
            crossed t over seeds and images, of gaps and times, which have no images, the first; p_holm: corrected over the
            study's claims.
        verdict: "held" or "refuted" only if p_holm < 5 % and the bootstrap interval lies on one side of `at_least`.
        reason: why it is undecided.
    """

    claim: ClaimRecord
    comparison: Comparison
    p: float
    p_holm: float
    verdict: ClaimVerdict
    reason: str = ""

    @property
    def difference(self) -> str:
        """What was measured: "“A” minus “B”", of a claim with `beyond` "(“A” minus “B”) − (“C” minus “D”)"; of times
        "saved by “A” against “B”"."""
        words = "saved by “{}” against “{}”" if self.claim.metric == TIME else "“{}” minus “{}”"
        pairs = [words.format(*pair) for pair in self.claim.pairs]
        return pairs[0] if len(pairs) == 1 else " − ".join(f"({pair})" for pair in pairs)


def check_claims(images: Images, claims: Sequence[ClaimRecord]) -> list[ClaimResult]:
    """All claims of a study, on each test dataset that they are about, corrected together."""
    measure = _Measure(images)
    pairs = [(c, measure(c, d)) for c in claims for d in _datasets(images, c)]
    p_values = [_p(c, found) for c, found in pairs]
    return [_judge(c, f, p, q) for (c, f), p, q in zip(pairs, p_values, holm(p_values), strict=True)]


def _datasets(images: Images, claim: ClaimRecord) -> list[str]:
    if claim.metric in WITHOUT_IMAGES:
        return [WITHOUT_IMAGES[claim.metric]]
    found = [d for d in images.datasets_of(claim.arm) if claim.dataset in (None, images.frames.data_set(d))]
    return found or [claim.dataset or "test"]


class _Measure:
    """The difference that a claim is about; what claims have in common is computed once, and only where one asks."""

    def __init__(self, images: Images) -> None:
        self.images, self.frames = images, images.frames

    @cached_property
    def gaps(self) -> pd.DataFrame:
        return gaps(self.frames)

    @cached_property
    def times(self) -> Times:
        return times(self.frames)

    def __call__(self, claim: ClaimRecord, dataset: str) -> Comparison:
        at = mean_over(claim.ratios)
        if claim.metric == GAP:
            found = [compare_gaps(self.frames, self.gaps, *pair) for pair in claim.pairs]
        elif claim.metric == TIME:
            found = [compare_times(self.times, *pair) for pair in claim.pairs]
        else:
            found = [compare(self.images, *pair, dataset, at, claim.metric) for pair in claim.pairs]
            if claim.beyond and (apart := self.images.incomparable(claim.arm, claim.beyond[0], dataset, at)):
                return Comparison(
                    arm=claim.arm, versus=claim.versus, dataset=dataset, at=at, metric=claim.metric, reason=apart
                )
        return less(*found) if claim.beyond else found[0]


def _p(claim: ClaimRecord, found: Comparison) -> float:
    if claim.metric in WITHOUT_IMAGES:
        return t_estimate(np.array(found.per_seed), against=claim.at_least).p
    return cautious_p(found.differences.to_numpy(dtype=float), claim.at_least)


def _judge(claim: ClaimRecord, found: Comparison, p: float, p_holm: float) -> ClaimResult:
    verdict: ClaimVerdict = "undecided"
    reason = ""
    if not found.seeds:
        reason = found.reason or "no data"
    elif len(found.seeds) < 2:
        reason = "one seed gives no interval"
    elif found.images < 2 and claim.metric not in WITHOUT_IMAGES:
        reason = "one test image says nothing about all images"
    elif decided(p_holm, found.boot_low, found.boot_high, claim.at_least):
        verdict = "held" if found.mean > claim.at_least else "refuted"
    elif p_holm < LEVEL:
        reason = "single images disagree"
    elif p < LEVEL:
        reason = "not after the correction for several claims"
    elif found.low <= claim.at_least <= found.high:
        reason = "the interval contains the threshold"
    else:
        reason = "the interval for all images contains the threshold"
    return ClaimResult(claim=claim, comparison=found, p=p, p_holm=p_holm, verdict=verdict, reason=reason)
