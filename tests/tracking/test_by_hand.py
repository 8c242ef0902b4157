"""What users do in MLflow, and what their names and clocks do to it: runs are found again, and all is there once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from rdun.results import Store
from rdun.tracking import Mirror, sync
from tests.tracking.seen import Seen, uri_of, wait_for
from tests.tracking.servers import Postgres
from tests.tracking.tracked_study import CELLS, plan_record, saved, write_study, write_trial


def test_an_experiment_that_was_renamed_keeps_its_runs(root: Path, store: Store) -> None:
    home, uri = saved(root, plan_record("s", CELLS)), uri_of(root)
    write_study(store)
    sync(home, store, uri)
    before = Seen(uri)
    before.client.rename_experiment(before.all[0].info.experiment_id, "For the paper")
    write_trial(store, "dd")
    sync(home, store, uri)
    after = Seen(uri, "For the paper").whole()
    assert (len(after.runs), after.status("seed 1: B"), Seen(uri).all) == (7, "FINISHED", [])
    trials = {name: run for name, run in before.ids().items() if name not in ("B", "seed 1: B")}
    assert trials.items() <= after.ids().items()


@pytest.mark.parametrize("when", ["before", "in the middle"])
def test_an_experiment_that_was_deleted_comes_back_once(when: str, root: Path, store: Store) -> None:
    """MLflow then brings back all runs of it, those that were replaced before too."""
    home, uri = saved(root, plan_record("s", CELLS)), uri_of(root)
    write_study(store)
    sync(home, store, uri)
    write_trial(store, "dd")
    sync(home, store, uri)
    before = Seen(uri).whole()
    experiment = before.all[0].info.experiment_id
    with Mirror(home, store, uri, period=0.1) as mirror:
        if when == "in the middle":
            wait_for(lambda: mirror._copier is not None and mirror._copier._found is not None)
        before.client.delete_experiment(experiment)
        write_trial(store, "aa", epochs=6)
        time.sleep(1.0)
    sync(home, store, uri)
    after = Seen(uri).whole()
    assert after.all[0].info.experiment_id == experiment
    assert after.steps("seed 0: A", "epoch/train_loss") == [1, 2, 3, 4, 5, 6]
    assert after.steps("B", "epoch/train_loss") == [1, 2, 3, 4]
    assert set(after.points().values()) == {1}
    assert (len(after.runs), {run.info.status for run in after.all}) == (7, {"FINISHED"})


def test_a_clock_that_was_set_back(root: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or is behind that of the machine that has copied before: the tracker shows what was copied last all the same."""
    home, uri = saved(root, plan_record("s", CELLS)), uri_of(root)
    write_study(store)
    sync(home, store, uri)
    before = Seen(uri).runs
    assert before["The study s"].data.metrics["trials_failed"] == 1
    monkeypatch.setattr(time, "time_ns", lambda: 10**18)

    def failed() -> float:
        return float(Seen(uri).runs["The study s"].data.metrics["trials_failed"])

    with Mirror(home, store, uri, period=0.1):
        write_trial(store, "dd", status="running")
        wait_for(lambda: failed() == 0)
        write_trial(store, "dd", status="failed")
        wait_for(lambda: failed() == 1)
        write_trial(store, "dd")
    for _ in range(2):
        values = Seen(uri).runs["The study s"].data.metrics
        assert (values["trials_complete"], values["trials_failed"]) == (4, 0)
        sync(home, store, uri)
    assert Seen(uri).steps("The study s", "trials_failed") == [0, 0, 0, 0]


def test_names_longer_than_a_column_of_a_database(root: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL holds 250 characters of the name of a run, and no NUL; SQLite does not mind."""
    long = "ü😀" + 300 * "x"
    write_trial(store, "aa")
    monkeypatch.chdir(root)  # of a database without a server, MLflow keeps the artifacts there
    home = saved(root, plan_record("s", {(long, 0): ["aa"]}, title="The study s\0" + 300 * "y"))
    with Postgres() as database:
        for _ in range(2):
            sync(home, store, database.uri)
        seen = Seen(database.uri).whole()
        assert {len(name) for name in seen.runs} == {250} and len(seen.runs) == 3
        assert set(seen.points().values()) == {1}
