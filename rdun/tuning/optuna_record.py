"""An Optuna study as search.json."""

from __future__ import annotations

from collections.abc import Mapping

import optuna
from optuna.trial import FrozenTrial, TrialState

from rdun.config import Precision, TrialConfig
from rdun.results import SearchRecord, SearchState, SearchTrial, Store
from rdun.search import Search
from rdun.tuning.quantities import shown

STATES: dict[TrialState, SearchState] = {
    TrialState.COMPLETE: "complete",
    TrialState.FAIL: "failed",
    TrialState.PRUNED: "infeasible",
}
STOPPED = "stopped"
"""Attribute of a trial that was stopped early: the epoch, and the rule by name. It is set before anything else is told."""
READ = "read"
"""Attribute of a trial: the parameters that its setting depends on."""
PRINTS = "fingerprints"
"""Attribute of a trial whose setting may be trained: one per seed of the search."""
SPREADS = "spreads"
"""Attribute of a complete trial: the standard deviation of each objective over the seeds; empty with one seed."""
RETRY = "retry_of"
"""Attribute of a trial: the number of the failed one that it tries again."""


def record_of(
    search: Search,
    study: optuna.Study,
    store: Store,
    wanted: int,
    precision: Precision,
    baselines: Mapping[str, tuple[list[str], TrialConfig]],
) -> SearchRecord:
    """A search as it stands, without its provenance.

    Args:
        baselines: name -> identities of the trials, and the setting.
    """
    return SearchRecord(
        name=search.name,
        title=search.title,
        question=search.question,
        method=search.method,
        expectation=search.expectation,
        scale=search.scale,
        space={name: str(parameter) for name, parameter in search.space.items()},
        objectives=[{"quantity": o.quantity, "direction": o.direction} for o in search.objectives],
        constraints=[{"quantity": c.quantity, "at_most": c.at_most} for c in search.constraints],
        sampler=search.sampler,
        seed=search.seed,
        seeds=list(search.seeds),
        wanted=wanted,
        trials=_rows(study, store),
        precision=precision,
        stopping=str(search.stopping).lower(),
        baselines={name: prints for name, (prints, _) in baselines.items()},
        baseline_quantities={name: shown(config) for name, (_, config) in baselines.items()},
    )


def _rows(study: optuna.Study, store: Store) -> list[SearchTrial]:
    """The suggestions that were examined, in order; the second of equal settings with equal ends is a duplicate."""
    trials = study.get_trials(deepcopy=False)
    again = {t.user_attrs[RETRY]: t.number for t in trials if RETRY in t.user_attrs}
    seen: dict[tuple[str, SearchState], int] = {}
    return [_row(trial, again, seen, store) for trial in trials if examined(trial)]


def examined(trial: FrozenTrial) -> bool:
    """Whether all its values were chosen and checked; a driver may be cut off before."""
    return whole(trial) or "reason" in trial.user_attrs


def whole(trial: FrozenTrial) -> bool:
    """Whether the suggestion came as far as having a setting that may be trained."""
    return PRINTS in trial.user_attrs


def prints_of(trial: FrozenTrial) -> list[str]:
    """The fingerprints of its setting; empty where it has none."""
    return list(trial.user_attrs.get(PRINTS, ()))


def _row(
    trial: FrozenTrial, again: dict[int, int], seen: dict[tuple[str, SearchState], int], store: Store
) -> SearchTrial:
    prints = prints_of(trial)
    state = "stopped early" if STOPPED in trial.user_attrs else STATES.get(trial.state, "running")
    if state in ("complete", "stopped early") and seen.setdefault((prints[0], state), trial.number) != trial.number:
        state = "duplicate"
    return SearchTrial(
        number=trial.number,
        values={
            name: value for name, value in trial.params.items() if name in trial.user_attrs.get(READ, trial.params)
        },
        fingerprints=prints,
        state=state,
        objectives=list(trial.values) if trial.state == TrialState.COMPLETE else [],
        quantities=trial.user_attrs.get("quantities", {}),
        reason=_reason(trial, again, store),
        retry_of=trial.user_attrs.get(RETRY),
        spreads=trial.user_attrs.get(SPREADS, []) if trial.state == TrialState.COMPLETE else [],
    )


def _reason(trial: FrozenTrial, again: dict[int, int], store: Store) -> str:
    if STOPPED in trial.user_attrs:
        epoch, rule = trial.user_attrs[STOPPED]
        return f"at epoch {epoch} by {rule}"
    if trial.state != TrialState.FAIL:
        return str(trial.user_attrs.get("reason", ""))
    if trial.number in again:
        return f"tried again as trial {again[trial.number]}"
    runs = [store.trial(fingerprint).run() for fingerprint in prints_of(trial)]
    ends = [run for run in runs if run and run.status != "complete"]
    return min(ends, key=lambda run: run.status != "failed").reason if ends else ""
