"""Early stopping on a real cluster, and what it leaves in the directories, in Optuna and in the record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from rdun.config import with_values
from rdun.results import Lease, Store
from rdun.search import Choice, Int, Objective, Search
from rdun.stopping import Asha
from rdun.trial import run_trial
from rdun.tuning import Suggestions, cluster, mark_stopped, run_search
from tests.tuning.conftest import Open


@pytest.fixture
def rates(search: Search) -> Search:
    """Six settings of three epochs, half of which learn next to nothing."""
    return replace(
        search,
        base=with_values(search.base, {"optim.epochs": 3}),
        space={"optim.lr": Choice((3e-3, 1e-9)), "high": Int(1, 3)},
        objectives=(Objective("validation_psnr", "maximize"),),
        constraints=(),
        stopping=Asha(grace=1, reduction=2),
        baselines={"still": with_values(search.base, {"optim.epochs": 3, "optim.lr": 1e-12})},
        trials=8,
    )


def run(suggestions: Suggestions, store: Store) -> None:
    with cluster(cpus=1) as capacity:
        run_search(suggestions, store, capacity, lambda fingerprint: None)
    suggestions.settle()
    mark_stopped(suggestions.stopped(), "asha", store)


@pytest.mark.usefixtures("clean_environment")
def test_a_trial_that_is_behind_is_stopped_and_says_so(
    rates: Search, store: Store, opened: Open, tmp_path: Path
) -> None:
    suggestions = opened(rates)
    run(suggestions, store)
    assert suggestions.finished()
    record = suggestions.record()
    stopped = [trial for trial in record.trials if trial.state == "stopped early"]
    complete = [trial for trial in record.trials if trial.state == "complete"]
    assert stopped
    assert complete
    assert len(record.trials) == 8
    assert record.stopping.startswith("asha")
    study = optuna.load_study(study_name="s", storage=f"sqlite:///{tmp_path}/search.db")
    for trial in stopped:
        folder, frozen = store.trial(trial.fingerprint), study.trials[trial.number]
        info, epochs = folder.run(), folder.epochs()
        assert info is not None
        assert (info.status, info.reason) == ("stopped", f"stopped early {trial.reason}")
        assert trial.reason == f"at epoch {len(epochs)} by asha"
        assert folder.exists("checkpoint.pt")
        assert 1 <= len(epochs) < 3
        assert not trial.objectives
        assert frozen.state == optuna.trial.TrialState.PRUNED
        assert list(frozen.intermediate_values.values())[-1] == max(e.validation_psnr for e in epochs)
        with Lease(folder):
            pass  # nobody holds it
    assert {trial.number for trial in record.best()} <= {trial.number for trial in complete}
    still = store.trial(record.baselines["still"]).run()
    assert still is not None
    assert still.status == "complete"
