"""How a search ends, and what it says then: with a real database, record, report and tracker, but without Ray. Its trials are
written by hand."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.report import Report
from rdun.config import to_dict
from rdun.plan import Measurement, Room, add_probes, keys
from rdun.plan.reconstructed import reconstructed
from rdun.results import Folder, Runs, SearchRecord, Status, Store
from rdun.search import Choice, Constraint, Int, Search
from rdun.tuning import Capacity, Halted, Suggestions
from rdun.tuning.in_work import Suggestion
from studies.run_search import _print_end, run_search
from studies.session import machine
from tests.databases import empty_database
from tests.studies import tiny_search
from tests.tracking.servers import free_port
from tests.tracking.tracked_study import search_record, suggestion
from tests.tuning.conftest import leave

pytestmark = pytest.mark.usefixtures("rough_figures")
HELD = {"heartbeat": 9e12}
Work = Callable[..., None]


@pytest.fixture
def search(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Search:
    monkeypatch.setenv("IMAGES", str(images))
    shutil.copyfile(empty_database(), tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setattr("rdun.tuning.cluster", lambda cpus: nullcontext(Capacity((Room(1, 0.0),), "local")))
    space = {"layers": Int(1, 2), "high": Int(1, 40), "model.channels": Choice((4, 8))}
    return tiny_search.search(space=space, constraints=())


def working(ends: Sequence[Status], last: Callable[[Suggestions, Store], None] = lambda *_: None) -> Work:
    """In place of Ray: trials that end like this, one after the other, each better than the one before; then something else."""

    def work(
        suggestions: Suggestions,
        store: Store,
        capacity: Capacity,
        on_start: Callable[[], None],
        on_end: Callable[[str], None],
        *_: object,
    ) -> None:
        for number, status in enumerate(ends):
            found = suggestions.next()
            if found is None:
                break
            on_start()
            leave_with_weights(store, found, status, 20.0 + number)
            suggestions.ended(found.fingerprint)
            on_end(found.fingerprint)
        last(suggestions, store)

    return work


def leave_with_weights(store: Store, found: Suggestion, status: Status, psnr: float) -> None:
    store.trial(found.fingerprint).write_json("config.json", to_dict(found.config))
    store.trial(found.fingerprint).write("best.safetensors", bytes(1000))
    leave(store, found.fingerprint, psnr, status, "Diverged: not finite" if status == "failed" else "")


@pytest.mark.parametrize(
    ("end", "code", "said", "reason"),
    [
        (KeyboardInterrupt(), 130, "Stopped. The same command goes on", "interrupted"),
        (Halted("the budget is used up"), 1, "Stopped: the budget is used up. The same", "the budget is used up"),
    ],
)
def test_a_search_that_is_ended_before_its_end_goes_on(
    end: BaseException,
    code: int,
    said: str,
    reason: str,
    search: Search,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Then one trial is in the middle, one in work by another command, and one complete though nobody has seen it."""
    runs, given = Runs(tmp_path), list[str]()

    def ended(suggestions: Suggestions, store: Store) -> None:
        unseen: tuple[Status, ...] = ("running", "running", "complete")
        for status in unseen:
            found = suggestions.next()
            assert found is not None
            given.append(found.fingerprint)
            leave_with_weights(store, found, status, 30.0)
        store.trial(given[1]).write_json("lock.json", HELD)
        raise end

    monkeypatch.setattr("rdun.tuning.run_search", working(["complete", "complete"], ended))
    with pytest.raises(SystemExit) as caught:
        run_search(search, runs, 1, dry_run=False, retry_failed=False, keep="all")
    shown = capsys.readouterr()
    assert caught.value.code == code and said in shown.err
    assert "Another command has 1 of the missing trials in work" in shown.err
    assert "tiny-search: 2 complete, 2 running of 4 trials" in shown.out and "Report:  " in shown.out
    left = [run for fingerprint in given if (run := runs.store.trial(fingerprint).run())]
    assert [run.status for run in left] == ["stopped", "running", "complete"]
    assert left[0].reason == reason
    record = SearchRecord.load(runs.folder(search.name))
    assert record.provenance["finished"] and "seconds" in record.provenance

    runs.store.trial(given[1]).remove("lock.json")
    monkeypatch.setattr("rdun.tuning.run_search", working(["complete"] * 9))
    run_search(search, runs, 1, dry_run=False, retry_failed=False, keep="best")
    assert "tiny-search: 4 complete of 4 trials" in capsys.readouterr().out
    record = SearchRecord.load(runs.folder(search.name))
    assert [earlier.endswith(", 4 trials to run)") for earlier in record.provenance["earlier runs"]] == [True]
    best = {fingerprint for trial in record.best() for fingerprint in trial.fingerprints}
    every = set(record.fingerprints())
    assert {f for f in every if runs.store.trial(f).exists("best.safetensors")} == best | set(
        record.baselines["unrolled"]
    )
    assert best < every


def test_a_search_of_which_nothing_is_complete_fails_and_is_tried_again_on_demand(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tracker is away, which is told and ends nothing."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    runs = Runs(tmp_path)
    alone = replace(search, baselines={}, trials=1)
    for ends, retry_failed, exits in ((["failed"], False, True), ([], False, True), (["complete"], True, False)):
        monkeypatch.setattr("rdun.tuning.run_search", working(ends))  # type: ignore[arg-type]
        with pytest.raises(SystemExit, match="1") if exits else nullcontext():
            run_search(alone, runs, 1, dry_run=False, retry_failed=retry_failed, keep="all")
        shown = capsys.readouterr()
        assert "is not up to date (connection refused)" in shown.err
        assert f"tiny-search: 1 failed{'' if exits else ', 1 complete'} of 1 trials" in shown.out
        assert ("1 tried | trial 0: layers " in shown.out) == (ends == ["failed"])
        assert (": failed: Diverged: not finite\n" in shown.out) == (ends == ["failed"])


def test_a_search_that_finds_no_setting_within_its_bounds_says_so(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("rdun.tuning.suggestions.TRIES", 2)
    monkeypatch.setattr("rdun.tuning.run_search", working(["complete"]))
    narrow = replace(search, baselines={}, constraints=(Constraint("parameters", 10),))
    with pytest.raises(SystemExit, match="1"):
        run_search(narrow, Runs(tmp_path), 1, dry_run=False, retry_failed=False, keep="all")
    assert "Gave up: 2 suggestions in a row were infeasible" in capsys.readouterr().err


def test_what_is_learned_is_not_among_what_is_to_run(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = Runs(tmp_path)
    monkeypatch.setattr("rdun.tuning.run_search", working(["complete"] * 9))
    run_search(replace(search, baselines={}), runs, 1, dry_run=False, retry_failed=False, keep="all")
    known = sum(trial.state == "complete" for trial in SearchRecord.load(runs.folder(search.name)).trials)
    costs: dict[str, Any] = dict.fromkeys(
        ("step", "evaluations", "epoch", "scoring", "memory_mib", "gpu_memory_mib"), 1.0
    )
    costs |= {"device": machine(search.resources, 1).device, "threads": 1}
    for config in map(search.config, search.corners()):
        measured = Measurement(source="probe", **keys(config)._asdict(), reconstructed=reconstructed(config), **costs)
        add_probes(Folder(tmp_path), [measured])
    wider = replace(search, name="wider", baselines={}, trials=known + 2)
    capsys.readouterr()
    run_search(wider, runs, 1, dry_run=True, retry_failed=False, keep="all", learn_from="tiny-search")
    assert "core-hours for 2 trials" in capsys.readouterr().out


def test_the_best_trials_are_told_in_a_few_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trials = [suggestion(n, f"f{n}", "complete", 20.0 + n, 1000 * (n + 1)) for n in range(12)]
    trials[11] = replace(trials[11], spreads=[0.25, 0.0])
    report = Report(path=tmp_path / "report.html", answer="Large ones.")
    _print_end(search_record("q", trials, wanted=12), report)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["q: 12 complete of 12 trials", "No other trial is better in every objective than these 12:"]
    best = "  trial 11: layers 3, model.channels 8: validation_psnr 31 ± 0.25, parameters 12,000"
    assert (lines[2], lines[11].split(":")[0], lines[12]) == (best, "  trial 2", "  and 2 more")
    assert lines[13:] == ["Answer:  Large ones.", f"Report:  {tmp_path}/report.html"]
