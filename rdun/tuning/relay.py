"""Who is told what happens in a run, and how Tune's events get there."""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

from ray import tune

from rdun.results import EpochRecord, Outcome
from rdun.tuning.watch import Watch

HALTS = "halts_the_run"
"""In the last result of a trial: why no trial can go on."""
WAITS = "waits_for"
"""In a result of a trial that waits: for what."""


class Watcher(Protocol):
    """Is told what happens, in the driver. Must not raise."""

    def started(self, fingerprint: str) -> None:
        """A trial begins, or goes on."""

    def epoch(self, fingerprint: str, record: EpochRecord) -> None:
        """A trial has finished an epoch."""

    def waits(self, fingerprint: str, why: str) -> None:
        """A trial has begun, but waits for memory of its GPU."""

    def again(self, fingerprint: str, outcome: Outcome) -> None:
        """A trial waits to go on from its checkpoint.

        Args:
            outcome: how its attempt ended, unless run.json says so.
        """

    def ended(self, fingerprint: str) -> None:
        """A trial is over; its run.json says how."""

    def used(self, hours: float, unit: str) -> None:
        """Hours that the trials have held so far, "GPU-hours" or "core-hours" where no GPU is used; told all the time."""

    def waiting(self, why: str) -> None:
        """Trials wait on a cluster, and why."""


class Silent:
    """A watcher that looks away, but for what a subclass looks at."""

    def started(self, fingerprint: str) -> None:
        pass

    def epoch(self, fingerprint: str, record: EpochRecord) -> None:
        pass

    def waits(self, fingerprint: str, why: str) -> None:
        pass

    def again(self, fingerprint: str, outcome: Outcome) -> None:
        pass

    def ended(self, fingerprint: str) -> None:
        pass

    def used(self, hours: float, unit: str) -> None:
        pass

    def waiting(self, why: str) -> None:
        pass


class Relay(tune.Callback):
    """Tune's events to a Watcher. Tune ends the whole study when a callback raises, so nothing leaves here."""

    def __init__(self, watcher: Watcher, watch: Watch) -> None:
        self.watcher, self.watch = watcher, watch

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks for a restore, which is not used here

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        with contextlib.suppress(Exception):
            self.watcher.started(trial.config["trial"]["fingerprint"])

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        with contextlib.suppress(Exception):
            if WAITS in result:
                self.watcher.waits(trial.config["trial"]["fingerprint"], result[WAITS])
            if HALTS in result:
                self.watch.reason = result[HALTS]
            if "validation_psnr" in result:
                names = EpochRecord.__dataclass_fields__
                values = {name: result[name] for name in names}
                self.watcher.epoch(trial.config["trial"]["fingerprint"], EpochRecord(**values))

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        with contextlib.suppress(Exception):
            self.watcher.again(trial.config["trial"]["fingerprint"], trial.config["trial"]["before"])

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        with contextlib.suppress(Exception):
            self.watcher.ended(trial.config["trial"]["fingerprint"])

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.on_trial_complete(iteration, trials, trial)
