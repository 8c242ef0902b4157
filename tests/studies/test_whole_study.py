"""One study, a real Ray cluster and a real MLflow database: interrupted in three ways, finished, and asked for again."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from rdun.plan import Room, make_plan
from rdun.results import Folder, PlanRecord, Store, TrialDirectory
from rdun.study import Resources
from rdun.trial import run_trial
from rdun.tuning import Capacity
from studies.loading import load_study
from studies.planning import Asked, lay_out, parts_on
from tests.studies.command import TINY, begun, run, run_here, scores, started

pytestmark = pytest.mark.usefixtures("no_cluster")


@dataclass(frozen=True)
class Interruption:
    """What the command printed, its exit code, the trials that were complete then, and the states of all."""

    printed: str
    code: int
    complete: list[str]
    statuses: set[str]


@dataclass(frozen=True)
class Whole:
    """A study that was interrupted and then finished: its folder, what the last command printed, and the interruptions."""

    folder: Path
    runs: Path
    printed: str
    interruptions: dict[str, Interruption]


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk of 20 MB; a folder, where there is no right to mount one."""
    folder = tmp_path_factory.mktemp("disk")
    words = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(folder)]
    mounted = not os.geteuid() and not subprocess.run(words, capture_output=True, check=False).returncode
    yield folder
    if mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(1000))


@pytest.fixture(scope="module")
def whole(images: Path, small_disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The same command each time, and each fault one trial later."""
    folder, runs = tmp_path_factory.mktemp("whole"), small_disk / "runs"
    words = (str(TINY), "--runs", str(runs), "--cpus", "1")
    interruptions: dict[str, Interruption] = {}

    def interrupted(fault: str, trials: int) -> None:
        driver = started(*words, images=images, tmp_path=folder, runs=runs, trials=trials)
        if fault == "full disk":
            fill(small_disk / "filler")
        elif fault == "Ctrl-C":
            driver.send_signal(signal.SIGINT)
        else:
            os.killpg(driver.pid, signal.SIGKILL)
        code = driver.wait(timeout=100 if fault == "full disk" else 60)
        (small_disk / "filler").unlink(missing_ok=True)
        infos = [Store(runs / "trials").trial(path.name).run() for path in (runs / "trials").iterdir()]
        found = {info.status for info in infos if info}
        interruptions[fault] = Interruption((folder / "driver.log").read_text(), code, [*scores(runs)], {*found})

    if small_disk.is_mount():
        interrupted("full disk", trials=1)
    interrupted("Ctrl-C", trials=2)
    interrupted("kill -9", trials=3)
    done = run(*words[:-1], "2", images=images, tmp_path=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return Whole(folder, runs, done.stdout + done.stderr, interruptions)


def test_a_full_disk_says_so(whole: Whole) -> None:
    if "full disk" not in whole.interruptions:
        pytest.skip("needs the right to mount a small disk")
    found = whole.interruptions["full disk"]
    assert found.code != 0
    assert "no space left to write" in found.printed and "make room" in found.printed, found.printed
    assert "Traceback" not in found.printed
    assert 1 <= len(found.complete) < 4


def test_control_c_ends_with_a_report_of_what_there_is(whole: Whole) -> None:
    found = whole.interruptions["Ctrl-C"]
    assert found.code == 130, found.printed
    assert "Report: " in found.printed
    assert "The same command goes on where this one stopped." in found.printed
    assert "Traceback" not in found.printed
    assert found.statuses <= {"complete", "stopped"}
    assert 2 <= len(found.complete) < 4


def test_no_fault_loses_what_was_complete(whole: Whole) -> None:
    before: set[str] = set()
    for found in whole.interruptions.values():
        assert before < set(found.complete)
        before = set(found.complete)
    assert whole.interruptions["kill -9"].code == -signal.SIGKILL
    assert len(before) == 3
    assert not [*whole.runs.glob("**/*.part"), *whole.runs.glob("**/lock.json")]


def test_scores_are_those_of_each_trial_alone_and_uninterrupted(
    whole: Whole, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte for byte, without Ray."""
    monkeypatch.setenv("IMAGES", str(images))
    plan = make_plan(load_study(str(TINY)), Store(whole.runs / "trials"), "fp32")
    for trial in plan.trials:
        alone = TrialDirectory(tmp_path / trial.fingerprint)
        run_trial(trial.config, alone.path)
        assert alone.read("scores.csv") == scores(whole.runs)[trial.fingerprint]
    assert len(plan.trials) == 4 == len(scores(whole.runs))


def test_a_study_ends_with_a_report(whole: Whole) -> None:
    assert "4 of 4 trials complete, 0 failed." in whole.printed
    assert "mlflow ui" in whole.printed
    home = whole.runs / "studies" / "tiny"
    assert (home / "report.html").stat().st_size > 10_000
    assert "Does a tiny study run?" in (home / "report.md").read_text()
    plan = PlanRecord.load(Folder(home))
    assert {cell.arm for cell in plan.cells} == {"unrolled", "recursive"}
    assert plan.provenance["finished"] >= plan.provenance["started"]


def test_the_output_is_a_few_clean_lines(whole: Whole) -> None:
    expected = "Warning: 2 seeds cannot reach significance in an exact paired test"
    assert expected in whole.printed
    assert len(whole.printed.splitlines()) <= 14, whole.printed
    for noise in ("Traceback", "Warning", "WARNING", "raylet", "alembic", "INFO"):
        assert noise not in whole.printed.replace(expected, "")


def test_the_tracker_shows_study_arm_and_trial(whole: Whole) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{whole.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    parents = {r.info.run_id: r.data.tags.get("mlflow.parentRunId") for r in runs}
    depth = [0 if p is None else 1 if parents[p] is None else 2 for p in parents.values()]
    assert sorted(depth) == [0, 1, 1, 2, 2, 2, 2]
    assert all(r.info.status == "FINISHED" for r in runs)
    top = next(run_id for run_id, parent in parents.items() if parent is None)
    assert "report.html" in {f.path.rsplit("/", 1)[-1] for f in client.list_artifacts(top)}
    trial = next(r for r in runs if r.data.tags.get("rdun.fingerprint"))
    assert len(client.get_metric_history(trial.info.run_id, "epoch/validation_psnr")) == 2


def test_a_second_run_changes_nothing_and_quiet_leaves_the_end_and_warnings(whole: Whole, images: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (whole.runs / "trials").glob("*/*")}
    words = (str(TINY), "--runs", str(whole.runs), "--quiet")
    done = run_here(*words, images=images, tmp_path=whole.folder)
    assert done.exit_code == 0, done.stderr
    assert {p: p.stat().st_mtime_ns for p in (whole.runs / "trials").glob("*/*")} == before
    starts = ["4 of 4 trials complete", "Answer:", "Report:", "Tracker:"]
    assert [line.startswith(start) for line, start in zip(done.stdout.splitlines(), starts, strict=True)] == [True] * 4
    assert done.stderr.startswith("Warning: 2 seeds") and len(done.stderr.splitlines()) == 1
    dry = run_here(*words, "--dry-run", "--seeds", "5", images=images, tmp_path=whole.folder)
    assert (dry.exit_code, dry.stdout) == (0, "")


def test_report_only_rebuilds_the_report(whole: Whole, images: Path) -> None:
    report = whole.runs / "studies" / "tiny" / "report.html"
    report.unlink()
    words = (str(TINY), "--runs", str(whole.runs), "--report-only")
    assert run_here(*words, images=images, tmp_path=whole.folder).exit_code == 0
    assert report.is_file()


def test_control_c_while_ray_starts(images: Path, tmp_path: Path) -> None:
    words = (str(TINY), "--runs", str(tmp_path / "runs"), "--cpus", "1")
    driver = begun(*words, images=images, tmp_path=tmp_path)
    while "4 new trials" not in (tmp_path / "driver.log").read_text() and driver.poll() is None:
        time.sleep(0.05)
    time.sleep(0.5)
    driver.send_signal(signal.SIGINT)
    code, log = driver.wait(timeout=60), (tmp_path / "driver.log").read_text()
    assert code == 130 and len(log.splitlines()) == 4, log
    plan, time_, warning, stopped = log.splitlines()
    assert plan.startswith("tiny: ") and time_.startswith("Time of ") and warning.startswith("Warning: 2 seeds ")
    assert stopped == "Stopped. The same command goes on where this one stopped."


def left_with(checkpoint: bytes, complete: Path, runs: Path) -> Path:
    """The directory of a trial that was stopped, with this checkpoint; its record is that of a finished one."""
    done = min(path for path in (complete / "trials").iterdir() if (path / "run.json").exists())
    folder = runs / "trials" / done.name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text((done / "run.json").read_text().replace('"complete"', '"stopped"'))
    (folder / "checkpoint.pt").write_bytes(checkpoint)
    return folder


def test_a_damaged_checkpoint_stops_the_study_before_any_compute(whole: Whole, images: Path, tmp_path: Path) -> None:
    broken = left_with(b"damaged", whole.runs, tmp_path / "runs")
    done = run_here(str(TINY), "--runs", str(tmp_path / "runs"), images=images, tmp_path=tmp_path)
    assert done.exit_code == 2, done.stdout + done.stderr
    assert "checkpoint.pt cannot be read" in done.stderr
    assert "delete it and run again" in done.stderr
    assert [path.name for path in broken.parent.iterdir()] == [broken.name]


def test_a_disk_that_fails_is_not_called_a_damaged_checkpoint(
    whole: Whole, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off = left_with(b"good", whole.runs, tmp_path / "runs")

    def fails(folder: Folder) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("rdun.training.read_checkpoint", lambda folder, device: fails(folder))
    done = run_here(str(TINY), "--runs", str(tmp_path / "runs"), images=images, tmp_path=tmp_path)
    assert done.exit_code == 2, done.stdout + done.stderr
    assert "checkpoint.pt cannot be read now" in done.stderr and "delete" not in done.stderr
    assert (cut_off / "checkpoint.pt").read_bytes() == b"good"


def test_a_dry_run_after_a_run_knows_what_it_takes(whole: Whole, images: Path, tmp_path: Path) -> None:
    """A third seed: four trials are reused, and their time, money and budget speak for the two new ones."""
    words = (str(TINY), "--runs", str(whole.runs), "--dry-run", "--seeds", "1,2")
    done = run_here(*words, "--price", "36 EUR", "--plan-csv", "plan.csv", images=images, tmp_path=tmp_path)
    assert done.exit_code == 0, done.stdout + done.stderr
    assert "2 arms x 2 seeds, 2 complete, 2 new trials" in done.stdout
    assert "Since the last run: 2 trials kept, 2 new, 2 orphaned (0." in done.stdout
    assert "  new: unrolled (seed 2), recursive (seed 2)\n" in done.stdout
    assert "  orphaned: unrolled (seed 0), recursive (seed 0)\n" in done.stdout
    # Where a fault fell into every past test, nothing tells its time.
    ending = r"EUR, from past runs(; scoring left out)?\n"
    assert re.search(r"Estimate: [\d.]+ s with \d+ trials? at a time, .* core-hours, \d+\.\d\d " + ending, done.stdout)
    assert "?" not in done.stdout.split("trial ")[1].split("tiny:")[0]
    assert len((tmp_path / "plan.csv").read_text().splitlines()) == 5
    refused = run_here(*words, "--budget", "0.00001", images=images, tmp_path=tmp_path)
    assert refused.exit_code == 2
    assert "budget=1e-05 core-hours is exceeded: what is left takes about" in refused.stderr


def test_the_budget_of_a_run_on_a_cluster_is_checked_on_it(
    whole: Whole, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What this processor takes is no reason to refuse a plan before the cluster is seen; it is one where nodes are alike."""
    monkeypatch.setenv("IMAGES", str(images))
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    study = replace(load_study(str(TINY)), seeds=(2, 3), resources=Resources(budget=1e-6))
    store = Store(whole.runs / "trials")
    plan = make_plan(study, store, "fp32")
    forecast = lay_out(plan, store, Folder(tmp_path), None, Asked(False, None, None), dry_run=False)
    assert "The budget is checked when the cluster is connected" in capsys.readouterr().err
    nodes = Capacity((Room(1, 0.0), Room(1, 0.0)), "127.0.0.1:1")
    with pytest.raises(ValueError, match="budget=1e-06 core-hours is exceeded"):
        parts_on(plan, store, nodes, forecast)


def test_what_diverged_is_not_trained_again_unless_it_is_asked_for(whole: Whole, images: Path, tmp_path: Path) -> None:
    shutil.copytree(whole.runs, tmp_path / "runs")
    store = Store(tmp_path / "runs" / "trials")
    folder = store.trial(min(scores(tmp_path / "runs")))
    known = folder.run()
    assert known is not None
    last = replace(known.attempts[-1], outcome="diverged")
    diverged = replace(known, status="failed", reason="Diverged: lower optim.lr", attempts=(last,))
    folder.write_run(diverged)
    words = (str(TINY), "--runs", str(tmp_path / "runs"))
    done = run_here(*words, images=images, tmp_path=tmp_path)
    assert done.exit_code == 1, done.stdout + done.stderr
    assert "2 arms x 2 seeds, 3 complete, 1 diverged trials" in done.stdout
    assert "Not trained again: 1 that diverged" in done.stderr and "--retry-failed" in done.stderr
    assert "3 of 4 trials complete, 0 failed, 1 diverged." in done.stdout
    assert "Estimate" not in done.stdout
    assert folder.run() == diverged
    asked = run_here(*words, "--retry-failed", "--dry-run", images=images, tmp_path=tmp_path)
    assert asked.exit_code == 0 and "Estimate: " in asked.stdout and "Not trained again" not in asked.stderr
