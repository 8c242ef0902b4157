"""A search on a real cluster whose trials fail, each at its own values."""

from __future__ import annotations

from dataclasses import replace

from rdun.results import Store
from rdun.search import Choice, Int, Objective, Search
from rdun.tuning import Capacity, run_search
from tests.tuning.conftest import Open


def test_failed_trials_are_a_gap_with_a_reason(capacity: Capacity, search: Search, store: Store, opened: Open) -> None:
    one = replace(
        search,
        space={"optim.lr": Choice((2e-3, 1e30)), "high": Int(1, 2)},
        objectives=(Objective("validation_psnr", "maximize"), Objective("train_seconds", "minimize")),
        trials=6,
        seed=2,
    )
    ended: list[str] = []
    suggestions = opened(one)
    run_search(suggestions, store, capacity, lambda: None, ended.append)
    assert suggestions.finished()
    trials = suggestions.record().trials
    assert {trial.state for trial in trials} >= {"complete", "failed"}
    for trial in trials:
        run = store.trial(trial.fingerprint).run()
        assert run is not None
        assert (trial.state == "failed") == (trial.values["optim.lr"] == 1e30) == (run.status == "failed")
        assert (trial.state == "failed") == ([attempt.outcome for attempt in run.attempts] == ["diverged"])
        assert bool(trial.reason) == (trial.state == "failed")
        assert len(trial.objectives) == (0 if trial.state == "failed" else 2)
    assert sorted(ended) == sorted({trial.fingerprint for trial in trials})
