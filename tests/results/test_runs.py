"""A runs folder on a disk and on an object store."""

from __future__ import annotations

import contextlib
import errno
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rdun.results import Busy, Folder, Lease, Lost, Runs, Store, is_copied, runs_id, runs_place
from tests.buckets import Bucket


@pytest.fixture
def runs(bucket: Bucket, tmp_path: Path) -> Runs:
    return Runs(f"{bucket.url}/runs/{tmp_path.name}")


def on_machine(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine keeps its copies in a folder of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))


def test_on_a_disk_nothing_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runs = Runs("runs/")
    with runs.changed("s") as home:
        assert home == tmp_path / "runs" / "studies" / "s" and not home.exists()
    with runs.held("s") as held, pytest.raises(Busy), runs.held("s"):
        held.keep()
    assert held.home == home and not [*home.iterdir()]
    assert runs.store.path == str(tmp_path / "runs" / "trials")
    assert runs.folder("s").path == str(home)


def test_a_studys_folder_goes_to_the_store_whatever_happens_and_comes_back(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_machine("one", tmp_path, monkeypatch)
    assert runs.store.path == f"{runs.place}/trials"
    with contextlib.suppress(KeyboardInterrupt), runs.held("s") as (home, _):
        (home / "tables").mkdir(parents=True)
        (home / "plan.json").write_text("{}")
        (home / "tables" / "a.csv").write_text("a\n")
        (home / "b.csv.0a1b2c3d.part").write_text("cut off")
        raise KeyboardInterrupt
    assert runs.folder("s").names() == ["lock.json", "plan.json", "tables"]  # a lock that is free stays, empty

    on_machine("another", tmp_path, monkeypatch)
    with runs.changed("s") as home:
        assert (home / "tables" / "a.csv").read_text() == "a\n"
        assert sorted(path.name for path in home.iterdir()) == ["plan.json", "tables"]


def test_a_report_beside_a_run_puts_back_what_it_wrote_only(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = runs.folder("s")
    there.write_text("plan.json", "old")
    there.write_text("report.md", "old")
    on_machine("one", tmp_path, monkeypatch)
    with runs.changed("s") as home:
        on_machine("another", tmp_path, monkeypatch)
        with runs.held("s") as (elsewhere, _):
            (elsewhere / "plan.json").write_text("new")
        on_machine("one", tmp_path, monkeypatch)
        (home / "report.md").write_text("new")
        (home / "tables").mkdir()
        (home / "tables" / "a.csv").write_text("a\n")
    assert [there.read(name) for name in ("plan.json", "report.md", "tables/a.csv")] == [b"new", b"new", b"a\n"]


def test_what_is_put_back_frees_nobodys_lock(runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy from when the study was free, put back while a later command holds it."""
    with runs.held("s") as (home, _):
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
    home, keep = place.__enter__()
    home.mkdir(parents=True)
    (home / "plan.json").write_text("late")
    there.write_json("lock.json", {"owner": "another", "host": "elsewhere", "pid": 7, "heartbeat": 0.0})
    with pytest.raises(Lost, match="was taken over by process 7 on elsewhere"):
        keep()
    with pytest.raises(Lost, match="was taken over by process 7 on elsewhere"):
        place.__exit__(None, None, None)
    assert not there.exists("plan.json")
    assert there.read_json("lock.json")["owner"] == "another"


def test_what_a_run_keeps_outlives_it(runs: Runs) -> None:
    """A database that is written again and again, and a process that ends without a word."""
    first = runs.held("s")
    home, keep = first.__enter__()
    home.mkdir(parents=True)
    for content in ("one", "two"):
        (home / "search.db").write_text(content)
        keep()
        assert runs.folder("s").read("search.db") == content.encode()
    (home / "search.db").write_text("lost")
    (home / "search.db-journal").write_text("of a write that was cut off")
    runs.folder("s").write_json("lock.json", {})  # its owner is dead
    with runs.held("s") as (again, _):
        assert [path.name for path in again.iterdir()] == ["search.db"]
        assert (again / "search.db").read_text() == "two"
    with pytest.raises(Lost):
        first.__exit__(None, None, None)


def test_who_reads_beside_a_run_has_another_copy(runs: Runs) -> None:
    """Both on one machine: a search's database must not be replaced while it is in use."""
    with runs.held("s") as (home, keep):
        home.mkdir(parents=True)
        (home / "search.db").write_text("old")
        keep()
        (home / "search.db").write_text("new")
        with runs.changed("s") as other:
            assert (other / "search.db").read_text() == "old"
        with runs.seen("s") as looked_at:
            assert (looked_at / "search.db").read_text() == "old"
            (looked_at / "search.db").write_text("of one who only looks")
        assert runs.folder("s").read("search.db") == b"old"
        assert (home / "search.db").read_text() == "new"
    assert runs.folder("s").read("search.db") == b"new"


def test_a_store_that_fails_for_a_while_gets_everything_later(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    with runs.held("s") as (home, keep):
        home.mkdir(parents=True)
        (home / "search.json").write_text("{}")
        with monkeypatch.context() as patch:
            patch.setattr(runs.folder("s").fs, "put", broken)
            with pytest.raises(
                ValueError, match=r"--runs 's3://.*' cannot be written \(RuntimeError: no route\); mend"
            ):
                keep()
        keep()
        assert runs.folder("s").read("search.json") == b"{}"


def broken(*_: object) -> None:
    raise RuntimeError("no route")


def test_searches_are_found_by_their_record(runs: Runs, tmp_path: Path) -> None:
    for place in (runs, Runs(tmp_path / "runs")):
        assert place.searches() == []
        place.folder("b").write_text("search.json", "{}")
        place.folder("a").write_text("plan.json", "{}")
        assert place.searches() == ["b"]


@pytest.mark.parametrize("error", [ImportError("Please install gcsfs"), PermissionError("Forbidden")])
def test_a_store_that_cannot_be_asked(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def names(_: Folder) -> list[str]:
        raise error

    monkeypatch.setattr(Folder, "names", names)
    with pytest.raises(ValueError, match=rf"--runs 'memory://a' cannot be reached \({type(error).__name__}: {error}\)"):
        Runs("memory://a/")


def test_a_runs_folder_is_itself_wherever_it_lies(tmp_path: Path) -> None:
    stores = [Store(tmp_path / name / "trials") for name in ("a", "b")]
    first, second = (runs_id(store) for store in stores)
    assert re.fullmatch("[0-9a-f]{16}", first) and first != second
    (tmp_path / "a").rename(tmp_path / "moved")
    assert runs_id(Store(tmp_path / "moved" / "trials")) == first
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["b", "id", "id", "moved"]


@pytest.mark.parametrize("kind", ["disk", "store"])
def test_drivers_that_begin_at_once_agree_on_the_id(kind: str, runs: Runs, tmp_path: Path) -> None:
    store = runs.store if kind == "store" else Store(tmp_path / "runs" / "trials")
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(runs_id, [store] * 8))
    assert len(found) == 1
    assert runs_place(store) == (runs.place if kind == "store" else str(tmp_path / "runs"))
    assert {Folder(runs_place(store)).read("id").decode().strip()} == found


def test_an_id_that_cannot_be_made_or_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, bare = (Store(tmp_path / name / "trials") for name in ("made", "bare"))
    before = runs_id(made)
    (tmp_path / "bare").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "write", read_only)
        assert runs_id(made) == before
        with pytest.raises(ValueError, match=r"/bare has no file 'id'.*Read-only file system.*right to write"):
            runs_id(bare)
    (tmp_path / "made" / "id").write_text("mine' or 1")
    with pytest.raises(ValueError, match='/made/id holds "mine\' or 1", not 16 hex digits; put back'):
        runs_id(made)


def read_only(folder: Folder, name: str, content: bytes) -> None:
    raise OSError(errno.EROFS, "Read-only file system", name)


def test_a_copy_is_told_from_the_same_folder_under_two_names(tmp_path: Path) -> None:
    for name in ("a", "b"):
        runs_id(Store(tmp_path / name / "trials"))
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    a, b, copy, link = (str(tmp_path / name) for name in ("a", "b", "copy", "link"))
    assert is_copied(copy, a)
    assert not any(is_copied(a, other) for other in (a, b, link, str(tmp_path / "gone"), "s3://bucket/runs"))
