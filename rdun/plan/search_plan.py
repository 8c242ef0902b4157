"""What of a search is to run that no suggestion has to be made for: its baselines, and what was begun."""

from __future__ import annotations

from collections.abc import Iterable

from rdun.config import TrialConfig
from rdun.data import trial_fingerprint
from rdun.plan.study_plan import state_of
from rdun.results import SearchRecord, Store, TrialDirectory


def without_end(configs: Iterable[TrialConfig], store: Store, *, retry_failed: bool) -> list[TrialConfig]:
    """The trials of baselines that are to run; failed ones with `retry_failed` only."""
    ends = ("complete",) if retry_failed else ("complete", "failed", "diverged")
    return [config for config in configs if state_of(store.trial(trial_fingerprint(config))) not in ends]


def going_on(record: SearchRecord, store: Store, *, retry_failed: bool) -> list[TrialDirectory]:
    """The trials, also of baselines, that were begun and are run again."""
    states = ("resumable", "failed") if retry_failed else ("resumable",)
    settings = [trial.fingerprints for trial in record.trials if trial.state in ("running", "failed")]
    prints = dict.fromkeys(f for setting in [*settings, *record.baselines.values()] for f in setting)
    return [folder for f in prints if state_of(folder := store.trial(f)) in states]
