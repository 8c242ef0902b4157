"""Effects of factors of a full grid in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.frames import StudyFrames
from analysis.numbers import NBSP, number, plural
from analysis.statistics import Effect
from analysis.statistics.factorial import Change
from analysis.words.findings import Finding, bounds, on


def factor_sentences(frames: StudyFrames, effects: Sequence[Effect]) -> tuple[str, ...]:
    """One sentence per main effect of a factor and per interaction of two, with interval and verdict."""
    return tuple(_sentence(frames, e) for e in effects if e.changes)


def _sentence(frames: StudyFrames, e: Effect) -> str:
    lead = f"{e.family}: " if e.family else ""
    found, where = Finding.of_effect(frames, e), on(frames, e.dataset)
    if not found.seeds:
        return f"{lead}{' × '.join(map(_change, e.changes))}{where}: no data ({e.reason})."
    words = (_alone if len(e.changes) == 1 else _together)(e, where)
    return f"{lead}{words}{bounds(found.low, found.high, found.seeds)}{found.at_costs}: {found.verdict}."


def _alone(e: Effect, where: str) -> str:
    return (
        f"{_change(e.changes[0])} changes test PSNR{where} by {number(e.estimate.mean, signed=True)}{NBSP}dB, averaged over "
        f"{plural(e.settings, 'combination')} of the other factors"
    )


def _together(e: Effect, where: str) -> str:
    first, second = e.changes
    higher = "higher" if e.estimate.mean >= 0 else "lower"
    return (
        f"the effect of {_change(first)} on test PSNR{where} is {number(abs(e.estimate.mean))}{NBSP}dB {higher} with "
        f"{second.factor} “{second.level}” than with “{second.instead}”"
    )


def _change(change: Change) -> str:
    return f"{change.factor} “{change.level}” instead of “{change.instead}”"
