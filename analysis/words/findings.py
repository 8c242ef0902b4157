"""A difference in words: its name, its mean with interval, and what may be said about it."""

from __future__ import annotations

import math
from typing import NamedTuple

from analysis.frames import StudyFrames
from analysis.frames.families import shared
from analysis.numbers import DIGITS, NBSP, number, plural, with_unit
from analysis.statistics import Comparison, Effect
from analysis.statistics.claims import WITHOUT_IMAGES
from analysis.statistics.corrections import held_back
from analysis.words.budgets import costs_beside
from rdun.significance import LEVEL

VERDICTS = {
    "higher": "higher",
    "lower": "lower",
    "equal": "no difference at all: the trials gave equal images",
    "no data": "no data",
}


class Finding(NamedTuple):
    """A comparison, or an effect over several.

    Attributes:
        mean, low, high: in dB, over `seeds` seeds.
        held_back: whether it is undecided because of Holm's correction alone.
        equal: whether the trials gave equal images, so that there is nothing to decide.
        one_image: whether the one test image says nothing about others.
        verdict: in words.
        costs: what the arms take beside those they are compared with, where that differs.
    """

    name: str
    mean: float
    low: float
    high: float
    seeds: int
    decided: bool
    held_back: bool
    verdict: str
    costs: str = ""
    one_image: bool = False
    equal: bool = False

    @staticmethod
    def of_effect(frames: StudyFrames, e: Effect) -> Finding:
        verdict = VERDICTS["equal"] if e.same else e.verdict.partition(":")[0]
        if verdict == "undecided":
            verdict = undecided(e.estimate.p, e.p_all, e.p_holm)
        return Finding(
            name=_of(shared(frames.arms[arm].family for arm, _ in e.pairs), e.name + on(frames, e.dataset)),
            mean=e.estimate.mean,
            low=e.estimate.low,
            high=e.estimate.high,
            seeds=e.estimate.n,
            decided=e.verdict in ("higher", "lower"),
            held_back=held_back(e.p_all, e.p_holm, e.boot_low, e.boot_high),
            verdict=verdict,
            costs=costs_beside(frames, e.pairs),
            one_image=e.estimate.n > 1 and math.isnan(e.p_all) and not e.same,
            equal=e.same,
        )

    @staticmethod
    def of_comparison(frames: StudyFrames, c: Comparison) -> Finding:
        verdict = VERDICTS.get(c.verdict) or undecided(c.p, c.p_all, c.p_holm)
        return Finding(
            name=compared(frames, c),
            mean=c.mean,
            low=c.low,
            high=c.high,
            seeds=len(c.seeds),
            decided=c.decided,
            held_back=held_back(c.p_all, c.p_holm, c.boot_low, c.boot_high),
            verdict="undecided: one seed" if len(c.seeds) == 1 and not c.same else verdict,
            costs=costs_beside(frames, [(c.arm, c.versus)]),
            one_image=c.images == 1,
            equal=c.same,
        )

    def words(self) -> str:
        """ "recursive minus unrolled: +0.10 dB (95 % interval ...) with parameters ×0.25"."""
        return f"{self.name}: {number(self.mean, signed=True)}{NBSP}dB{bounds(self.low, self.high, self.seeds)}{self.at_costs}"

    @property
    def at_costs(self) -> str:
        """ " with parameters ×0.25, MACs ×4"; empty where all are equal."""
        return f" with {self.costs}" if self.costs else ""


def undecided(p: float, p_all: float, p_holm: float) -> str:
    """ "undecided", and what speaks against it where its own interval over seeds excludes zero."""
    if not p < LEVEL:
        return "undecided"
    if math.isnan(p_all):
        return "undecided: its own interval excludes zero, one test image says nothing about all images"
    if p_all >= LEVEL:
        return "undecided: its own interval excludes zero, that for all images does not"
    if p_holm >= LEVEL:
        return "undecided after Holm: its own interval excludes zero, the correction for several comparisons does not"
    return "undecided: its own interval excludes zero, the bootstrap over images does not"


def bounds(low: float, high: float, seeds: int, metric: str = "psnr", digits: int | None = None) -> str:
    """ " (95 % interval +0.05 to +0.15 dB, 3 seeds)", with the metric's own digits or so many."""
    if seeds < 2:
        return " (one seed, no interval)"
    places = digits or DIGITS[metric]
    if any(end and not round(end, places) for end in (low, high)):
        places += 1  # an end that is written as 0.00 would not say on which side of zero it lies
    ends = f"{number(low, places, signed=True)} to {with_unit(high, metric, places, signed=True)}"
    return f" (95{NBSP}% interval {ends}, {plural(seeds, 'seed')})"


def compared(frames: StudyFrames, c: Comparison) -> str:
    """Family, arm and base arm."""
    pair = f"“{frames.arms[c.arm].treatment}” minus “{frames.arms[c.versus].treatment}”"
    return _of(frames.arms[c.arm].family, pair + on(frames, c.dataset))


def _of(family: str, pair: str) -> str:
    return f"{family}, {pair}" if family else pair


def on(frames: StudyFrames, dataset: str) -> str:
    """Names the test set where there are several; what is about none names none."""
    return f" on {dataset}" if len(frames.test_sets) > 1 and dataset not in WITHOUT_IMAGES.values() else ""
