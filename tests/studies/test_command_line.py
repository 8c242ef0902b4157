"""The command that users type, with a real Ray cluster and a real MLflow database."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rdun.results import Folder, PlanRecord, Store
from rdun.search import Search
from rdun.study import Price, Resources
from studies.loading import load_study
from studies.run_study import _provenance

ROOT = Path(__file__).resolve().parents[2]
TINY = Path(__file__).with_name("tiny_study.py")


def environment(images: Path, tmp_path: Path, **extra: str) -> dict[str, str]:
    keep = {k: v for k, v in os.environ.items() if k not in ("RAY_ADDRESS",)}
    tracker = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db", "IMAGES": str(images), "COLUMNS": "200"}
    return keep | tracker | extra


def command(*words: str) -> list[str]:
    return [sys.executable, str(ROOT / "studies" / "run_ablation.py"), *words]


def run(
    *words: str, images: Path, tmp_path: Path, timeout: float = 200, **extra: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words),
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        cwd=tmp_path,
        env=environment(images, tmp_path, **extra),
    )


def run_here(*words: str, images: Path, tmp_path: Path, **extra: str) -> Result:
    """The command in this process, which has imported everything already: for what no other process has to see."""
    from studies.run_ablation import main

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        for name, value in environment(images, tmp_path, **extra).items():
            patch.setenv(name, value)
        patch.chdir(tmp_path)
        patch.setattr(sys, "argv", command(*words)[1:])
        return CliRunner(catch_exceptions=False).invoke(main, words)


def begun(*words: str, images: Path, tmp_path: Path) -> subprocess.Popen[bytes]:
    """The command in a session of its own, writing to driver.log."""
    with (tmp_path / "driver.log").open("wb") as log:
        return subprocess.Popen(
            command(*words),
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=tmp_path,
            env=environment(images, tmp_path),
            start_new_session=True,
        )


def started(
    *words: str, images: Path, tmp_path: Path, runs: Path | None = None, trials: int = 1
) -> subprocess.Popen[bytes]:
    """The same, once so many trials have scores."""
    driver = begun(*words, images=images, tmp_path=tmp_path)
    deadline = time.monotonic() + 120
    while len(scores(runs or tmp_path / "runs")) < trials and driver.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return driver


def scores(runs: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in sorted(runs.glob("trials/*/scores.csv"))}


@pytest.fixture(scope="module")
def finished(images: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished tiny study: its folder and what the command printed."""
    tmp_path = tmp_path_factory.mktemp("finished")
    done = run(str(TINY), "--runs", str(tmp_path / "runs"), "--cpus", "2", images=images, tmp_path=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    return tmp_path, done.stdout + done.stderr


def test_a_study_ends_with_a_report(finished: tuple[Path, str]) -> None:
    tmp_path, output = finished
    assert "4 of 4 trials complete, 0 failed." in output
    assert "mlflow ui" in output
    home = tmp_path / "runs" / "studies" / "tiny"
    assert (home / "report.html").stat().st_size > 10_000
    assert "Does a tiny study run?" in (home / "report.md").read_text()
    assert len(scores(tmp_path / "runs")) == 4
    plan = PlanRecord.load(Folder(home))
    assert {cell.arm for cell in plan.cells} == {"unrolled", "recursive"}
    assert plan.provenance["finished"] >= plan.provenance["started"]


def test_the_output_is_a_few_clean_lines(finished: tuple[Path, str]) -> None:
    expected = "Warning: 2 seeds cannot reach significance in an exact paired test"
    assert expected in finished[1]
    assert len(finished[1].splitlines()) <= 14, finished[1]
    for noise in ("Traceback", "Warning", "WARNING", "raylet", "alembic", "INFO"):
        assert noise not in finished[1].replace(expected, "")


def test_the_tracker_shows_study_arm_and_trial(finished: tuple[Path, str]) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{finished[0]}/mlflow.db")
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


def test_a_second_run_reuses_everything(finished: tuple[Path, str], images: Path) -> None:
    tmp_path, _ = finished
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs" / "trials").glob("*/*")}
    done = run_here(str(TINY), "--runs", str(tmp_path / "runs"), images=images, tmp_path=tmp_path)
    assert done.exit_code == 0
    assert "4 complete trials" in done.stdout
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "runs" / "trials").glob("*/*")} == before


def test_quiet_leaves_the_end_and_warnings(finished: tuple[Path, str], images: Path) -> None:
    words = (str(TINY), "--runs", str(finished[0] / "runs"), "--quiet")
    done = run_here(*words, images=images, tmp_path=finished[0])
    assert done.exit_code == 0, done.stderr
    starts = ["4 of 4 trials complete", "Answer:", "Report:", "Tracker:"]
    assert [line.startswith(start) for line, start in zip(done.stdout.splitlines(), starts, strict=True)] == [True] * 4
    assert done.stderr.startswith("Warning: 2 seeds") and len(done.stderr.splitlines()) == 1
    dry = run_here(*words, "--dry-run", "--seeds", "5", images=images, tmp_path=finished[0])
    assert (dry.exit_code, dry.stdout) == (0, "")


def test_report_only_rebuilds_the_report(finished: tuple[Path, str], images: Path) -> None:
    tmp_path, _ = finished
    report = tmp_path / "runs" / "studies" / "tiny" / "report.html"
    report.unlink()
    words = (str(TINY), "--runs", str(tmp_path / "runs"), "--report-only")
    assert run_here(*words, images=images, tmp_path=tmp_path).exit_code == 0
    assert report.is_file()


def test_control_c_while_ray_starts(images: Path, tmp_path: Path) -> None:
    words = (str(TINY), "--runs", str(tmp_path / "runs"), "--cpus", "1")
    driver = begun(*words, images=images, tmp_path=tmp_path)
    while "4 new trials" not in (tmp_path / "driver.log").read_text() and driver.poll() is None:
        time.sleep(0.05)
    time.sleep(0.5)
    driver.send_signal(signal.SIGINT)
    assert driver.wait(timeout=60) == 130, (tmp_path / "driver.log").read_text()
    plan, time_, warning, stopped = (tmp_path / "driver.log").read_text().splitlines()
    assert plan.startswith("tiny: ") and time_.startswith("Time of ") and warning.startswith("Warning: 2 seeds ")
    assert stopped == "Stopped. The same command goes on where this one stopped."


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 20 MB; a folder, where there is no right to mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(folder)]
    mounted = not os.geteuid() and not subprocess.run(words, capture_output=True, check=False).returncode
    yield folder
    if mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(1000))


@pytest.mark.timeout(600)
def test_a_full_disk_control_c_and_kill_9_one_after_another_lose_nothing(
    finished: tuple[Path, str], images: Path, tmp_path: Path, small_disk: Path
) -> None:
    """The same command each time, each fault one trial later: equal scores in the end, byte for byte."""
    runs, log = small_disk / "runs", tmp_path / "driver.log"
    words = (str(TINY), "--runs", str(runs), "--cpus", "1")
    if small_disk.is_mount():
        driver = started(*words, images=images, tmp_path=tmp_path, runs=runs, trials=1)
        fill(small_disk / "filler")
        assert driver.wait(timeout=100) != 0
        assert "no space left to write" in log.read_text() and "make room" in log.read_text(), log.read_text()
        assert "Traceback" not in log.read_text()
        assert 1 <= len(scores(runs)) < 4
        (small_disk / "filler").unlink()

    driver = started(*words, images=images, tmp_path=tmp_path, runs=runs, trials=2)
    driver.send_signal(signal.SIGINT)
    assert driver.wait(timeout=60) == 130, log.read_text()
    assert "The same command goes on where this one stopped." in log.read_text()
    assert "Traceback" not in log.read_text()
    assert (runs / "studies" / "tiny" / "report.html").is_file()
    states = [Store(runs / "trials").trial(path.name).run() for path in (runs / "trials").iterdir()]
    assert {run.status for run in states if run} <= {"complete", "stopped"}
    assert 2 <= len(scores(runs)) < 4

    driver = started(*words, images=images, tmp_path=tmp_path, runs=runs, trials=3)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    assert len(scores(runs)) == 3

    done = run_here(*words, images=images, tmp_path=tmp_path)
    assert done.exit_code == 0, done.stdout + done.stderr
    assert scores(runs) == scores(finished[0] / "runs")
    assert not [*runs.glob("**/*.part"), *runs.glob("**/lock.json")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("quickstrt",), "NAME='quickstrt' is not known; did you mean 'quickstart'"),
        ((str(TINY), "--set", "optim.lrr=1"), "unknown field 'optim.lrr'; did you mean 'optim.lr'"),
        ((str(TINY), "--set", "lr=1"), "unknown field 'lr'; did you mean 'optim.lr'"),
        ((str(TINY), "--set", "optim.lr"), "--set 'optim.lr' is not FIELD=VALUE"),
        (
            (str(TINY), "--set", "resources.thread=4"),
            "unknown field 'resources.thread'; did you mean 'resources.threads'",
        ),
        ((str(TINY), "--set", "threads=4"), "unknown field 'threads'; did you mean 'resources.threads'"),
        ((str(TINY), "--set", "resources.threads=0"), "resources.threads=0 is not possible; use at least 1"),
        ((str(TINY), "--set", "resources.gpus=much"), "resources.gpus='much' is not a number"),
        ((str(TINY), "--set", "resources.price=2"), "a limit of the whole run, not of a trial; give --price 2"),
        ((str(TINY), "--budget", "0"), "resources.budget=0.0 is not possible"),
        ((str(TINY), "--budget", "5"), "cannot be checked: the time of 4 of 4 trials is unknown"),
        ((str(TINY), "--price", "much"), "price='much' is not an amount"),
        ((str(TINY), "--set", "model.layers=0"), "model.layers=0 is not possible"),
        ((str(TINY), "--set", "task.ratios=150"), "write 25 % as 0.25"),
        ((str(TINY), "--set", "data.test=no-such-set"), "'no-such-set' is neither registered nor a folder"),
        ((str(TINY), "--seeds", "a,b"), "--seeds 'a,b' is not a list of whole numbers"),
        ((str(TINY), "--seeds", "0,0"), "seeds=(0, 0)"),
        ((str(TINY), "--set", "model.layers=1"), "is the same training as arm"),
        ((str(TINY), "--report-only"), "has no results in"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    words: tuple[str, ...], message: str, images: Path, tmp_path: Path
) -> None:
    extra = ("--set", "recursion.train.counts=2") if words[-1] == "model.layers=1" else ()
    done = run_here(*words, *extra, "--runs", str(tmp_path / "runs"), images=images, tmp_path=tmp_path)
    assert done.exit_code == 2, done.stdout + done.stderr
    assert message in done.stderr
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_bad_input_ends_a_real_process_with_one_line(images: Path, tmp_path: Path) -> None:
    done = run(str(TINY), "--set", "optim.lrr=1", images=images, tmp_path=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: unknown field 'optim.lrr'") and len(done.stderr.splitlines()) == 1


def test_an_empty_image_folder_and_a_tiny_image(images: Path, tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    (tmp_path / "bad").mkdir()
    words = (str(TINY), "--set", f"data.train={tmp_path}/bad", "--runs", str(tmp_path / "runs"))
    done = run_here(*words, images=images, tmp_path=tmp_path)
    assert (done.exit_code, "holds no images" in done.stderr) == (2, True)
    Image.fromarray(np.zeros((5, 5), dtype=np.uint8)).save(tmp_path / "bad" / "small.png")
    done = run_here(*words, images=images, tmp_path=tmp_path)
    assert (done.exit_code, "small.png is 5x5 pixels" in done.stderr) == (2, True)
    assert not (tmp_path / "runs").exists()


def test_an_unreadable_image(images: Path, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "broken.png").write_bytes(b"not an image")
    words = (str(TINY), "--set", f"data.validation={tmp_path}/bad", "--runs", str(tmp_path / "runs"))
    done = run_here(*words, images=images, tmp_path=tmp_path)
    assert (done.exit_code, "broken.png cannot be read as an image" in done.stderr) == (2, True)
    assert not (tmp_path / "runs").exists()


def left_with(checkpoint: bytes, finished: Path, runs: Path) -> Path:
    """The directory of a trial that was stopped, with this checkpoint; its record is that of a finished one."""
    done = min((finished / "trials").iterdir())
    folder = runs / "trials" / done.name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text((done / "run.json").read_text().replace('"complete"', '"stopped"'))
    (folder / "checkpoint.pt").write_bytes(checkpoint)
    return folder


def test_a_damaged_checkpoint_stops_the_study_before_any_compute(
    finished: tuple[Path, str], images: Path, tmp_path: Path
) -> None:
    broken = left_with(b"damaged", finished[0] / "runs", tmp_path / "runs")
    done = run_here(str(TINY), "--runs", str(tmp_path / "runs"), images=images, tmp_path=tmp_path)
    assert done.exit_code == 2, done.stdout + done.stderr
    assert "checkpoint.pt cannot be read" in done.stderr
    assert "delete it and run again" in done.stderr
    assert [path.name for path in broken.parent.iterdir()] == [broken.name]


def test_a_disk_that_fails_is_not_called_a_damaged_checkpoint(
    finished: tuple[Path, str], images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off = left_with(b"good", finished[0] / "runs", tmp_path / "runs")

    def fails(folder: Folder) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("rdun.training.read_checkpoint", lambda folder, device: fails(folder))
    done = run_here(str(TINY), "--runs", str(tmp_path / "runs"), images=images, tmp_path=tmp_path)
    assert done.exit_code == 2, done.stdout + done.stderr
    assert "checkpoint.pt cannot be read now" in done.stderr and "delete" not in done.stderr
    assert (cut_off / "checkpoint.pt").read_bytes() == b"good"


def test_no_space(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from rdun.plan import check_store, make_plan

    monkeypatch.setenv("IMAGES", str(images))
    plan = make_plan(load_study(str(TINY)), Store(tmp_path / "trials"), "fp32")
    check_store(plan, str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1_000_000))
    with pytest.raises(ValueError, match=r"has 1 MB free, the study needs about 16 MB; make room"):
        check_store(plan, str(tmp_path))


def test_a_folder_that_cannot_be_written(images: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    done = run_here(str(TINY), "--runs", str(tmp_path / "file" / "runs"), images=images, tmp_path=tmp_path)
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr


def test_help_answers_without_torch() -> None:
    code = (
        "import runpy, sys\nsys.argv = ['run_ablation.py', '--help']\n"
        f"try: runpy.run_path({str(ROOT / 'studies' / 'run_ablation.py')!r}, run_name='__main__')\n"
        "except SystemExit as end: print('exit', end.code, sorted({'torch', 'ray', 'mlflow', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "exit 0 []" in done.stdout
    assert "--dry-run" in done.stdout


def test_an_error_in_a_users_file_is_one_line(images: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from rdun.config import CoastConfig\n\n\ndef study():\n    CoastConfig(layer=3)\n"
    )
    done = run_here(str(tmp_path / "mine.py"), images=images, tmp_path=tmp_path)
    assert done.exit_code == 2
    assert "cannot be loaded: TypeError" in done.stderr
    assert "(line 5)" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_users_file_may_define_dataclasses(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGES", str(images))
    mine = tmp_path / "mine.py"
    extra = "from dataclasses import dataclass\n\n\n@dataclass\nclass Size:\n    layers: int = 1\n"
    mine.write_text("from __future__ import annotations\n\n" + TINY.read_text() + extra)
    before = set(sys.modules)
    assert load_study(str(mine)).name == "tiny"
    assert not {name for name in set(sys.modules) - before if "mine" in name}


def test_a_changed_study_is_not_the_published_one() -> None:
    from studies.loading import changed as change

    table1 = load_study("table1", "full")
    assert table1.as_published
    assert change(table1, ["data.test=set11"], "0,1").as_published
    assert not change(table1, ["data.test=set11", "data.fraction=0.01"], None).as_published
    assert change(table1, ["precision=bf16"], None).as_published
    assert not change(table1, ["precision=bf16", "optim.epochs=1"], None).as_published


def test_a_changed_study_has_its_own_name_and_says_so() -> None:
    from studies.loading import changed as change

    plain = load_study("quickstart")
    changed = change(plain, ["optim.lr=1e-3"], None)
    assert changed.name.startswith("quickstart-")
    assert "optim.lr=1e-3" in changed.scale
    assert changed.arms[0].configs[0].optim.lr == 1e-3
    assert change(plain, ["optim.lr=1e-3"], None).name == changed.name != change(plain, ["optim.lr=2e-4"], None).name
    assert change(plain, [], "0,1,2").name == "quickstart"


def test_resources_are_changed_and_the_study_or_search_is_the_same() -> None:
    from studies.loading import changed as change
    from studies.loading import changed_search, load

    plain = replace(load_study("quickstart"), resources=Resources(retries=5, price=Price(2, "EUR")))
    words = ["resources.threads=4", "resources.gpus=0.5", "resources.recompute=true"]
    expected = Resources(threads=4, gpus=0.5, recompute=True, retries=5, price=Price(2, "EUR"))
    assert change(plain, words, None) == replace(plain, resources=expected)
    both = change(plain, [*words, "optim.lr=1e-3"], None)
    assert (both.name, both.resources) == (change(plain, ["optim.lr=1e-3"], None).name, expected)
    search = load("search_budget")
    assert isinstance(search, Search)
    assert changed_search(search, ["resources.retries=0"]) == replace(search, resources=Resources(retries=0))


def test_a_trial_that_somebody_else_runs_is_left_alone(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rdun.plan import make_plan
    from rdun.results import Lease, RunInfo
    from rdun.tuning import mark_unfinished

    monkeypatch.setenv("IMAGES", str(images))
    store = Store(tmp_path / "trials")
    plan = make_plan(load_study(str(TINY)), store, "fp32")
    held, dead = (store.trial(trial.fingerprint) for trial in plan.trials[:2])
    for folder, trial in zip((held, dead), plan.trials, strict=False):
        folder.write_run(RunInfo(fingerprint=trial.fingerprint, status="running"))
    with Lease(held):
        mark_unfinished([trial.fingerprint for trial in plan.missing()], store, interrupted=True)
    states = [folder.run() for folder in (held, dead)]
    assert [run.status for run in states if run] == ["running", "stopped"]


def test_arms_that_differ_in_nothing_that_is_read_are_refused(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rdun.plan import make_plan

    monkeypatch.setenv("IMAGES", str(images))
    study = load_study(str(TINY))
    auto = replace(study.arms[0], name="auto", configs=(replace(study.arms[0].configs[0], precision="auto"),))
    with pytest.raises(ValueError, match="'auto' trains exactly what arm 'unrolled' trains"):
        make_plan(replace(study, arms=(*study.arms, auto)), Store(tmp_path), "fp32")


def test_the_record_of_a_run_holds_the_price(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGES", str(images))
    from rdun.plan import make_plan

    study = load_study(str(TINY))
    for price, told in ((Price(2.5, "EUR"), "2.5 EUR"), (Price(3), "3"), (None, None)):
        plan = make_plan(replace(study, resources=replace(study.resources, price=price)), Store(tmp_path), "fp32")
        assert _provenance(plan, tmp_path).get("price") == told


def test_a_dry_run_after_a_run_knows_what_it_takes(finished: tuple[Path, str], images: Path) -> None:
    """A third seed: four trials are reused, and their time, money and budget speak for the two new ones."""
    tmp_path, _ = finished
    words = (str(TINY), "--runs", str(tmp_path / "runs"), "--dry-run", "--seeds", "1,2")
    done = run_here(*words, "--price", "36 EUR", "--plan-csv", "plan.csv", images=images, tmp_path=tmp_path)
    assert done.exit_code == 0, done.stdout + done.stderr
    assert "2 arms x 2 seeds, 2 complete, 2 new trials" in done.stdout
    assert "Since the last run: 2 trials kept, 2 new, 2 orphaned (0." in done.stdout
    assert "  new: unrolled (seed 2), recursive (seed 2)\n" in done.stdout
    assert "  orphaned: unrolled (seed 0), recursive (seed 0)\n" in done.stdout
    assert re.search(
        r"Estimate: [\d.]+ s with \d+ trials? at a time, .* core-hours, \d+\.\d\d EUR, from past runs\n", done.stdout
    )
    assert "?" not in done.stdout.split("trial ")[1].split("tiny:")[0]
    assert len((tmp_path / "plan.csv").read_text().splitlines()) == 5
    refused = run_here(*words, "--budget", "0.00001", images=images, tmp_path=tmp_path)
    assert refused.exit_code == 2
    assert "budget=1e-05 core-hours is exceeded: what is left takes about" in refused.stderr


def test_what_diverged_is_not_trained_again_unless_it_is_asked_for(
    finished: tuple[Path, str], images: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished[0] / "runs", tmp_path / "runs")
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


def test_dry_run_lists_arms_and_costs(images: Path, tmp_path: Path) -> None:
    done = run_here(str(TINY), "--runs", str(tmp_path / "runs"), "--dry-run", images=images, tmp_path=tmp_path)
    assert done.exit_code == 0
    assert "2 arms x 2 seeds, 4 new trials" in done.stdout
    for word in ("unrolled", "recursive", "2x1", "1x2", "parameters"):
        assert word in done.stdout
    assert not (tmp_path / "runs").exists()
