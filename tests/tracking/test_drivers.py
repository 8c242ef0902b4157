"""Several drivers of one runs folder at once: whatever one of them does in the middle of another's pass, all is there once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rdun.results import Store, runs_id
from rdun.tracking import TrackerError, client, sync, trials
from rdun.tracking.client import Tracker
from rdun.tracking.files import read_trial
from rdun.tracking.view import Identity
from tests.tracking.seen import Seen, uri_of
from tests.tracking.tracked_study import CELLS, plan_record, saved, write_study, write_trial


def test_a_driver_that_is_behind_deletes_nothing(root: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its reading of a trial and its question to the tracker, another one copies what was trained meanwhile."""
    home, uri = saved(root, plan_record("s", {("A", 0): ["aa"]})), uri_of(root)
    write_trial(store, "aa", status="running", epochs=1)
    sync(home, store, uri)
    first = Seen(uri)

    def behind(*args: Any) -> Any:
        files = read_trial(*args)
        monkeypatch.undo()
        write_trial(store, "aa", status="running", epochs=2)
        sync(home, store, uri)
        return files

    monkeypatch.setattr(trials, "read_trial", behind)
    sync(home, store, uri)
    sync(home, store, uri)
    second = Seen(uri).whole()
    assert second.ids() == first.ids()
    assert second.steps("seed 0: A", "epoch/train_loss") == [1, 2]
    assert set(second.points().values()) == {1}


def test_a_run_that_is_deleted_in_the_middle_of_a_pass_does_not_hide_the_others(
    root: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, uri = saved(root, plan_record("s", dict(reversed(CELLS.items())))), uri_of(root)
    write_study(store)
    sync(home, store, uri)
    write_trial(store, "dd")
    write_trial(store, "aa", epochs=6)

    def deleted(*args: Any) -> Any:
        monkeypatch.undo()
        seen = Seen(uri)
        seen.client.delete_run(seen.ids()["seed 1: B"])
        return read_trial(*args)

    monkeypatch.setattr(trials, "read_trial", deleted)
    with pytest.raises(TrackerError, match=r"1 trial\(s\) could not be copied, such as dd: "):
        sync(home, store, uri)
    assert Seen(uri).steps("seed 0: A", "epoch/train_loss") == [1, 2, 3, 4, 5, 6]
    sync(home, store, uri)
    assert Seen(uri).whole().status("seed 1: B") == "FINISHED"


def test_runs_that_are_made_while_others_are_listed(root: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages of a list then overlap: a run that is seen twice is one."""
    from mlflow import MlflowClient

    home, uri = saved(root, plan_record("s", CELLS)), uri_of(root)
    write_study(store)
    sync(home, store, uri)
    tracker, search, first = Tracker(uri, "s"), MlflowClient.search_runs, Seen(uri)

    def and_one_more(self: MlflowClient, *args: Any, **options: Any) -> Any:
        page = search(self, *args, **options)
        if options["page_token"] is None:
            tracker.create("new", Identity("s", "new", store=runs_id(store)), 2**41)
        return page

    monkeypatch.setattr(client, "BATCH", 3)
    monkeypatch.setattr(MlflowClient, "search_runs", and_one_more)
    known = tracker.runs(runs_id(store))
    monkeypatch.undo()
    assert set(first.ids().values()) <= {run.run_id for run in known.values()}
    assert first.ids().items() <= Seen(uri).ids().items()


def test_an_experiment_that_another_driver_makes_meanwhile(
    root: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    home, uri = saved(root, plan_record("s", {("A", 0): ["aa"]})), uri_of(root)
    write_trial(store, "aa")
    ask = MlflowClient.get_experiment_by_name

    def not_yet(self: MlflowClient, name: str) -> None:
        monkeypatch.undo()
        assert ask(self, name) is None
        self.create_experiment(name)

    monkeypatch.setattr(MlflowClient, "get_experiment_by_name", not_yet)
    sync(home, store, uri)
    assert Seen(uri).status("seed 0: A") == "FINISHED"
