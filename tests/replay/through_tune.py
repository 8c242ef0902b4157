"""The same replay through a real Tuner: processes wait for a clock, so that epochs end in the order of simulated time."""

from __future__ import annotations

import asyncio
import heapq
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from rdun.replay import Curve, Event
from rdun.results import EpochRecord, from_csv, to_csv
from rdun.stopping import Stopping
from rdun.tuning.stopping import Stopper

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the processes do not find the tests

PATIENCE = 120.0
"""Seconds of real time after which it is given up."""


@dataclass(frozen=True)
class Pass:
    """Recorded trials in the order in which they begin, and the rule that stops them. `seed` deals the brackets of HyperBand."""

    curves: Sequence[Curve]
    stopping: Stopping | None = None
    seed: int = 0


def through_tune(passes: Sequence[Pass], quantity: str, slots: int) -> list[list[Event]]:
    """All passes by one Tuner on the connected cluster, which has `slots` cores: of each, the epochs in the order they ended.

    The next epoch ends only when the rule has decided on the last, and when a trial that takes a free place has begun.
    """
    rules = _Rules(passes, quantity)
    clock = _Clock.remote(slots)  # type: ignore[attr-defined]
    ledger = _Ledger(len(passes))
    with tempfile.TemporaryDirectory(prefix="rdun-replay-") as scratch:
        results = tune.Tuner(
            tune.with_resources(partial(_train, clock=clock), {"cpu": 1}),
            tune_config=tune.TuneConfig(
                search_alg=_Recorded(passes, slots, clock),
                scheduler=rules,
                num_samples=sum(len(each.curves) for each in passes),
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

    def __init__(self, slots: int) -> None:
        self.slots, self.left, self.now = slots, 0, 0.0
        self.waiting: list[tuple[float, int, asyncio.Event]] = []

    async def begin(self, trials: int) -> None:
        """A pass of so many trials begins, at zero; nobody waits."""
        assert not self.waiting
        self.left, self.now = trials, 0.0

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


class _Rules(FIFOScheduler):
    """Each pass's own rule, for its own trials."""

    def __init__(self, passes: Sequence[Pass], quantity: str) -> None:
        super().__init__()
        self.stoppers = [_stopper(each, quantity) for each in passes]

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        if stopper := self._of(trial):
            stopper.on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        stopper = self._of(trial)
        return stopper.on_trial_result(tune_controller, trial, result) if stopper else str(self.CONTINUE)

    def _of(self, trial: Any) -> Stopper | None:
        return self.stoppers[int(trial.config["trial"]["pass"])]


def _stopper(each: Pass, quantity: str) -> Stopper | None:
    if each.stopping is None:
        return None
    stopper = Stopper(each.stopping, quantity, max(len(curve.epochs) for curve in each.curves), each.seed)
    for curve in each.curves:
        stopper.may_stop(curve.fingerprint, len(curve.epochs))
    return stopper


class _Recorded(Searcher):
    """Suggests the recorded trials in their order, one for each free place; a pass begins when the last one is over."""

    def __init__(self, passes: Sequence[Pass], slots: int, clock: Any) -> None:
        super().__init__()
        self.passes, self.slots, self.clock = passes, slots, clock
        self.now, self.begun, self.ended = -1, 0, 0

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its searcher for a restore, which is not used here

    def save(self, checkpoint_path: str) -> None:
        """Nothing: a replay is not restored."""

    def suggest(self, trial_id: str) -> Any:
        if self.now < 0 or self.ended == len(self.passes[self.now].curves):
            if self.now + 1 == len(self.passes):
                return Searcher.FINISHED
            self.now, self.begun, self.ended = self.now + 1, 0, 0
            ray.get(self.clock.begin.remote(len(self.passes[self.now].curves)))
        curves = self.passes[self.now].curves
        if self.begun - self.ended == self.slots or self.begun == len(curves):
            return None
        curve, number = curves[self.begun], self.begun
        self.begun += 1
        epochs = to_csv(EpochRecord, curve.epochs)
        return {"trial": {"fingerprint": curve.fingerprint, "number": number, "pass": self.now, "epochs": epochs}}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        self.ended += 1
        ray.get(self.clock.ended.remote())


class _Ledger(tune.Callback):
    """Keeps every epoch that ended, by pass."""

    def __init__(self, passes: int) -> None:
        self.events: list[list[Event]] = [[] for _ in range(passes)]

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks for a restore, which is not used here

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        if "now" in result:
            known = trial.config["trial"]
            self.events[known["pass"]].append(Event(known["fingerprint"], result["epoch"], result["now"]))
