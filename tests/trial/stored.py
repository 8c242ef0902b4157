"""Trials in a store, where others find their training and their tests."""

from __future__ import annotations

from rdun.config import TrialConfig
from rdun.data import trial_fingerprint
from rdun.results import RunInfo, Store, TrialDirectory
from rdun.trial import run_trial


def run(store: Store, config: TrialConfig) -> RunInfo:
    return run_trial(config, folder(store, config).path)


def folder(store: Store, config: TrialConfig) -> TrialDirectory:
    return store.trial(trial_fingerprint(config))
