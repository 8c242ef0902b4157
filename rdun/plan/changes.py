"""A plan beside the plan of the run before: what is new, what is gone and still lies on the disk."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import get_args

from rdun.config import Precision
from rdun.data import trial_fingerprint
from rdun.plan.study_plan import Plan
from rdun.results import PlanRecord, Store

Cell = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Trials, compared with the last run of the study.

    Attributes:
        added: planned now and not then; fingerprint -> arm and seed.
        kept: fingerprints planned then and now.
        orphaned: planned then, not now, and with a directory, which other studies may still use; fingerprint -> arm and seed as
            the last run named them.
        orphaned_bytes: what these take on the disk.
        precision: in which orphaned trials are the planned ones ("auto" stands for another one on another machine), if there
            are such.
    """

    added: Mapping[str, Cell]
    kept: tuple[str, ...]
    orphaned: Mapping[str, Cell]
    orphaned_bytes: int
    precision: Precision | None = None


def changes_since(before: PlanRecord, plan: Plan, store: Store) -> Changes:
    """Compares a plan with the record of the study's last run."""
    then, now = _cells(before), _cells(plan.record)
    folders = {key: store.trial(key) for key in then if key not in now}
    orphaned = {key: folder for key, folder in folders.items() if folder.exists()}
    return Changes(
        added={key: cell for key, cell in now.items() if key not in then},
        kept=tuple(key for key in then if key in now),
        orphaned={key: then[key] for key in orphaned},
        orphaned_bytes=sum(int(folder.fs.du(folder.path)) for folder in orphaned.values()),
        precision=_other_precision(plan, orphaned),
    )


def _cells(record: PlanRecord) -> dict[str, Cell]:
    """The trials of a plan with the first arm and the seed that asks for each."""
    found: dict[str, Cell] = {}
    for cell in record.cells:
        for key in cell.fingerprints:
            found.setdefault(key, (cell.arm, cell.seed))
    return found


def _other_precision(plan: Plan, orphaned: Collection[str]) -> Precision | None:
    if not orphaned:
        return None
    precisions: set[Precision] = {*get_args(Precision)} - {"auto"}
    for precision in sorted(precisions):
        if any(trial_fingerprint(replace(trial.config, precision=precision)) in orphaned for trial in plan.trials):
            return precision
    return None
