"""Early stopping: Ray Tune's own rules, told what every trial has reached, and the marks that a stopped trial leaves."""

from __future__ import annotations

import contextlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from ray import tune
from ray.tune.schedulers import AsyncHyperBandScheduler, MedianStoppingRule, TrialScheduler

from rdun.results import STOPPED_EARLY, Busy, EpochRecord, Lease, RunInfo, Store, reached
from rdun.stopping import Asha, HyperBand, Stopping
from rdun.streams import seed_for
from rdun.tuning.failures import Restarts

INTERRUPTED = "interrupted"
"""What the directory of a trial says that was ended from outside, as long as nobody says why."""


@dataclass(frozen=True)
class Recorded:
    """A trial that is not Tune's, as far as its rules and a `Stopper` look."""

    trial_id: str
    fingerprint: str

    @property
    def config(self) -> dict[str, dict[str, str]]:
        return {"trial": {"fingerprint": self.fingerprint}}


class Stopper(Restarts):
    """Tune's rule for the trials that it may stop, in the order they come; all others run to their end.

    A trial is judged by the best it has reached so far, which is what the search would get, at equal epochs. Its last epoch is
    only remembered: there is nothing left to save. Brackets are dealt by the setting and the seed, not by chance.

    Args:
        quantity: the search's objective, one of the validation qualities of an epoch; more is better.
        epochs: of the longest training.
    """

    def __init__(self, stopping: Stopping, quantity: str, epochs: int, seed: int) -> None:
        super().__init__()
        self.rule, self.quantity, self.seed = _rule(stopping, epochs), quantity, seed
        self.last: dict[str, int] = {}
        self.stopped: dict[str, int] = {}
        self.records: dict[str, list[EpochRecord]] = defaultdict(list)

    def may_stop(self, fingerprint: str, epochs: int) -> None:
        """Says of a trial that begins that it may be stopped before its last epoch."""
        self.last[fingerprint] = epochs

    def knows(self, fingerprint: str, curve: Iterable[float]) -> None:
        """Takes over what another run, or another search, has reached after epochs 1, 2, ...; nothing is decided."""
        trial = Recorded(f"known {fingerprint}", fingerprint)
        self.on_trial_add(None, trial)
        for epoch, value in enumerate(curve, start=1):
            if isinstance(self.rule, MedianStoppingRule):
                self.rule.on_trial_complete(None, trial, {"epoch": epoch, "reached": value})
            else:
                self.rule.on_trial_result(None, trial, {"epoch": epoch, "reached": value})

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        self._add(_name(trial), trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        fingerprint = _name(trial)
        if fingerprint not in self.last or "validation_psnr" not in result:
            return str(TrialScheduler.CONTINUE)
        records = self.records[fingerprint]
        if records and result["epoch"] <= records[-1].epoch:  # told once more by an attempt after the first
            return str(TrialScheduler.CONTINUE)
        records.append(EpochRecord(**{name: result[name] for name in EpochRecord.__dataclass_fields__}))
        seen = {"epoch": result["epoch"], "reached": reached(records, self.quantity)[-1]}
        decision = str(self.rule.on_trial_result(tune_controller, trial, seen))
        if decision != TrialScheduler.STOP or result["epoch"] >= self.last[fingerprint]:
            return str(TrialScheduler.CONTINUE)
        self.stopped[fingerprint] = result["epoch"]
        return decision

    def _add(self, fingerprint: str, trial: Any) -> None:
        chance = np.random.get_state()  # noqa: NPY002  # Tune deals brackets by numpy's global generator
        try:
            np.random.seed(seed_for(self.seed, f"bracket {fingerprint}") % 2**32)  # noqa: NPY002
            self.rule.on_trial_add(None, trial)
        finally:
            np.random.set_state(chance)  # noqa: NPY002


def _rule(stopping: Stopping, epochs: int) -> Any:
    told = {"time_attr": "epoch", "metric": "reached", "mode": "max", "grace_period": stopping.grace}
    if isinstance(stopping, Asha | HyperBand):
        brackets = stopping.brackets if isinstance(stopping, HyperBand) else 1
        return AsyncHyperBandScheduler(**told, max_t=epochs, reduction_factor=stopping.reduction, brackets=brackets)
    return MedianStoppingRule(**told, min_samples_required=stopping.others, min_time_slice=math.inf)  # never pauses


def _name(trial: Any) -> str:
    return str(trial.config["trial"]["fingerprint"])


def reporter(rule: str, recorded: Iterable[EpochRecord]) -> Callable[[EpochRecord], None]:
    """Tells Tune of a trial's epochs, in the worker; where a rule judges it, those of earlier runs first.

    Tune ends a trial in the same way whoever wants it: the directory says "interrupted" until the driver, who knows, says more.

    Args:
        rule: name of the rule that may stop the trial, or "".
    """
    from rdun.trial import Stopped

    def report(record: EpochRecord) -> None:
        try:
            tune.report(asdict(record))
        except SystemExit:  # Tune's word for: no more of this trial
            raise Stopped(INTERRUPTED) from None

    for record in recorded if rule else ():
        tune.report(asdict(record))
    return report


def reason(epoch: int, rule: str) -> str:
    """What the directory of a trial says that was stopped early."""
    return f"{STOPPED_EARLY} at epoch {epoch} by {rule}"


def mark_stopped(stopped: Mapping[str, int], rule: str, store: Store) -> set[str]:
    """Says of trials that a search stopped early that this is why they ended; those that are over, and say why."""
    told = set()
    for fingerprint, epoch in stopped.items():
        folder = store.trial(fingerprint)
        with contextlib.suppress(Busy):
            if unexplained(folder.run()):
                with Lease(folder):
                    run = folder.run()
                    if run is not None and unexplained(run):
                        folder.write_run(replace(run, status="stopped", reason=reason(epoch, rule)))
            told.add(fingerprint)
    return told


def unexplained(run: RunInfo | None) -> bool:
    """Whether a trial that nobody runs any more has no end, and does not say why."""
    return run is not None and (run.status == "running" or (run.status, run.reason) == ("stopped", INTERRUPTED))
