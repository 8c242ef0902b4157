"""A tracker that is down, never answers, or is killed in the middle: nothing waits for it, and nothing is lost or doubled."""

from __future__ import annotations

import contextlib
import http.server
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from rdun.results import Store
from rdun.tracking import Mirror, TrackerError, sync
from rdun.tracking.client import Run, Tracker
from tests.tracking.seen import Seen, uri_of, wait_for
from tests.tracking.servers import Postgres, Server, deaf_server, free_port
from tests.tracking.tracked_study import CELLS, ODD, plan_record, saved, write_report, write_study, write_trial


@pytest.mark.parametrize("kind", ["refused", "silent", "no such store"])
def test_a_tracker_that_is_lost_costs_nothing(kind: str, tmp_path: Path) -> None:
    store, home = Store(tmp_path / "trials"), saved(tmp_path, plan_record("s", CELLS))
    write_study(store)
    write_report(home)
    with deaf_server() as silent:
        uri = {
            "refused": f"http://me:secret@127.0.0.1:{free_port()}",
            "silent": silent.replace("://", "://me:secret@"),
            "no such store": f"file://{tmp_path}/mlruns",
        }[kind]
        with pytest.raises(TrackerError, match="connection refused"):  # imports what there is to import, too
            sync(home, store, f"http://127.0.0.1:{free_port()}")
        begin = time.monotonic()
        mirror = Mirror(home, store, uri, period=0.1, patience=2.0)
        with mirror:
            assert time.monotonic() - begin < 1  # half of its patience
            time.sleep(0.3)
        mirror.publish()
        assert time.monotonic() - begin < 5.5
    assert mirror.problem is not None
    assert "results are complete in" in mirror.problem
    assert "`python studies/run_ablation.py s --sync`" in mirror.problem
    assert "secret" not in mirror.problem
    assert "\n" not in mirror.problem
    if kind == "refused":
        assert "connection refused" in mirror.problem


@pytest.mark.parametrize("kind", ["refused", "silent"])
def test_a_database_that_is_lost_is_told_soon(kind: str, tmp_path: Path) -> None:
    """MLflow itself tries ten times, and waits for two minutes and more each time for one that is silent."""
    store, home = Store(tmp_path / "trials"), saved(tmp_path, plan_record("s", CELLS))
    with deaf_server() as silent:
        port = free_port() if kind == "refused" else int(silent.rpartition(":")[2])
        begin = time.monotonic()
        with pytest.raises(TrackerError, match=r"connection refused|no answer in time"):
            sync(home, store, f"postgresql://me:secret@127.0.0.1:{port}/tracker")
    assert time.monotonic() - begin < 30  # imports take some of them


@pytest.mark.parametrize("code", [401, 403])
def test_a_server_that_lets_nobody_in(code: int, tmp_path: Path) -> None:
    class Closed(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(code)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Closed) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        home = saved(tmp_path, plan_record("s", CELLS))
        with pytest.raises(TrackerError, match="MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and"):
            sync(home, Store(tmp_path / "trials"), f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


@pytest.fixture(params=["server", "database"])
def killable(request: pytest.FixtureRequest, root: Path) -> Iterator[tuple[Server, Server | Postgres]]:
    """An `mlflow server`, and what is killed: itself, over SQLite; or the PostgreSQL behind it."""
    with contextlib.ExitStack() as stack:
        if request.param == "server":
            server = stack.enter_context(Server(f"sqlite:///{root}/mlflow.db", root))
            yield server, server
        else:
            database = stack.enter_context(Postgres())
            yield stack.enter_context(Server(database.uri, root)), database


def test_killed_in_the_middle_loses_and_doubles_nothing(
    killable: tuple[Server, Server | Postgres], root: Path, store: Store
) -> None:
    """kill -9 while trials are being copied, more training while it is away, and a restart."""
    server, victim = killable
    home = saved(root, plan_record("s", {**CELLS, (ODD, 0): ["ee"]}))
    with Mirror(home, store, server.uri, period=0.1) as mirror:
        write_trial(store, "aa", status="running", epochs=2)
        wait_for(lambda: "seed 0: A" in Seen(server.backend).runs)
        write_trial(store, "bb")
        time.sleep(0.15)  # in the middle of copying it
        victim.kill()
        write_trial(store, "aa", epochs=6)
        write_trial(store, "cc")
        wait_for(lambda: mirror.problem is not None)
        victim.start()
        write_trial(store, "dd", status="stopped", reason="by hand")
        write_trial(store, "ee", dataset=ODD)
        write_report(home)

        def published() -> bool:
            mirror.publish()
            return mirror.problem is None

        wait_for(published)
    seen = Seen(server.backend).whole()  # a thousand requests less than through the server
    assert len(seen.runs) == 9
    assert seen.steps("seed 0: A", "epoch/train_loss") == [1, 2, 3, 4, 5, 6]
    assert seen.steps("seed 0: B", "epoch/train_loss") == [1, 2, 3, 4]
    assert set(seen.points().values()) == {1}
    assert (seen.status("seed 0: A"), seen.status("seed 1: B"), seen.status("The study s")) == (
        "FINISHED",
        "KILLED",
        "KILLED",
    )
    served = Seen(server.uri)
    assert len([a for a in served.artifacts(f"seed 0: {ODD}") if a.endswith(".png")]) == 3
    assert "report.html" in served.artifacts("The study s")
    before = seen.points()
    sync(home, store, server.uri)
    assert Seen(server.backend).whole().points() == before


def test_files_of_a_trial_that_did_not_arrive_are_sent_again(
    root: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, uri = saved(root, plan_record("s", {("A", 0): ["aa"]})), uri_of(root)
    write_trial(store, "aa")

    def away(*_: object) -> None:
        raise ConnectionError("Connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(Tracker, "upload", away)
        with pytest.raises(TrackerError, match="connection refused"):
            sync(home, store, uri)
    sync(home, store, uri)
    assert "scores.csv" in Seen(uri).artifacts("seed 0: A")


def test_a_report_that_did_not_arrive_is_sent_again(root: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tracker is away when the report is published, and back for the next pass."""
    home, uri, upload = saved(root, plan_record("s", CELLS)), uri_of(root), Tracker.upload
    write_study(store)
    write_report(home)

    def away(tracker: Tracker, run: Run, files: Mapping[str, bytes]) -> None:
        if "report.html" in files:
            monkeypatch.undo()
            raise ConnectionError("Connection refused")
        upload(tracker, run, files)

    monkeypatch.setattr(Tracker, "upload", away)
    with Mirror(home, store, uri, period=600.0) as mirror:
        mirror.publish("A is better.")
        assert mirror.problem is not None
    assert mirror.problem is None
    seen = Seen(uri).whole()
    assert {"report.html", "plan.json"} <= seen.artifacts("The study s")
    assert "A is better." in seen.tag("The study s", "mlflow.note.content")
