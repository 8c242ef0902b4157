"""A search on a real cluster whose trials fail, each at its own values."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean

from rdun.results import Store
from rdun.search import Choice, Int, Objective, Search
from rdun.tuning import Capacity, run_search
from tests.tuning.conftest import Open


def test_failed_trials_of_two_seeds_are_a_gap_with_a_reason(
    capacity: Capacity, search: Search, store: Store, opened: Open
) -> None:
    one = replace(
        search,
        space={"optim.lr": Choice((2e-3, 1e30)), "high": Int(1, 2)},
        objectives=(Objective("validation_psnr", "maximize"), Objective("train_seconds", "minimize")),
        trials=6,
        seed=2,
        seeds=(0, 1),
    )
    ended: list[str] = []
    suggestions = opened(one)
    run_search(suggestions, store, capacity, lambda: None, ended.append)
    assert suggestions.finished()
    trials = suggestions.record().trials
    assert {trial.state for trial in trials} >= {"complete", "failed"}
    for trial in trials:
        runs = [run for fingerprint in trial.fingerprints if (run := store.trial(fingerprint).run())]
        failed = trial.values["optim.lr"] == 1e30
        assert (trial.state == "failed") == failed == bool(trial.reason)
        assert len(trial.fingerprints) == 2 and len(runs) >= (1 if failed else 2)
        assert {run.status for run in runs} == {"failed" if failed else "complete"}
        assert {attempt.outcome for run in runs for attempt in run.attempts} == {"diverged" if failed else "complete"}
        assert len(trial.objectives) == len(trial.spreads) == (0 if failed else 2)
        assert failed or trial.objectives[0] == fmean(reached(store, f) for f in trial.fingerprints)
    begun = {f for trial in trials for f in trial.fingerprints if store.trial(f).run()}
    assert sorted(ended) == sorted(begun)


def reached(store: Store, fingerprint: str) -> float:
    return max(epoch.validation_psnr for epoch in store.trial(fingerprint).epochs())
