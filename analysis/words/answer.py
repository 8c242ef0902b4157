"""The answer in plain words, made from the numbers and never saying more than they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from analysis.frames import StudyFrames
from analysis.frames.measures import AVERAGE
from analysis.numbers import NBSP, finer, listed, number, percent, plural, with_unit
from analysis.statistics import ClaimResult, Comparison, Effect, most_pairs, sensitivities, smallest_exact_p
from analysis.statistics.paired import Images
from analysis.statistics.sensitivity import POWER
from analysis.words.budgets import costs_beside
from analysis.words.certainty import about, code_sentence
from analysis.words.factor_words import factor_sentences
from analysis.words.findings import Finding, bounds, compared, on
from analysis.words.weights_answer import weights_answer


class Answer(NamedTuple):
    """Sentences.

    Attributes:
        headline: the answer: the claims that the study's question asks for, else the differences of test PSNR, which are
            then in the context.
        effects: one per effect over all settings, under the head `over`.
        factors: one per effect of a factor, and per interaction, of a full grid.
        context: what the answer rests on.
        lines: one per comparison.
        sensitivity: how large a difference has to be to be decided; empty where all are.
        claims: one per claim.
    """

    headline: str
    over: str
    effects: tuple[str, ...]
    factors: tuple[str, ...]
    context: tuple[str, ...]
    lines: tuple[str, ...]
    sensitivity: str
    claims: tuple[str, ...]


def answer(
    images: Images, comparisons: Sequence[Comparison], effects: Sequence[Effect], claims: Sequence[ClaimResult]
) -> Answer:
    """The whole answer of a study."""
    frames = images.frames
    main = [e for e in effects if e.kind == "main" and e.estimate.n >= 1]
    quality = weights_answer(images) or headline(frames, comparisons, main)
    asked = " ".join(_asked(frames, c) for c in claims if c.claim.answers and c.comparison.seeds)
    context = [
        f"Test PSNR: {quality}" if asked else "",
        _single_settings(frames, comparisons) if main else "",
        _gain_sentence(images),
        _seeds_sentence(frames, comparisons),
    ]
    context += [code_sentence(frames)]
    context += [about(frames)] if any(c.seeds for c in comparisons) else []
    found = _findings(frames, main)
    return Answer(
        headline=_progress(frames) + (asked or quality),
        over=_over(frames, main) if main else "",
        effects=tuple(f"{f.words()}: {f.verdict}." for f in found),
        factors=factor_sentences(frames, effects),
        context=tuple(s for s in context if s),
        lines=tuple(comparison_sentence(frames, c) for c in comparisons),
        sensitivity=_sensitivity(comparisons),
        claims=tuple(claim_sentence(frames, c) for c in claims),
    )


def _findings(frames: StudyFrames, main: Sequence[Effect]) -> list[Finding]:
    """Each with its own number of settings, where they are not the same for all."""
    found = [Finding.of_effect(frames, e) for e in main]
    if _settings(main):
        return found
    return [f._replace(name=f"{f.name} over {plural(e.settings, 'setting')}") for f, e in zip(found, main, strict=True)]


def _settings(main: Sequence[Effect]) -> int:
    """Over how many settings each effect is averaged; 0 where that differs."""
    counts = {e.settings for e in main}
    return counts.pop() if len(counts) == 1 else 0


def _over(frames: StudyFrames, main: Sequence[Effect]) -> str:
    averaged = [tuple(frames.arms[arm].family for arm, _ in e.pairs) for e in main]
    if len(set(averaged)) == 1:
        return f"Averaged over {plural(main[0].settings, 'setting')} ({listed(list(averaged[0]))}):"
    if len(frames.groups) == 1:
        return "Averaged over the settings that have both arms:"
    return f"Averaged over settings with equal test protocols ({'; '.join(listed(list(g.families)) for g in frames.groups)}):"


def _progress(frames: StudyFrames) -> str:
    """For a study without all trials, how far it is, or that it goes no further."""
    if frames.complete in (0, frames.planned):
        return ""
    if _ended(frames):
        return f"{frames.complete:,} of {plural(frames.planned, 'trial')} are complete, the others have failed. "
    return f"So far, {frames.complete:,} of {plural(frames.planned, 'trial')} are complete. "


def _ended(frames: StudyFrames) -> bool:
    """Whether no trial is left that would go on by itself: one that failed is trained again only where that is asked for."""
    planned = frames.trials[frames.trials["fingerprint"] != ""]
    return bool(planned["status"].isin(["complete", "failed", "unreadable"]).all())


def headline(frames: StudyFrames, comparisons: Sequence[Comparison], main: Sequence[Effect]) -> str:
    """One sentence: what is decided, by how much and with what uncertainty, over all settings where there are several."""
    if frames.complete == 0 and frames.planned and _ended(frames):
        return f"No answer: none of the {plural(frames.planned, 'trial')} is complete, and all have failed."
    if frames.complete == 0:
        return f"No answer yet: none of the {plural(frames.planned, 'trial')} is complete."
    if not comparisons:
        return "This study compares no arm with another: the table of parameters and quality is its answer."
    known = _findings(frames, main) or [Finding.of_comparison(frames, c) for c in comparisons if c.seeds]
    if not known:
        reasons = [c.missing[0][1] if c.missing else c.reason for c in comparisons]
        return f"No arm can be compared with its base arm{f': {reasons[0]}' if _ended(frames) else ' yet'}."
    found = [f for f in known if not f.equal]
    if not found:
        return "No difference at all: arms that are compared gave equal images, trial by trial."
    equal = _equal(len(known) - len(found))
    decided = sorted((f for f in found if f.decided), key=lambda f: -abs(f.mean))
    count = _settings(main)
    where = f"averaged over {count} settings, " if count else "averaged over settings, " if main else ""
    if not decided:
        return f"{_undecided(found, where)}{equal}."
    more = [f"{f.name} {number(f.mean, signed=True)}{NBSP}dB{f.at_costs}" for f in decided[1:3]]
    also = f"; also {listed(more)}" + (f" and {len(decided) - 3} more" if len(decided) > 3 else "") if more else ""
    return _sentence(f"{where}{decided[0].words()}{also}{_others(found)}{equal}.")


def _equal(count: int) -> str:
    """What is said of differences that are none."""
    return (
        f"; {plural(count, 'difference')} more {'is' if count == 1 else 'are'} exactly zero: equal images"
        if count
        else ""
    )


def _others(found: Sequence[Finding]) -> str:
    """How many are undecided, and how many of these because of Holm's correction alone."""
    rest, held = sum(not f.decided for f in found), sum(f.held_back for f in found)
    if not rest:
        return ""
    holm = " after Holm" if held == rest else f" ({held} of them after Holm)" if held else ""
    return f"; the other {'difference is' if rest == 1 else f'{rest} differences are'} undecided{holm}"


def _undecided(found: Sequence[Finding], where: str) -> str:
    largest, held = max(found, key=lambda f: abs(f.mean)), any(f.held_back for f in found)
    lead = (f"the largest, {where}is" if where else "the largest is") if len(found) > 1 else f"{where}it is"
    return f"Undecided {'after Holm' if held else 'at this scale'}: {_why(found)}; {lead} {largest.words()}"


def _why(found: Sequence[Finding]) -> str:
    what, held = "of test PSNR to the base arm", sum(f.held_back for f in found)
    if all(f.seeds < 2 for f in found):
        return "one seed gives no interval"
    if all(f.one_image for f in found):
        return "one test image says nothing about all images"
    if held and len(found) > 1:
        return (
            f"of {len(found)} differences {what}, {held} would be decided alone, none is after the correction for several "
            "comparisons"
        )
    if held:
        return f"the difference {what} would be decided alone, it is not after the correction for several comparisons"
    if len(found) > 1:
        return f"none of the {len(found)} differences {what} can be told from zero"
    return f"the difference {what} cannot be told from zero"


def _single_settings(frames: StudyFrames, comparisons: Sequence[Comparison]) -> str:
    """How many of the single comparisons are decided, and the largest of them."""
    known = [Finding.of_comparison(frames, c) for c in comparisons if c.seeds and not c.same]
    if not known:
        return ""
    decided = [f for f in known if f.decided]
    largest = max(decided or known, key=lambda f: abs(f.mean))
    count = f"{len(decided)} of {plural(len(known), 'difference')} to the base arm {'is' if len(decided) == 1 else 'are'} decided"
    return f"Within single settings, {count}; the largest{' decided one' if decided else ''} is {largest.words()}."


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def comparison_sentence(frames: StudyFrames, c: Comparison) -> str:
    """Subject, difference, interval, verdict."""
    if not c.seeds:
        return f"{compared(frames, c)}: no data ({c.reason})."
    found = Finding.of_comparison(frames, c)
    lacking = f" Missing: {listed([r for _, r in c.missing])}." if c.missing else ""
    return f"{found.words()}: {found.verdict}.{lacking}"


def _asked(frames: StudyFrames, result: ClaimResult) -> str:
    """A claim that the question asks for: what came of it, and by how much."""
    c = result.comparison
    return f"“{result.claim.text}”{on(frames, c.dataset)}: {result.verdict}, {_value(c)}."


def claim_sentence(frames: StudyFrames, result: ClaimResult) -> str:
    """The claim, what was measured, and whether it held."""
    c = result.comparison
    reason = f": {result.reason}" if result.reason else ""
    costs = costs_beside(frames, result.claim.pairs)
    what = result.difference + on(frames, c.dataset)
    measured = f" Measured, {what}: {_value(c)}{f' with {costs}' if costs else ''}." if c.seeds else ""
    return f"“{result.claim.text}”: {result.verdict}{reason}.{measured}"


def _value(c: Comparison) -> str:
    """What was measured of a claim, with its interval."""
    digits = finer(c.metric)
    return with_unit(c.mean, c.metric, digits, signed=True) + bounds(c.low, c.high, len(c.seeds), c.metric, digits)


def _gain_sentence(images: Images) -> str:
    """The range of the arms' mean gains over the initial estimate."""
    network = images.cells
    start = images.initial_cells
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


def _seeds_sentence(frames: StudyFrames, comparisons: Sequence[Comparison]) -> str:
    n = most_pairs(frames, comparisons)
    if not comparisons:
        return ""
    return (
        f"{plural(n, 'seed')} {'is' if n == 1 else 'are'} few: an exact rank test could not give p below "
        f"{smallest_exact_p(n):.2g}."
        if n < 6
        else ""
    )


def _sensitivity(comparisons: Sequence[Comparison]) -> str:
    """How large a difference would have been found where none was, and with how many seeds a smaller one."""
    found = [s for s in sensitivities(comparisons) if not s.comparison.decided]
    if not found:
        return ""
    there = max(len(s.comparison.seeds) for s in found)
    more = next(n for n in (10, 20, 50, 10 * there) if n >= 2 * there)
    now, then = (_range([s.detectable(n) for s in found]) for n in (there, more))
    return (
        f"“Undecided” is not “equal”: with {there} seeds, the smallest true difference that {percent(POWER)} of such studies "
        f"would decide is {now}; with {more} seeds, {then}{', by comparison' if len(found) > 1 else ''}."
    )


def _range(values: Sequence[float]) -> str:
    low, high = number(min(values)), number(max(values))
    return f"{low} to {high}{NBSP}dB" if low != high else f"{low}{NBSP}dB"
