"""A replay: Tune's own rules of early stopping, over trials that take their epochs from records, in simulated time."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import asdict

from ray.tune.schedulers import TrialScheduler

from rdun.replay import Curve, Event
from rdun.stopping import Stopping
from rdun.tuning.stopping import Recorded, Stopper


def replay(curves: Sequence[Curve], stopping: Stopping | None, quantity: str, slots: int, seed: int = 0) -> list[Event]:
    """Runs recorded trials once more, in the order given: what Tune does with them, without its processes.

    A trial begins when a place is free; epochs end in the order of simulated time, the earlier trial first where it is equal.

    Args:
        stopping: the rule, decided by the same object as in a search; None: all trials run to their end.
        quantity: what the rule judges, one of the validation qualities of an epoch; more is better.
        slots: trials at once.
        seed: deals the brackets of HyperBand.

    Returns:
        All epochs that ended, in order.
    """
    stopper = Stopper(stopping, quantity, max(len(curve.epochs) for curve in curves), seed) if stopping else None
    trials = [Recorded(str(number), curve.fingerprint) for number, curve in enumerate(curves)]
    seconds = [curve.seconds for curve in curves]
    coming, running, events = iter(range(len(curves))), list[tuple[float, int, int]](), list[Event]()

    def begin(now: float) -> None:
        if (number := next(coming, None)) is None:
            return
        if stopper:
            stopper.may_stop(curves[number].fingerprint, len(curves[number].epochs))
            stopper.on_trial_add(None, trials[number])
        heapq.heappush(running, (now + seconds[number][0], number, 0))

    for _ in range(slots):
        begin(0.0)
    while running:
        now, number, index = heapq.heappop(running)
        epochs = curves[number].epochs
        events.append(Event(curves[number].fingerprint, epochs[index].epoch, now))
        decision = stopper.on_trial_result(None, trials[number], asdict(epochs[index])) if stopper else ""
        if decision == TrialScheduler.STOP or index + 1 == len(epochs):
            begin(now)
        else:
            heapq.heappush(running, (now + seconds[number][index + 1], number, index + 1))
    return events
