"""The answer in plain words, made from the numbers and never saying more than they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from analysis.frames import StudyFrames
from analysis.measures import AVERAGE, cell_means
from analysis.numbers import NBSP, listed, number, plural
from analysis.statistics import ClaimResult, Comparison, Effect, smallest_exact_p
from analysis.statistics.corrections import LEVEL
from analysis.statistics.paired import Images


class Answer(NamedTuple):
    """`headline`: the answer in a sentence; `effects`: one per effect over all settings, under the head `over`;
    `context`: what it rests on;
    `lines`: one per comparison; `claims`: one per claim."""

    headline: str
    over: str
    effects: tuple[str, ...]
    context: tuple[str, ...]
    lines: tuple[str, ...]
    claims: tuple[str, ...]


def answer(
    images: Images, comparisons: Sequence[Comparison], effects: Sequence[Effect], claims: Sequence[ClaimResult]
) -> Answer:
    """The whole answer of a study."""
    frames = images.frames
    main = [e for e in effects if e.kind == "main" and e.estimate.n >= 1]
    context = [_single_settings(frames, comparisons) if main else "", _gain_sentence(images), _seeds_sentence(frames)]
    return Answer(
        headline=_progress(frames) + headline(frames, comparisons, main),
        over=_over(frames, main[0].settings) if main else "",
        effects=tuple(f"{_Finding.of_effect(frames, e).words()}: {_effect_verdict(e)}." for e in main),
        context=tuple(s for s in context if s),
        lines=tuple(comparison_sentence(frames, c) for c in comparisons),
        claims=tuple(claim_sentence(c) for c in claims),
    )


def _over(frames: StudyFrames, settings: int) -> str:
    if len(frames.groups) == 1:
        return f"Averaged over {plural(settings, 'setting')} ({listed(frames.families())}):"
    return f"Averaged over settings with equal test protocols ({'; '.join(listed(list(g.families)) for g in frames.groups)}):"


def _effect_verdict(e: Effect) -> str:
    if e.verdict == "undecided" and e.estimate.p < LEVEL:
        return "undecided: " + _disagreement(e.p_all, e.p_holm)
    return e.verdict.partition(":")[0]


def _disagreement(p_all: float, p_holm: float) -> str:
    if p_all >= LEVEL:
        return "its own interval excludes zero, that for all images does not"
    other = "the bootstrap over images" if p_holm < LEVEL else "the correction for several comparisons"
    return f"its own interval excludes zero, {other} does not"


def _progress(frames: StudyFrames) -> str:
    """For an unfinished study, how far it is."""
    if frames.gaps.empty or not frames.complete:
        return ""
    return f"So far, {frames.complete:,} of {plural(frames.planned, 'trial')} are complete. "


def headline(frames: StudyFrames, comparisons: Sequence[Comparison], main: Sequence[Effect]) -> str:
    """One sentence: what is decided, by how much and with what uncertainty, over all settings where there are several."""
    if frames.complete == 0:
        return f"No answer yet: none of the {plural(frames.planned, 'trial')} is complete."
    if not comparisons:
        return "This study compares no arm with another: the table of parameters and quality is its answer."
    found = [_Finding.of_effect(frames, e) for e in main] or [
        _Finding.of_comparison(frames, c) for c in comparisons if c.seeds
    ]
    if not found:
        return "No arm can be compared with its base arm yet."
    decided = sorted((f for f in found if f.decided), key=lambda f: -abs(f.mean))
    where = f"averaged over {main[0].settings} settings, " if main else ""
    if not decided:
        return _undecided(found, where)
    rest = len(found) - len(decided)
    others = f"; the other {'difference is' if rest == 1 else f'{rest} differences are'} undecided" if rest else ""
    more = [f"{f.name} {number(f.mean, signed=True)}{NBSP}dB" for f in decided[1:3]]
    also = f"; also {listed(more)}" + (f" and {len(decided) - 3} more" if len(decided) > 3 else "") if more else ""
    return _sentence(f"{where}{decided[0].words()}{also}{others}.")


class _Finding(NamedTuple):
    """An effect or a comparison, for the headline."""

    name: str
    mean: float
    low: float
    high: float
    seeds: int
    decided: bool

    @staticmethod
    def of_effect(frames: StudyFrames, e: Effect) -> _Finding:
        return _Finding(
            e.name + _where(frames, e.dataset),
            e.estimate.mean,
            e.estimate.low,
            e.estimate.high,
            e.estimate.n,
            e.verdict in ("higher", "lower"),
        )

    @staticmethod
    def of_comparison(frames: StudyFrames, c: Comparison) -> _Finding:
        return _Finding(_name(frames, c), c.mean, c.low, c.high, len(c.seeds), c.decided)

    def words(self) -> str:
        """ "recursive minus unrolled: +0.10 dB (95 % interval ...)"."""
        return f"{self.name}: {number(self.mean, signed=True)}{NBSP}dB{_bounds(self.low, self.high, self.seeds)}"


def _undecided(found: Sequence[_Finding], where: str) -> str:
    largest = max(found, key=lambda f: abs(f.mean))
    if all(f.seeds < 2 for f in found):
        why = "one seed gives no interval"
    elif len(found) > 1:
        why = f"none of the {len(found)} differences of test PSNR to the base arm can be told from zero"
    else:
        why = "the difference of test PSNR to the base arm cannot be told from zero"
    lead = (f"the largest, {where}is" if where else "the largest is") if len(found) > 1 else f"{where}it is"
    return f"Undecided at this scale: {why}; {lead} {largest.words()}."


def _single_settings(frames: StudyFrames, comparisons: Sequence[Comparison]) -> str:
    """How many of the single comparisons are decided, and the largest of them."""
    known = [_Finding.of_comparison(frames, c) for c in comparisons if c.seeds]
    if not known:
        return ""
    decided = [f for f in known if f.decided]
    largest = max(decided or known, key=lambda f: abs(f.mean))
    count = f"{len(decided)} of {plural(len(known), 'difference')} to the base arm {'is' if len(decided) == 1 else 'are'} decided"
    return f"Within single settings, {count}; the largest{' decided one' if decided else ''} is {largest.words()}."


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _name(frames: StudyFrames, c: Comparison) -> str:
    family = frames.arms[c.arm].family
    pair = f"“{frames.arms[c.arm].treatment}” minus “{frames.arms[c.versus].treatment}”"
    return (f"{family}, {pair}" if family else pair) + _where(frames, c.dataset)


def _where(frames: StudyFrames, dataset: str) -> str:
    """Names the test set where there are several."""
    return f" on {dataset}" if len(frames.test_sets) > 1 else ""


def _interval_words(c: Comparison) -> str:
    return _bounds(c.low, c.high, len(c.seeds))


def _bounds(low: float, high: float, seeds: int) -> str:
    if seeds < 2:
        return " (one seed, no interval)"
    return f" (95{NBSP}% interval {number(low, signed=True)} to {number(high, signed=True)}{NBSP}dB, {plural(seeds, 'seed')})"


def comparison_sentence(frames: StudyFrames, c: Comparison) -> str:
    """Subject, difference, interval, verdict."""
    name = _name(frames, c)
    if not c.seeds:
        return f"{name}: no data ({c.reason})."
    verdicts = {
        "higher": "higher",
        "lower": "lower",
        "equal": "no difference at all: the trials gave equal images",
        "undecided": "undecided",
        "no data": "no data",
    }
    verdict = verdicts[c.verdict]
    if len(c.seeds) == 1:
        verdict = "undecided: one seed"
    elif c.verdict == "undecided" and c.p < LEVEL:
        verdict = "undecided: " + _disagreement(c.p_all, c.p_holm)
    lacking = f" Missing: {listed([r for _, r in c.missing])}." if c.missing else ""
    return f"{name}: {number(c.mean, signed=True)}{NBSP}dB{_interval_words(c)}: {verdict}.{lacking}"


def claim_sentence(result: ClaimResult) -> str:
    """The claim, what was measured, and whether it held."""
    c = result.comparison
    reason = f": {result.reason}" if result.reason else ""
    measured = (
        f" Measured {number(c.mean, 3, signed=True)}{_interval_words(c) if c.metric == 'psnr' else ''}."
        if c.seeds
        else ""
    )
    return f"“{result.claim.text}”: {result.verdict}{reason}.{measured}"


def _gain_sentence(images: Images) -> str:
    """The range of the arms' mean gains over the initial estimate."""
    network = cell_means(images.values)
    start = cell_means(images.initial)
    keys = ["arm", "seed", "dataset", "metric", "at"]
    both = network.merge(start, on=keys, suffixes=("", "_initial"))
    both = both[(both["metric"] == "psnr") & (both["at"] == AVERAGE)]
    if both.empty:
        return ""
    gains = (both["value"] - both["value_initial"]).groupby([both["arm"], both["dataset"]]).mean()
    low, high = number(gains.min(), signed=True), number(gains.max(), signed=True)
    who = "The complete arms' gain" if len(gains) > 1 else "The complete arm's gain"
    return (
        f"{who} over the initial estimate: {low} to {high}{NBSP}dB."
        if len(gains) > 1
        else f"{who} over the initial estimate: {low}{NBSP}dB."
    )


def _seeds_sentence(frames: StudyFrames) -> str:
    n = len(frames.plan.seeds)
    if not n:
        return ""
    return (
        f"{plural(n, 'seed')} {'is' if n == 1 else 'are'} few: an exact rank test could not give p below "
        f"{smallest_exact_p(n):.2g}."
        if n < 6
        else ""
    )
