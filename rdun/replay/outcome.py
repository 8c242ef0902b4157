"""What a replay spent and found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rdun.replay.recording import Curve
from rdun.results import reached


class Event(NamedTuple):
    """An epoch that ended, at a simulated time in seconds since the start."""

    fingerprint: str
    epoch: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One replay by one rule in one order (replay.csv).

    Attributes:
        rule: name of the rule of early stopping.
        order: 0 is the order of the record, others are random.
        trials, complete, stopped: number of trials, and how they ended.
        epochs: epochs trained.
        core_hours: hours of training steps times threads; validation, tests and starting are not in it.
        hours: from the start to the end of the last trial, with so many trials at once.
        best: highest quality of a complete trial.
        regret: how much below the best that is recorded.
        hours_to_best: until the best complete trial was complete.
    """

    rule: str
    order: int
    trials: int
    complete: int
    stopped: int
    epochs: int
    core_hours: float
    hours: float
    best: float
    regret: float
    hours_to_best: float


def outcome(rule: str, order: int, curves: Sequence[Curve], events: Sequence[Event], quantity: str) -> Outcome:
    """Sums up the events of a replay of curves, in any order."""
    ends = {event.fingerprint: event for event in sorted(events, key=lambda event: event.epoch)}
    values = {curve.fingerprint: reached(curve.epochs, quantity)[-1] for curve in curves}
    whole = [c.fingerprint for c in curves if c.fingerprint in ends and ends[c.fingerprint].epoch == len(c.epochs)]
    spent = sum(c.threads * sum(c.seconds[: ends[c.fingerprint].epoch]) for c in curves if c.fingerprint in ends)
    best = max(whole, key=lambda fingerprint: values[fingerprint])
    return Outcome(
        rule=rule,
        order=order,
        trials=len(curves),
        complete=len(whole),
        stopped=len(curves) - len(whole),
        epochs=sum(event.epoch for event in ends.values()),
        core_hours=spent / 3600,
        hours=max(event.seconds for event in events) / 3600,
        best=values[best],
        regret=max(values.values()) - values[best],
        hours_to_best=ends[best].seconds / 3600,
    )
