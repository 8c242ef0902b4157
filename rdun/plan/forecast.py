"""What a plan is going to take: every trial's estimate, and the total in hours and money, held against the budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rdun.plan.estimate import Estimate, Estimator, makespan
from rdun.plan.machine import Machine
from rdun.plan.measurements import Measurement
from rdun.plan.packing import Part, part_of
from rdun.plan.study_plan import Plan, Trial
from rdun.results import Store
from rdun.study import Resources


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Estimates of the trials that have to run.

    Attributes:
        estimates: by fingerprint; of the rest of a trial that is cut off.
        parts: of a GPU, by fingerprint.
        hours: in all, in the machine's unit, of the trials that are known.
        seconds: wall time of these.
        at_once: trials at a time.
    """

    machine: Machine
    estimates: Mapping[str, Estimate]
    parts: Mapping[str, Part]
    hours: float
    seconds: float
    at_once: int

    @property
    def unknown(self) -> int:
        """Trials of which no time is known."""
        return sum(estimate.seconds is None for estimate in self.estimates.values())

    def left_out(self) -> list[str]:
        """What the known times do not hold."""
        known = [estimate for estimate in self.estimates.values() if estimate.seconds is not None]
        parts = {
            "validation": not all(estimate.validation for estimate in known),
            "scoring": not all(estimate.scoring for estimate in known),
        }
        return [name for name, lacking in parts.items() if lacking]

    def sources(self) -> list[str]:
        """Where the known times come from."""
        return sorted({estimate.source for estimate in self.estimates.values() if estimate.source})


def make_forecast(plan: Plan, store: Store, machine: Machine, measurements: Iterable[Measurement]) -> Forecast:
    """Estimates what is left of a plan on a machine."""
    estimator = Estimator(measurements, machine)
    estimates = {t.fingerprint: estimator.estimate(t.config, epochs_done(t, store)) for t in plan.missing()}
    parts = {
        fingerprint: part_of(plan.study.resources, machine, estimate, len(estimates))
        for fingerprint, estimate in estimates.items()
    }
    known = [(e.seconds, parts[key].gpus) for key, e in estimates.items() if e.seconds is not None]
    wall, at_once = makespan(known, machine.by_cores, machine.gpus)
    return Forecast(
        machine=machine,
        estimates=estimates,
        parts=parts,
        hours=sum(machine.hours(seconds, gpus) for seconds, gpus in known),
        seconds=wall,
        at_once=at_once,
    )


def epochs_done(trial: Trial, store: Store) -> int:
    """Epochs that need no training, by a trial's state."""
    if trial.state == "trained":
        return trial.config.optim.epochs
    return len(store.trial(trial.fingerprint).epochs()) if trial.state == "resumable" else 0


def check_budget(forecast: Forecast, resources: Resources) -> None:
    """Refuses a plan that takes more than the budget, or of which nobody knows whether it does.

    Raises:
        ValueError: with the numbers and what to do.
    """
    budget, unit, hours = resources.budget, forecast.machine.unit, forecast.hours
    if budget is None:
        return
    if hours > budget:
        cost = f" ({resources.price.of(hours)})" if resources.price else ""
        least = "at least " if forecast.unknown else "about "
        raise ValueError(
            f"budget={budget:g} {unit} is exceeded: what is left takes {least}{hours:.3g} {unit}{cost}; raise the budget, or "
            "plan fewer seeds, arms or epochs"
        )
    if forecast.unknown:
        raise ValueError(
            f"budget={budget:g} {unit} cannot be checked: the time of {forecast.unknown} of {len(forecast.estimates)} trials "
            "is unknown; measure some steps of each network with --probe, or leave the budget out"
        )
