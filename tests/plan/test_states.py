"""Where the trials of a plan stand, which of them run, and from which epoch on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rdun.config import TrialConfig
from rdun.plan import Plan, epochs_done, without_end
from rdun.results import Outcome, Status, Store
from tests.plan.conftest import Past


@pytest.mark.parametrize(
    ("status", "outcome", "left", "state", "runs", "done"),
    [
        ("complete", "complete", "best.safetensors", "complete", "", 0),
        ("failed", "error", "checkpoint.pt", "failed", "always", 0),
        ("failed", "diverged", "checkpoint.pt", "diverged", "if asked for", 0),
        ("stopped", "stopped", "checkpoint.pt", "resumable", "always", 2),
        ("running", "running", "scored.csv", "resumable", "always", 2),
        ("running", "running", "system.csv", "new", "always", 0),  # killed before its first checkpoint
        ("stopped", "stopped", "last.safetensors", "new", "always", 0),  # whose checkpoint a search has removed
    ],
)
def test_a_trial_stands_where_its_directory_says(
    plan: Plan, store: Store, past: Past, status: Status, outcome: Outcome, left: str, state: str, runs: str, done: int
) -> None:
    folder = store.trial(past(plan.trials[0].config))
    run = folder.run()
    assert run is not None
    folder.write_run(replace(run, status=status, attempts=(replace(run.attempts[0], outcome=outcome),)))
    folder.write(left, b"")
    now = plan.refreshed(store)
    assert [trial.state for trial in now.trials] == [state, "new", "new", "new"]
    assert {name: count for name, count in now.counts().items() if count} == {state: 1} | {"new": 3 + (state == "new")}
    assert epochs_done(now.trials[0], store) == done
    assert (now.trials[0] in now.missing()) == (runs == "always")
    assert (now.trials[0] in replace(now, retry_diverged=True).missing()) == bool(runs)


def test_baselines_of_a_search_that_failed_run_again_where_it_is_asked_for(
    store: Store, past: Past, tiny: TrialConfig
) -> None:
    complete, failed, diverged, new = (replace(tiny, seed=seed) for seed in range(4))
    past(complete)
    ends: dict[TrialConfig, Outcome] = {failed: "error", diverged: "diverged"}
    for config, outcome in ends.items():
        folder = store.trial(past(config))
        run = folder.run()
        assert run is not None
        folder.write_run(replace(run, status="failed", attempts=(replace(run.attempts[0], outcome=outcome),)))
    every = (complete, failed, diverged, new)
    assert without_end(every, store, retry_failed=False) == [new]
    assert without_end(every, store, retry_failed=True) == [failed, diverged, new]
