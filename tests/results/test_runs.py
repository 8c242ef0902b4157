"""A runs folder on a disk and on an object store."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from rdun.results import Runs
from tests.results.conftest import Bucket


def test_on_a_disk_nothing_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runs = Runs("runs/")
    with runs.kept("s") as home:
        assert home == tmp_path / "runs" / "studies" / "s" and not home.exists()
    assert runs.store.path == str(tmp_path / "runs" / "trials")
    assert runs.folder("s").path == str(home)
    assert runs.on_disk() == tmp_path / "runs"


def test_a_studys_folder_goes_to_the_store_whatever_happens_and_comes_back(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "one"))
    runs = Runs(f"{bucket.url}/runs/{tmp_path.name}")
    assert runs.store.path == f"{bucket.url}/runs/{tmp_path.name}/trials"
    with contextlib.suppress(KeyboardInterrupt), runs.kept("s") as home:
        (home / "tables").mkdir(parents=True)
        (home / "plan.json").write_text("{}")
        (home / "tables" / "a.csv").write_text("a\n")
        raise KeyboardInterrupt
    assert runs.folder("s").names() == ["plan.json", "tables"]

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    with runs.kept("s", write=False) as home:
        assert (home / "tables" / "a.csv").read_text() == "a\n"
        (home / "plan.json").write_text("changed")
    assert runs.folder("s").read("plan.json") == b"{}"


def test_what_needs_a_disk_says_so(bucket: Bucket) -> None:
    with pytest.raises(ValueError, match=r"--runs 's3://bucket/runs' is no folder on a disk"):
        Runs(f"{bucket.url}/runs").on_disk()
