"""A runs folder on a disk and on an object store."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from rdun.results import Busy, Lease, Lost, Runs
from tests.results.conftest import Bucket


@pytest.fixture
def runs(bucket: Bucket, tmp_path: Path) -> Runs:
    return Runs(f"{bucket.url}/runs/{tmp_path.name}")


def on_machine(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine keeps its copies in a folder of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))


def test_on_a_disk_nothing_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runs = Runs("runs/")
    home = runs.copied("s")
    assert home == tmp_path / "runs" / "studies" / "s" and not home.exists()
    with runs.changed("s") as place:
        assert place == home and not home.exists()
    with runs.held("s") as place, pytest.raises(Busy), runs.held("s"):
        pass
    assert place == home and not [*home.iterdir()]
    assert runs.store.path == str(tmp_path / "runs" / "trials")
    assert runs.folder("s").path == str(home)
    assert runs.on_disk() == tmp_path / "runs"


def test_a_studys_folder_goes_to_the_store_whatever_happens_and_comes_back(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_machine("one", tmp_path, monkeypatch)
    assert runs.store.path == f"{runs.place}/trials"
    with contextlib.suppress(KeyboardInterrupt), runs.held("s") as home:
        (home / "tables").mkdir(parents=True)
        (home / "plan.json").write_text("{}")
        (home / "tables" / "a.csv").write_text("a\n")
        (home / "b.csv.0a1b2c3d.part").write_text("cut off")
        raise KeyboardInterrupt
    assert runs.folder("s").names() == ["lock.json", "plan.json", "tables"]  # a lock that is free stays, empty

    on_machine("another", tmp_path, monkeypatch)
    home = runs.copied("s")
    assert (home / "tables" / "a.csv").read_text() == "a\n"
    assert sorted(path.name for path in home.iterdir()) == ["plan.json", "tables"]
    (home / "plan.json").write_text("changed")
    assert runs.folder("s").read("plan.json") == b"{}"


def test_a_report_beside_a_run_puts_back_what_it_wrote_only(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = runs.folder("s")
    there.write_text("plan.json", "old")
    there.write_text("report.md", "old")
    on_machine("one", tmp_path, monkeypatch)
    with runs.changed("s") as home:
        on_machine("another", tmp_path, monkeypatch)
        with runs.held("s") as elsewhere:
            (elsewhere / "plan.json").write_text("new")
        on_machine("one", tmp_path, monkeypatch)
        (home / "report.md").write_text("new")
        (home / "tables").mkdir()
        (home / "tables" / "a.csv").write_text("a\n")
    assert [there.read(name) for name in ("plan.json", "report.md", "tables/a.csv")] == [b"new", b"new", b"a\n"]


def test_what_is_put_back_frees_nobodys_lock(runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy from when the study was free, put back while a later command holds it."""
    with runs.held("s") as home:
        (home / "plan.json").parent.mkdir(parents=True, exist_ok=True)
        (home / "plan.json").write_text("{}")
    on_machine("another", tmp_path, monkeypatch)
    with runs.changed("s") as home:
        (home / "report.md").write_text("new")
        assert not (home / "lock.json").exists()
        (home / "lock.json").write_text("")
        later = Lease(runs.folder("s"))
        later.__enter__()
    later.check()
    with pytest.raises(Busy), runs.held("s"):
        pass
    later.__exit__(None, None, None)


def test_who_has_lost_a_study_puts_nothing_back(runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_machine("one", tmp_path, monkeypatch)
    there = runs.folder("s")
    place = runs.held("s")
    home = place.__enter__()
    home.mkdir(parents=True)
    (home / "plan.json").write_text("late")
    there.write_json("lock.json", {"owner": "another", "host": "elsewhere", "pid": 7, "heartbeat": 0.0})
    with pytest.raises(Lost, match="was taken over by process 7 on elsewhere"):
        place.__exit__(None, None, None)
    assert not there.exists("plan.json")
    assert there.read_json("lock.json")["owner"] == "another"


def test_what_needs_a_disk_says_so(bucket: Bucket) -> None:
    with pytest.raises(ValueError, match=r"--runs 's3://bucket/runs' is no folder on a disk"):
        Runs(f"{bucket.url}/runs").on_disk()
