"""Several runs folders and one tracker: each has its own runs there, whatever the others hold."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.report import Report
from rdun.results import Folder, PlanRecord, SearchRecord, Store, runs_id
from rdun.tracking import Mirror, TrackerError, sync
from studies.session import copied_to_tracker
from tests.tracking.seen import Seen, uri_of
from tests.tracking.tracked_study import BEGAN, plan_record, saved, search_record, suggestion, write_report, write_trial

LATER = BEGAN + 3_600_000


def folder(place: Path, record: PlanRecord | SearchRecord, began: int) -> tuple[Path, Store]:
    """A runs folder with one trial, trained at a time of its own."""
    store = Store(place / "runs" / "trials")
    write_trial(store, "aa", began=began)
    return saved(place, record), store


def began(seen: Seen) -> dict[str, int]:
    """Id of each trial's run -> when it began."""
    runs = (run for run in seen.all if run.data.tags["rdun.level"] in ("trial", "suggestion"))
    return {run.info.run_id: run.info.start_time for run in runs}


@pytest.mark.parametrize("kind", ["study", "search"])
def test_folders_leave_each_others_runs_alone(kind: str, root: Path) -> None:
    uri = uri_of(root)
    study, search = plan_record("s", {("A", 0): ["aa"]}), search_record("s", [suggestion(0, "aa", "complete", 26.2, 9)])
    record = study if kind == "study" else search
    first, second = (folder(root / name, record, time) for name, time in (("a", BEGAN), ("b", LATER)))
    sync(*first, uri)
    before = Seen(uri)
    sync(*second, uri)
    both = Seen(uri)
    assert set(before.ids().values()) < {run.info.run_id for run in both.all}
    assert len(both.all) == 2 * len(before.all)
    assert began(before).items() <= began(both).items()
    assert sorted(began(both).values()) == sorted(
        [*began(before).values(), *(t + LATER - BEGAN for t in began(before).values())]
    )
    assert {run.data.tags["rdun.plan"] for run in both.all} == {"current"}
    with Mirror(*first, uri) as mirror:
        pass
    sync(*second, uri)
    assert mirror.problem is None
    assert began(Seen(uri)) == began(both)


def test_the_runs_of_folders_can_be_told_apart(root: Path) -> None:
    uri, plan = uri_of(root), plan_record("s", {("A", 0): ["aa"]})
    first, second = (folder(root / name, plan, time) for name, time in (("a", BEGAN), ("b", LATER)))
    sync(*first, uri)
    assert "The study s" in Seen(uri).runs
    sync(*second, uri)
    sync(*first, uri)
    seen = Seen(uri)
    for name, (_, store) in (("a", first), ("b", second)):
        place, mark = f"{root}/{name}/runs", runs_id(store)
        title = f"The study s ({place}, {mark[:4]})"
        assert (seen.tag(title, "rdun.runs"), seen.tag(title, "rdun.store")) == (place, mark)
        assert f"runs folder `{place}`" in seen.tag(title, "mlflow.note.content")
        below = [r for r in seen.all if r.data.tags.get("mlflow.parentRunId") == seen.runs[title].info.run_id]
        assert {run.data.tags["rdun.store"] for run in below} == {mark}


def test_a_name_given_by_hand_stays(root: Path) -> None:
    uri, plan = uri_of(root), plan_record("s", {("A", 0): ["aa"]})
    first, second = (folder(root / name, plan, time) for name, time in (("a", BEGAN), ("b", LATER)))
    sync(*first, uri)
    seen = Seen(uri)
    seen.client.update_run(seen.runs["The study s"].info.run_id, name="My run")
    sync(*second, uri)
    sync(*first, uri)
    assert "My run" in Seen(uri).runs


def test_a_folder_that_was_moved_keeps_its_runs(root: Path) -> None:
    uri = uri_of(root)
    sync(*folder(root / "a", plan_record("s", {("A", 0): ["aa"]}), BEGAN), uri)
    before = Seen(uri)
    (root / "a").rename(root / "b")
    store = Store(root / "b" / "runs" / "trials")
    sync(root / "b" / "runs" / "studies" / "s", store, uri)
    after = Seen(uri).whole()
    assert (after.ids(), after.points()) == (before.ids(), before.points())
    assert after.tag("The study s", "rdun.runs") == f"{root}/b/runs"


def test_a_copy_of_a_folder_is_refused_until_it_is_one_of_its_own(root: Path) -> None:
    uri = uri_of(root)
    sync(*folder(root / "a", plan_record("s", {("A", 0): ["aa"]}), BEGAN), uri)
    before = Seen(uri)
    shutil.copytree(root / "a", root / "b")
    copy, store = root / "b" / "runs" / "studies" / "s", Store(root / "b" / "runs" / "trials")
    write_trial(store, "aa", began=LATER)
    with pytest.raises(TrackerError, match=r"remove .*/b/runs/id: .*/b/runs is a copy of"):
        sync(copy, store, uri)
    assert (Seen(uri).ids(), Seen(uri).points()) == (before.ids(), before.points())
    (root / "b" / "runs" / "id").unlink()
    sync(copy, store, uri)
    assert sorted(began(Seen(uri)).values()) == [BEGAN, LATER]


def test_a_folder_that_cannot_be_written_is_copied_if_it_has_an_id(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, store = folder(root, plan_record("s", {("A", 0): ["aa"]}), BEGAN)

    def refused(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "write", refused)
        with pytest.raises(ValueError, match=r"/runs has no file 'id'.*Read-only file system"):
            sync(home, store, uri_of(root))
        with Mirror(home, store, uri_of(root)) as mirror:
            pass
        assert mirror.problem is not None
        assert "has no file 'id'" in mirror.problem
    runs_id(store)
    monkeypatch.setattr(Folder, "write", refused)
    sync(home, store, uri_of(root))
    assert Seen(uri_of(root)).status("seed 0: A") == "FINISHED"


def test_the_report_of_a_folder_that_cannot_be_written_is_copied_as_it_is(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home, store = folder(root, plan_record("s", {("A", 0): ["aa"]}), BEGAN)
    write_report(home)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri_of(root))

    def failing(number: int) -> Callable[[Path, Store], Report]:
        def write(*_: object) -> Report:
            raise OSError(number, os.strerror(number), "quality.csv.part")

        return write

    assert copied_to_tracker(failing(errno.EROFS), home, store) is None
    assert (
        capsys.readouterr().err
        == f"Warning: {home} cannot be written (Read-only file system); the report stays as it is.\n"
    )
    assert "report.html" in Seen(uri_of(root)).artifacts("The study s")
    with pytest.raises(OSError, match="No space left"):
        copied_to_tracker(failing(errno.ENOSPC), home, store)
