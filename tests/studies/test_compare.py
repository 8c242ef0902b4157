"""Studies in one report by the command line, from a disk or an object store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from rdun.plan import make_plan
from rdun.results import Folder, PlanRecord, Store
from studies.loading import load_study
from tests.analysis.synthetic import Truth, write_study
from tests.studies.command import TINY, run_here

TRUTH = Truth(
    name="tiny",
    systems=("COAST",),
    sizes={"10 %": 0.1},
    seeds=(0, 1),
    images=("a.png", "b.png"),
    epochs=2,
    pictures=False,
)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A runs folder on an object store, with the studies "tiny" and "wider"."""
    place = f"memory://{tmp_path.name}"
    for name, truth in {"tiny": TRUTH, "wider": replace(TRUTH, name="wider", systems=("ISTA-Net+",))}.items():
        study, store = write_study(tmp_path / name, truth)
        PlanRecord.load(Folder(study)).save(Folder(f"{place}/studies/{name}"))
        fs, path = fsspec.url_to_fs(f"{place}/trials/")
        fs.put(f"{store.path}/", path, recursive=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return place


def test_studies_on_an_object_store_and_a_disk_are_compared(runs: str, images: Path, tmp_path: Path) -> None:
    words = (str(TINY), "--runs", runs, "--compare")
    done = run_here(*words, "wider", images=images, tmp_path=tmp_path)
    assert done.exit_code == 0, done.stdout + done.stderr
    text = Folder(f"{runs}/studies/tiny/compared/wider").read("report.md").decode()
    assert "Studies compared: tiny, wider." in text and "no data" not in text
    plan = run_here(*words, str(tmp_path / "wider" / "study"), images=images, tmp_path=tmp_path)
    assert plan.exit_code == 0, plan.stdout + plan.stderr
    unknown = run_here(*words, "table1", images=images, tmp_path=tmp_path)
    assert unknown.exit_code == 2
    assert (
        f"--compare: 'table1' has no plan.json in {runs}/studies/table1-pocket; run that study first" in unknown.stderr
    )


def test_a_report_says_when_the_study_is_no_longer_what_was_run(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made from the record of the last run: new seeds, and claims that were edited since, are not in it."""
    monkeypatch.setenv("IMAGES", str(images))
    place = tmp_path / "runs"
    plan = make_plan(load_study(str(TINY)), Store(place / "trials"), "fp32")
    plan.record.save(Folder(place / "studies" / "tiny"))
    edited = tmp_path / "edited.py"
    text = TINY.read_text()
    edited.write_text(text.replace("at_least=-1.0", "at_least=-0.5").replace("lr=2e-3", "lr=1e-3"))
    assert text != edited.read_text()
    for words, said in (
        ((str(TINY), "--report-only"), ""),
        (
            (str(TINY), "--report-only", "--seeds", "0,1,2"),
            "had other seeds; the same command without --report-only takes",
        ),
        ((str(edited), "--sync"), "had other arms and claims; the same command without --sync takes"),
    ):
        done = run_here(*words, "--runs", str(place), images=images, tmp_path=tmp_path)
        assert done.exit_code == 0, done.stdout + done.stderr
        assert (said in done.stderr) if said else not done.stderr, done.stderr


def test_what_is_asked_of_a_search_on_an_object_store_before_it_was_run(images: Path, tmp_path: Path) -> None:
    place = f"memory://{tmp_path.name}"
    search = str(Path(__file__).with_name("tiny_search.py"))
    for words, code, said in (
        (("--dry-run",), 0, "nothing done yet"),
        (("--replicate", "1"), 2, f"has no results in {place}; run it first"),
        (("--report-only",), 2, "studies/tiny-search; run it first"),
        (("--trials", "+1"), 2, f"has no trials in {place}; run it first"),
        (("--learn-from", "other"), 2, f"{place} has no search yet"),
    ):
        done = run_here(search, "--runs", place, *words, images=images, tmp_path=tmp_path)
        assert done.exit_code == code and said in done.stdout + done.stderr, done.stdout + done.stderr
    assert not Folder(place).exists()
