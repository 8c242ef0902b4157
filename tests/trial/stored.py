"""Trials in a store, where others find their training and their tests."""

from __future__ import annotations

import pytest

from rdun.config import TrialConfig
from rdun.data import trial_fingerprint
from rdun.results import RunInfo, Store, TrialDirectory
from rdun.trial import run_trial
from tests.trial.test_tests import cut_off_after


def run(store: Store, config: TrialConfig) -> RunInfo:
    return run_trial(config, folder(store, config).path)


def folder(store: Store, config: TrialConfig) -> TrialDirectory:
    return store.trial(trial_fingerprint(config))


def run_cut_off(store: Store, config: TrialConfig, images: int) -> None:
    """Runs a trial that is interrupted when so many images are tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rdun.trial.scoring.reconstructions", cut_off_after(images, []))
        with pytest.raises(KeyboardInterrupt):
            run(store, config)
