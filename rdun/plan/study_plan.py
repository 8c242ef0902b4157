"""A study turned into trials: identities, costs and what is already done. Nothing starts before all of it is valid."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, replace

from rdun.config import Precision, TrialConfig, to_dict
from rdun.data import training_fingerprint, trial_fingerprint
from rdun.plan.checks import check_trial
from rdun.plan.costs import cost, layout, samples, steps
from rdun.results import ArmRecord, CellRecord, ClaimRecord, PlanRecord, Store, Trainings, TrialDirectory
from rdun.study import Arm, Claim, Study

STATES = ("complete", "trained", "resumable", "failed", "diverged", "new")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training run of the plan.

    Attributes:
        state: "complete" (reused), "trained" (another trial did the training; it is tested), "resumable" (it was cut off, and
            goes on), "failed" (tried again), "diverged" (tried again only if it is asked for: it would diverge again), or "new".
    """

    fingerprint: str
    config: TrialConfig
    state: str
    arms: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A study, its record as it is saved, and its distinct trials.

    Attributes:
        retry_diverged: whether diverged trials are to run again.
    """

    study: Study
    record: PlanRecord
    trials: tuple[Trial, ...]
    retry_diverged: bool = False

    def missing(self) -> list[Trial]:
        """The trials that have to run; failed ones are tried again."""
        final = ("complete",) if self.retry_diverged else ("complete", "diverged")
        return [trial for trial in self.trials if trial.state not in final]

    def refreshed(self, store: Store) -> Plan:
        """The same plan with the trials' states as they are now."""
        states = States(store)
        return replace(self, trials=tuple(replace(t, state=states.of(t.fingerprint, t.config)) for t in self.trials))

    def trained_elsewhere(self, store: Store) -> set[str]:
        """The complete trials whose weights the "trained" ones of this plan take over."""
        index = Trainings(store)
        found = (index.find(training_fingerprint(t.config)) for t in self.trials if t.state == "trained")
        return {folder.name for folder in found if folder}

    def trained_for_others(self) -> set[str]:
        """The missing trials that others of them only test otherwise: one of them trains, and hands its weights on."""
        trainings = {t.fingerprint: training_fingerprint(t.config) for t in self.missing()}
        times = Counter(trainings.values())
        return {fingerprint for fingerprint, training in trainings.items() if times[training] > 1}

    def counts(self) -> dict[str, int]:
        """Trials by state."""
        found = Counter(trial.state for trial in self.trials)
        return {state: found[state] for state in STATES}


def make_plan(study: Study, store: Store, precision: Precision, *, retry_diverged: bool = False) -> Plan:
    """Checks a study against its data and lists its trials.

    Args:
        precision: what "auto" stands for on the machines that will train.

    Raises:
        ValueError: data that is missing or unusable, a fraction that leaves no block, ...
    """
    configs: dict[str, TrialConfig] = {}
    arms: dict[str, list[str]] = {}
    cells = []
    for arm, seed, trials in study.cells():
        prints = []
        for config in trials:
            resolved = config.resolved(precision)
            check_trial(resolved)
            key = trial_fingerprint(resolved)
            configs[key] = resolved
            arms.setdefault(key, []).append(arm.name)
            prints.append(key)
        cells.append(CellRecord(arm=arm.name, seed=seed, fingerprints=prints))
    record = PlanRecord(
        name=study.name,
        title=study.title,
        question=study.question,
        method=study.method,
        expectation=study.expectation,
        scale=study.scale,
        seeds=list(study.seeds),
        arms=[_arm_record(arm) for arm in study.arms],
        cells=cells,
        claims=[claim_record(claim) for claim in study.claims],
        as_published=study.as_published,
    )
    _check_distinct(cells)
    states = States(store)
    found = tuple(
        Trial(fingerprint=key, config=config, state=states.of(key, config), arms=tuple(dict.fromkeys(arms[key])))
        for key, config in configs.items()
    )
    return Plan(study=study, record=record, trials=found, retry_diverged=retry_diverged)


def _check_distinct(cells: list[CellRecord]) -> None:
    """Arms that differ in no field that is read would be the same trials under two names."""
    seen: dict[tuple[str, ...], str] = {}
    for cell in cells:
        other = seen.setdefault(tuple(cell.fingerprints), cell.arm)
        if other != cell.arm:
            raise ValueError(
                f"arm {cell.arm!r} trains exactly what arm {other!r} trains (equal fingerprints); "
                "change a field that has an effect, or drop one of them"
            )


class States:
    """Where the trials of a store stand, with what it knows of finished trainings when this is made."""

    def __init__(self, store: Store) -> None:
        self._store, self._trainings = store, Trainings(store)
        self._trained = self._trainings.names()

    def of(self, fingerprint: str, config: TrialConfig) -> str:
        """One of STATES."""
        state = state_of(self._store.trial(fingerprint))
        if state == "new" and self._trained and config.optim.epochs:
            training = training_fingerprint(config)
            if training in self._trained and self._trainings.find(training):
                return "trained"
        return state


def state_of(folder: TrialDirectory) -> str:
    """Where a trial stands by its own directory, as one of STATES but "trained"."""
    run = folder.run()
    if run is None:
        return "new"
    if run.diverged:
        return "diverged"
    if run.status in ("complete", "failed"):
        return run.status
    return "resumable" if folder.can_go_on() else "new"


def claim_record(claim: Claim) -> ClaimRecord:
    """A claim as the plan's file has it."""
    return ClaimRecord(**asdict(claim) | {"ratios": list(claim.ratios), "beyond": list(claim.beyond or ())})


def _arm_record(arm: Arm) -> ArmRecord:
    from rdun.models import mean_evaluations

    first = arm.configs[0]
    parameters, macs = cost(first)
    return ArmRecord(
        name=arm.name,
        compare_to=arm.compare_to,
        factors=dict(arm.factors),
        configs=[to_dict(config) for config in arm.configs],
        parameters=parameters,
        macs=macs,
        steps=steps(first),
        samples=samples(first),
        stage_evaluations_train=mean_evaluations(first.recursion, first.model.layers),
        stage_evaluations_test=sum(first.test_counts),
        layout=layout(first),
        published=dict(arm.published),
    )
