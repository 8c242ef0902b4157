"""A replay: Tune with its own rules of early stopping, over trials that take their epochs from records, in simulated time."""

from __future__ import annotations

import asyncio
import heapq
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import ray
from ray import tune
from ray.tune.search import Searcher

from rdun.replay import Curve, Event
from rdun.results import EpochRecord, from_csv, to_csv
from rdun.stopping import Stopping
from rdun.tuning.stopping import Stopper

ray.cloudpickle.register_pickle_by_value(
    sys.modules[__name__]
)  # else each process of a replay imports all of rdun.tuning

PATIENCE = 120.0
"""Seconds of real time after which a replay that does not move is given up."""


def replay(curves: Sequence[Curve], stopping: Stopping | None, quantity: str, slots: int, seed: int = 0) -> list[Event]:
    """Runs recorded trials once more, in the order given, on the connected cluster.

    The epochs end one after another in the order of simulated time (the earlier trial first where it is equal): the next one
    only when the rule has decided on the last, and when a trial that takes a free place has begun. The same input therefore
    gives the same events, however fast the machine is.

    Args:
        slots: trials at once; the cluster has at least as many CPU cores.
        seed: deals the brackets of HyperBand.

    Returns:
        All epochs that ended, in order.

    Raises:
        RuntimeError: a process of the replay died, or did not get on for `PATIENCE` seconds.
    """
    epochs = max(len(curve.epochs) for curve in curves)
    stopper = Stopper(stopping, quantity, epochs, seed) if stopping else None
    clock = _Clock.remote(slots, len(curves))  # type: ignore[attr-defined]
    ledger = _Ledger()
    with tempfile.TemporaryDirectory(prefix="rdun-replay-") as scratch:
        results = tune.Tuner(
            tune.with_resources(partial(_train, clock=clock), {"cpu": 1}),
            tune_config=tune.TuneConfig(
                search_alg=_Recorded(curves, slots, clock, stopper),
                scheduler=stopper,
                num_samples=len(curves),
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(name="replay", storage_path=scratch, verbose=0, callbacks=[ledger]),
        ).fit()
    ray.kill(clock)
    if results.errors:
        raise RuntimeError(f"the replay failed: {results.errors[0]}")
    return ledger.events


def _train(space: Mapping[str, Mapping[str, Any]], *, clock: Any) -> dict[str, Any]:
    """The trainable: waits for the simulated end of each epoch and reports its record."""
    trial, before = space["trial"], 0.0
    for record in from_csv(EpochRecord, trial["epochs"]):
        now = ray.get(clock.wait.remote(trial["number"], record.seconds - before), timeout=PATIENCE)
        before = record.seconds
        tune.report({**asdict(record), "now": now})
    return {"given_up": ""}


@ray.remote(num_cpus=0)
class _Clock:
    """Simulated time. It moves when every trial that can run waits, to the earliest of the moments waited for."""

    def __init__(self, slots: int, left: int) -> None:
        self.slots, self.left, self.now = slots, left, 0.0
        self.waiting: list[tuple[float, int, asyncio.Event]] = []

    async def wait(self, number: int, seconds: float) -> float:
        """Returns `seconds` of simulated time later, and what time it is then."""
        moment, event = self.now + seconds, asyncio.Event()
        heapq.heappush(self.waiting, (moment, number, event))
        self._move()
        await event.wait()
        return moment

    async def ended(self) -> None:
        """A trial is over; another takes its place, if there is one."""
        self.left -= 1
        self._move()

    def _move(self) -> None:
        if self.waiting and len(self.waiting) == min(self.slots, self.left):
            self.now, _, event = heapq.heappop(self.waiting)
            event.set()


class _Recorded(Searcher):
    """Suggests the recorded trials in their order, one for each free place."""

    def __init__(self, curves: Sequence[Curve], slots: int, clock: Any, stopper: Stopper | None) -> None:
        super().__init__()
        self.curves, self.slots, self.clock, self.stopper = curves, slots, clock, stopper
        self.begun, self.ended = 0, 0

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its searcher for a restore, which is not used here

    def save(self, checkpoint_path: str) -> None:
        """Nothing: a replay is not restored."""

    def suggest(self, trial_id: str) -> Any:
        if self.begun == len(self.curves):
            return Searcher.FINISHED
        if self.begun - self.ended == self.slots:
            return None
        curve, number = self.curves[self.begun], self.begun
        self.begun += 1
        if self.stopper:
            self.stopper.may_stop(curve.fingerprint, len(curve.epochs))
        epochs = to_csv(EpochRecord, curve.epochs)
        return {"trial": {"fingerprint": curve.fingerprint, "number": number, "epochs": epochs}}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        self.ended += 1
        ray.get(self.clock.ended.remote())


class _Ledger(tune.Callback):
    """Keeps every epoch that ended."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks for a restore, which is not used here

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        if "now" in result:
            self.events.append(Event(trial.config["trial"]["fingerprint"], result["epoch"], result["now"]))
