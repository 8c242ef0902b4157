"""A study in real MLflow: in its database."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rdun.results import Store, runs_id
from rdun.tracking import Mirror, TrackerError, sync
from rdun.tracking.client import Tracker, _client_class
from rdun.tracking.database import _put_in_place
from tests.tracking.seen import Seen, uri_of, wait_for
from tests.tracking.tracked_study import (
    BEGAN,
    CELLS,
    ODD,
    REPORT,
    plan_record,
    saved,
    write_report,
    write_study,
    write_trial,
)


def test_study_arm_and_trial_runs(root: Path, store: Store) -> None:
    home = saved(root, plan_record("s", CELLS))
    with Mirror(home, store, uri_of(root), period=0.1) as mirror:
        write_study(store)
        write_report(home)
        mirror.publish(answer="A is better by 1.0 dB.")
    assert mirror.problem is None
    seen = Seen(uri_of(root))
    study = "The study s"
    assert set(seen.runs) == {study, "A", "B", "seed 0: A", "seed 1: A", "seed 0: B", "seed 1: B"}
    assert (seen.parent("seed 1: A"), seen.parent("B"), seen.status("A"), seen.status("B")) == (
        "A",
        study,
        "FINISHED",
        "FAILED",
    )
    assert seen.steps("seed 0: A", "epoch/validation_psnr") == [1, 2, 3, 4]
    assert len(seen.steps("seed 0: A", "system/cpu_percent")) == 8
    trial = seen.runs["seed 0: A"]
    assert (trial.info.start_time, trial.info.end_time) == (BEGAN, BEGAN + 43_000)
    assert trial.data.params["model.kind"] == "coast"
    assert trial.data.params["arm"] == "A"
    assert trial.data.tags["rdun.versions"] == "python 3.11, torch 2.13"
    assert trial.data.tags["mlflow.source.git.commit"] == "abc123"
    assert trial.data.metrics["result/best_test_psnr"] == pytest.approx(27.8)
    assert trial.data.metrics["size/parameters"] == 12345
    assert "layout 5x1, 12,345 parameters" in trial.data.tags["mlflow.note.content"]
    failed = seen.runs["seed 1: B"]
    assert (failed.info.status, failed.data.tags["rdun.reason"]) == ("FAILED", "Diverged: not finite at <stage> 3")
    arm = seen.runs["A"].data
    assert arm.metrics["result/best_test_psnr"] == pytest.approx(28.8)
    assert arm.metrics["spread/best_test_psnr"] == pytest.approx(2**0.5)
    assert (arm.metrics["size/parameters"], arm.metrics["seeds_complete"]) == (12345, 2)
    assert arm.metrics["cost/core_hours"] == pytest.approx(2 * 43 / 3600)
    assert arm.tags["rdun.seeds"] == "0, 1"
    gap = seen.runs["B"].data
    assert (gap.metrics["result/best_test_psnr"], gap.metrics["seeds_averaged"]) == (pytest.approx(28.8), 1)
    assert (
        "1 of 2 seeds complete. Metrics are means over the seeds that were complete when a run last ended: 1."
        in (gap.tags["mlflow.note.content"])
    )
    whole = seen.runs[study]
    assert (whole.data.metrics["trials_complete"], whole.data.metrics["trials_failed"], whole.info.status) == (
        3,
        1,
        "FAILED",
    )
    assert (whole.data.metrics["trials_planned"], whole.data.metrics["train_hours"]) == (4, pytest.approx(22.5 / 3600))
    assert whole.data.metrics["cost/core_hours"] == pytest.approx((3 * 43 + 23) / 3600)
    assert "A is better by 1.0 dB." in whole.data.tags["mlflow.note.content"]
    assert seen.artifacts(study) == {*REPORT, "plan.json"}
    pictures = {name for name in seen.artifacts("seed 0: A") if name.endswith(".png")}
    assert len(pictures) == 3
    assert all(name.startswith("reconstructions/photos/cat _1_-") for name in pictures)
    tables = {"scores.csv", "epochs.csv", "timing.csv", "system.csv", "config.json", "run.json"}
    assert seen.artifacts("seed 0: A") == tables | pictures
    assert "error.txt" in seen.artifacts("seed 1: B")
    assert (root / "mlruns" / "s").is_dir()


def test_copying_again_changes_nothing(root: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """And sends nothing but the report."""
    from mlflow import MlflowClient

    home, uri = saved(root, plan_record("s", CELLS)), uri_of(root)
    write_study(store)
    sync(home, store, uri, answer="A is better.")
    before = Seen(uri)
    with Mirror(home, store, uri, period=0.1):
        time.sleep(0.5)
    sent: list[str] = []

    def told(name: str, send: Callable[..., Any]) -> Callable[..., Any]:
        def request(*words: Any, **named: Any) -> Any:
            sent.append(name)
            return send(*words, **named)

        return request

    for name in ("create_run", "delete_run", "update_run", "set_terminated", "log_batch", "log_artifacts"):
        monkeypatch.setattr(MlflowClient, name, told(name, getattr(MlflowClient, name)))
    sync(home, store, uri)
    assert sent == ["log_artifacts"]
    after = Seen(uri)
    assert (after.ids(), after.points()) == (before.ids(), before.points())
    assert {name: run.data.tags for name, run in after.runs.items()} == {
        name: run.data.tags for name, run in before.runs.items()
    }
    assert set(after.points().values()) == {1}


def test_a_trial_grows_stops_and_resumes_in_the_same_run(root: Path, store: Store) -> None:
    home, uri = saved(root, plan_record("s", {("A", 0): ["aa"]})), uri_of(root)
    write_trial(store, "aa", status="running", epochs=1)
    with Mirror(home, store, uri, period=0.1):
        wait_for(lambda: bool(Seen(uri).runs.get("seed 0: A")))
        write_trial(store, "aa", status="running", epochs=2)
        wait_for(lambda: Seen(uri).steps("seed 0: A", "epoch/train_loss") == [1, 2])
        assert Seen(uri).status("seed 0: A") == "RUNNING"
        write_trial(store, "aa", status="stopped", reason="interrupted", epochs=3)
    first = Seen(uri)
    assert (first.status("seed 0: A"), first.status("A"), first.status("The study s")) == ("KILLED",) * 3
    with Mirror(home, store, uri, period=0.1):
        write_trial(store, "aa", status="running", epochs=3)
        wait_for(lambda: Seen(uri).status("seed 0: A") == "RUNNING")
        write_trial(store, "aa", status="complete", epochs=5)
    second = Seen(uri)
    assert second.ids() == first.ids()
    assert second.steps("seed 0: A", "epoch/train_loss") == [1, 2, 3, 4, 5]
    assert second.steps("seed 0: A", "result/last_train_loss") == [3, 5]  # of each end, and of nothing in between
    assert second.runs["seed 0: A"].data.tags["rdun.reason"] == "-"
    assert {second.status(name) for name in second.runs} == {"FINISHED"}
    assert set(second.points().values()) == {1}


def test_training_that_began_again_takes_the_place_of_the_old_curve(root: Path, store: Store) -> None:
    home, uri = saved(root, plan_record("s", {("A", 0): ["aa"]})), uri_of(root)
    write_trial(store, "aa", status="failed", reason="disk lost", epochs=3)
    sync(home, store, uri)
    write_trial(store, "aa", epochs=4, began=BEGAN + 3_600_000)
    sync(home, store, uri)
    assert Seen(uri).steps("seed 0: A", "epoch/train_loss") == [1, 2, 3, 4]
    assert len(Seen(uri).runs) == 3


def test_a_failed_trial_that_somebody_trains_again_meanwhile(root: Path, store: Store) -> None:
    home, uri = saved(root, plan_record("s", {("A", 0): ["aa"]})), uri_of(root)
    write_trial(store, "aa", status="failed", reason="disk lost", epochs=3)
    with Mirror(home, store, uri, period=0.1):
        wait_for(lambda: "FAILED" in {run.info.status for run in Seen(uri).all})
        write_trial(store, "aa", epochs=4)
    seen = Seen(uri).whole()
    assert (seen.status("seed 0: A"), seen.steps("seed 0: A", "epoch/train_loss")) == ("FINISHED", [1, 2, 3, 4])


def test_a_trial_that_was_cut_off_is_not_left_running(root: Path, store: Store) -> None:
    home, uri = saved(root, plan_record("s", CELLS)), uri_of(root)
    write_trial(store, "aa", status="running", epochs=1)
    held = write_trial(store, "bb", status="running", epochs=1)
    held.write_json("lock.json", {"heartbeat": time.time()})
    sync(home, store, uri)
    seen = Seen(uri)
    assert (seen.status("seed 0: A"), seen.status("seed 0: B"), seen.status("The study s")) == (
        "KILLED",
        "RUNNING",
        "RUNNING",
    )
    with Mirror(home, store, uri):
        pass
    assert Seen(uri).status("seed 0: B") == "KILLED"  # the study has ended, and with it all its trials


def test_a_trial_of_two_arms_and_an_arm_of_two_trials(root: Path, store: Store) -> None:
    home, uri = saved(root, plan_record("s", {("A", 0): ["aa", "bb"], ("B", 0): ["aa"]})), uri_of(root)
    write_trial(store, "aa", level=20.0)
    write_trial(store, "bb", level=30.0)
    sync(home, store, uri)
    seen = Seen(uri)
    assert set(seen.runs) == {"The study s", "A", "B", "seed 0, trial 1: A", "seed 0, trial 2: A", "seed 0: B"}
    assert seen.runs["A"].data.metrics["result/best_test_psnr"] == pytest.approx(27.8)
    assert seen.runs["B"].data.metrics["result/best_test_psnr"] == pytest.approx(22.8)
    assert seen.runs["seed 0, trial 1: A"].data.tags["rdun.fingerprint"] == "aa"


def test_a_study_that_is_extended_and_changed(root: Path, store: Store) -> None:
    uri = uri_of(root)
    write_study(store)
    sync(saved(root, plan_record("s", {("A", 0): ["aa"]})), store, uri)
    first = Seen(uri).ids()
    sync(saved(root, plan_record("s", {("A", 0): ["aa"], ("A", 1): ["cc"]})), store, uri)
    second = Seen(uri)
    assert first.items() - second.ids().items() == {("A", first["A"])}  # with curves over two seeds it is another run
    assert second.runs["A"].data.metrics["result/best_test_psnr"] == pytest.approx(28.8)
    sync(saved(root, plan_record("s", {("A", 0): ["bb"]})), store, uri)
    tags = [run.data.tags for run in Seen(uri).all if "rdun.seed" in run.data.tags]
    assert {t["rdun.fingerprint"]: t["rdun.plan"] for t in tags} == {"aa": "earlier", "bb": "current", "cc": "earlier"}


def test_odd_names(root: Path, store: Store) -> None:
    home, uri = saved(root, plan_record("s", {(ODD, 0): ["aa"]}, question="", title=ODD)), uri_of(root)
    folder = write_trial(store, "aa", dataset=ODD)
    assert folder.scores()[0].dataset == ODD
    sync(home, store, uri)
    seen = Seen(uri)
    assert len([name for name in seen.artifacts(f"seed 0: {ODD}") if name.endswith(".png")]) == 3
    assert seen.runs[f"seed 0: {ODD}"].data.tags["rdun.arm"] == ODD


def test_a_directory_that_cannot_be_read_does_not_hide_the_others(root: Path, store: Store) -> None:
    home, uri = saved(root, plan_record("s", CELLS)), uri_of(root)
    write_study(store)
    store.trial("aa").write_text("epochs.csv", "epoch,step\n1,broken\n")
    with pytest.raises(TrackerError, match=r"1 trial\(s\) could not be copied, such as aa: .*--sync"):
        sync(home, store, uri)
    assert "seed 0: B" in Seen(uri).runs
    with Mirror(home, store, uri, period=0.1) as mirror:
        wait_for(lambda: mirror.problem is not None)
        write_trial(store, "aa")
    assert mirror.problem is None
    assert Seen(uri).status("seed 0: A") == "FINISHED"


@pytest.mark.parametrize("name", ["config.json", "error.txt"])
def test_a_damaged_file_does_not_hide_the_others_either(name: str, root: Path, store: Store) -> None:
    home, uri = saved(root, plan_record("s", CELLS)), uri_of(root)
    write_study(store)
    if name == "config.json":
        store.trial("aa").write_json(name, {"unheard": "of"})
    else:
        store.trial("aa").write_text(f"{name}/is a folder", "")
    with pytest.raises(
        TrackerError, match=r"1 trial\(s\) could not be copied, such as aa: .*(unheard|directory).*--sync"
    ):
        sync(home, store, uri)
    seen = Seen(uri)
    assert (seen.status("seed 0: B"), seen.runs["The study s"].data.metrics["trials_complete"]) == ("FINISHED", 2)


def test_an_arm_that_is_described_in_other_words(root: Path, store: Store) -> None:
    """Its description follows; MLflow never changes a parameter."""
    plan, uri = plan_record("s", {("A", 0): ["aa"]}), uri_of(root)
    write_trial(store, "aa")
    sync(saved(root, plan), store, uri)
    before = Seen(uri)
    sync(saved(root, replace(plan, arms=[replace(plan.arms[0], factors={"system": "Coast"})])), store, uri)
    after = Seen(uri).whole()
    assert after.ids() == before.ids()
    assert "- system: Coast" in after.tag("A", "mlflow.note.content")
    assert {after.runs[name].data.params["factor.system"] for name in ("A", "seed 0: A")} == {"COAST"}


def test_an_arm_that_grows_ends_later(root: Path, store: Store) -> None:
    uri = uri_of(root)
    write_trial(store, "aa")
    write_trial(store, "bb", began=BEGAN + 3_600_000)
    sync(saved(root, plan_record("s", {("A", 0): ["aa"]})), store, uri)
    assert Seen(uri).runs["A"].info.end_time == BEGAN + 43_000
    sync(saved(root, plan_record("s", {("A", 0): ["aa"], ("A", 1): ["bb"]})), store, uri)
    seen = Seen(uri)
    assert {seen.runs[name].info.end_time for name in ("A", "The study s")} == {BEGAN + 3_643_000}


def test_runs_deleted_by_hand_come_back(root: Path, store: Store) -> None:
    """While they are copied: a trial's with what it does next, the one on top with what it counts next."""
    home, uri = saved(root, plan_record("s", CELLS)), uri_of(root)
    write_study(store)

    def status() -> str:
        runs = Seen(uri).runs
        return str(runs["seed 1: B"].info.status) if {"seed 1: B", "The study s"} <= set(runs) else ""

    with Mirror(home, store, uri, period=0.1) as mirror:
        wait_for(lambda: status() == "FAILED")
        seen = Seen(uri)
        seen.client.delete_run(seen.runs["seed 1: B"].info.run_id)
        write_trial(store, "dd", status="running")
        wait_for(lambda: status() == "RUNNING")
        seen.client.delete_run(seen.runs["The study s"].info.run_id)
        write_trial(store, "dd")
        wait_for(lambda: status() == "FINISHED")
    assert mirror.problem is None
    after = Seen(uri).whole()
    assert len(after.runs) == 7
    assert (after.parent("A"), after.parent("B"), after.parent("seed 1: B")) == ("The study s", "The study s", "B")


def test_runs_made_twice_become_one(root: Path, store: Store) -> None:
    """As after a request whose answer was lost, or by two drivers."""
    home, uri = saved(root, plan_record("s", CELLS)), uri_of(root)
    write_study(store)
    sync(home, store, uri)
    first = Seen(uri)
    tracker = Tracker(uri, "s")
    for identity, run in tracker.runs(runs_id(store)).items():
        tracker.create("a ghost", identity, run.started + 1)
    assert len(Seen(uri).all) == 14
    sync(home, store, uri)
    second = Seen(uri).whole()
    assert (second.ids(), second.points()) == (first.ids(), first.points())


def test_requests_hold_many_values(root: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """300 epochs have 4,200 values and more; no key is sent alone, and of a trial that grows only what is new."""
    from mlflow import MlflowClient

    sizes, send = [], MlflowClient.log_batch

    def counted(self: MlflowClient, run_id: str, metrics: Any = (), params: Any = (), tags: Any = ()) -> None:
        sizes.append(len(metrics))
        send(self, run_id, metrics, params, tags)

    def refused(*_: object) -> None:
        raise AssertionError("one key, one request")

    monkeypatch.setattr(MlflowClient, "log_batch", counted)
    for name in ("log_metric", "log_param", "set_tag"):
        monkeypatch.setattr(MlflowClient, name, refused)
    home = saved(root, plan_record("s", {("A", 0): ["aa"]}))
    write_trial(store, "aa", status="running", epochs=300)
    sync(home, store, uri_of(root))
    assert sum(sizes) > 4_200
    assert len(sizes) <= 20
    assert max(sizes) <= 1_000
    sizes.clear()
    write_trial(store, "aa", status="running", epochs=301)
    sync(home, store, uri_of(root))
    assert 10 < sum(sizes) < 100


def test_a_database_on_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is put in place all the same, but never over one that somebody else has made meanwhile."""

    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    for content in ("first", "second"):
        (tmp_path / "whole").write_text(content)
        _put_in_place(tmp_path / "whole", tmp_path / "mlflow.db")
        assert (tmp_path / "mlflow.db").read_text() == "first"


def test_two_studies_at_once_on_a_fresh_database(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rdun.results import Store\n"
        "from tests.tracking.tracked_study import plan_record, saved, write_trial\n"
        "from rdun.tracking import Mirror\n"
        "root, name = sys.argv[1:]; store = Store(f'{root}/trials-{name}'); write_trial(store, 'aa')\n"
        "home = saved(Path(root), plan_record(name, {('A', 0): ['aa']}))\n"
        "with Mirror(home, store, f'sqlite:///{root}/new/mlflow.db', patience=120) as mirror: pass\n"
        "print(mirror.problem)"
    )
    here = {"cwd": Path(__file__).parents[2], "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    pair = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name], **here) for name in ("s", "t")]  # type: ignore[call-overload]
    assert [process.communicate(timeout=150)[0] for process in pair] == [
        "None\n",
        "None\n",
    ]  # and no logs of MLflow or alembic
    for name in ("s", "t"):
        assert {run.info.status for run in Seen(uri_of(tmp_path / "new"), name).runs.values()} == {"FINISHED"}
    with contextlib.closing(sqlite3.connect(tmp_path / "new" / "mlflow.db")) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert not [path for path in (tmp_path / "new").iterdir() if path.name.startswith(".")]


def test_mlflow_tells_its_makers_nothing_and_heeds_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, users = ("MLFLOW_DISABLE_TELEMETRY", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"), "MLFLOW_HTTP_REQUEST_TIMEOUT"
    for name in ours:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(users, "99")
    _client_class()
    assert ([os.environ[name] for name in ours], os.environ[users]) == (["true", "0"], "99")
