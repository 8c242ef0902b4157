"""The live view as a terminal shows it."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path

import pytest
from rich.console import Console

from rdun.config import OptimConfig
from rdun.plan import Estimate, Plan, make_plan
from rdun.progress import Progress
from rdun.results import EpochRecord, RunInfo, Store
from studies.loading import load_study

RECORD = EpochRecord(
    epoch=1,
    step=6,
    samples=48,
    seconds=1.0,
    timestamp=0,
    lr=1e-3,
    train_loss=1e-3,
    train_psnr=30.0,
    validation_psnr=27.25,
    validation_ssim=0.8,
    stage_evaluations=2.0,
)


@pytest.fixture
def plan(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.setenv("IMAGES", str(images))
    study = load_study(str(Path(__file__).parent / "studies" / "tiny_study.py"))
    return make_plan(study, Store(tmp_path), "fp32")


def test_the_view_fits_a_terminal_of_100_columns(plan: Plan, tmp_path: Path) -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=True, color_system=None)
    progress = Progress(plan, Store(tmp_path), {}, console)
    first, second = (trial.fingerprint for trial in plan.trials[:2])
    progress.started(first)
    progress.started(second)
    progress.epoch(first, RECORD)
    console.print(progress._view())
    lines = out.getvalue().splitlines()
    assert set(lines[0].strip()) <= {"━"}  # the bar ends its own line
    assert lines[1].startswith("0/4 trials done, 2 running, 0 failed; best validation 27.25 dB")
    assert any("unrolled" in line and "1/2" in line and "27.25 dB" in line for line in lines)


def test_lines_without_a_terminal_say_how_each_trial_ended(plan: Plan, tmp_path: Path) -> None:
    out, told = io.StringIO(), list[str]()
    progress = Progress(plan, Store(tmp_path), {}, Console(file=out, width=80), then=told.append)
    done, broken = plan.trials[:2]
    for trial in (done, broken):
        progress.started(trial.fingerprint)
    progress.epoch(done.fingerprint, replace(RECORD, epoch=2))
    for trial, status, reason in ((done, "complete", ""), (broken, "failed", "Diverged: at recursion 2")):
        run = RunInfo(fingerprint=trial.fingerprint, status=status, reason=reason)  # type: ignore[arg-type]
        Store(tmp_path).trial(trial.fingerprint).write_run(run)
        progress.ended(trial.fingerprint)
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("1/4 trials done, 0 failed; ")
    assert "unrolled, seed 0: complete, validation 27.25 dB" in lines[0]
    assert "1 failed" in lines[1]
    assert lines[1].endswith("failed: Diverged: at recursion 2")
    assert told == [done.fingerprint, broken.fingerprint]


def test_a_trial_that_has_been_trained_is_tested(plan: Plan, tmp_path: Path) -> None:
    out = io.StringIO()
    progress = Progress(plan, Store(tmp_path), {}, Console(file=out, width=100, force_terminal=True, color_system=None))
    progress.started(plan.trials[0].fingerprint)
    for epoch, testing in ((1, False), (2, True)):
        progress.epoch(plan.trials[0].fingerprint, replace(RECORD, epoch=epoch))
        progress.console.print(progress._view())
        assert ("testing" in out.getvalue()) == testing


def test_weights_that_are_only_tested_have_no_epochs(plan: Plan, tmp_path: Path) -> None:
    trials = tuple(replace(t, config=replace(t.config, weights="w", optim=OptimConfig(epochs=0))) for t in plan.trials)
    progress = Progress(replace(plan, trials=trials), Store(tmp_path), {}, Console(file=io.StringIO(), width=80))
    progress.started(trials[0].fingerprint)
    assert "0/4 trials done, 1 running" in progress.summary()
    progress._view()


def test_the_time_that_is_left_holds_the_tests(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four trials of 8 s of training and 4 s of tests; the first has done one of its two epochs after 6 s."""
    monkeypatch.setattr("rdun.progress.time.monotonic", chain([0.0], repeat(6.0)).__next__)
    estimates = {t.fingerprint: Estimate(seconds=12.0, tests=4.0) for t in plan.trials}
    progress = Progress(plan, Store(tmp_path), estimates, Console(file=io.StringIO(), width=80))
    first, second, *_ = plan.trials
    progress.started(first.fingerprint)
    assert "left" not in progress.summary(), "nothing is done that could tell"
    progress.epoch(first.fingerprint, RECORD)
    assert progress.summary().endswith("; 0:06 gone, about 1:06 left")  # 44 s of 48, at 4 s in 6
    progress.epoch(first.fingerprint, replace(RECORD, epoch=2))
    assert progress.summary().endswith("about 0:30 left")  # 40 s, at 8 s in 6
    store = Store(tmp_path)
    store.trial(first.fingerprint).write_run(RunInfo(fingerprint=first.fingerprint, status="complete"))
    progress.ended(first.fingerprint)
    assert progress.summary().endswith("about 0:18 left")  # 36 s, at 12 s in 6
    store.trial(second.fingerprint).write_run(RunInfo(fingerprint=second.fingerprint, status="failed"))
    progress.started(second.fingerprint)
    progress.ended(second.fingerprint)
    assert progress.summary().endswith("about 0:12 left")


def test_where_one_trial_has_no_estimate_arithmetic_tells_the_time_that_is_left(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rdun.progress.time.monotonic", chain([0.0], repeat(6.0)).__next__)
    estimates = {t.fingerprint: Estimate(seconds=12.0, tests=4.0) for t in plan.trials[1:]}
    progress = Progress(plan, Store(tmp_path), estimates, Console(file=io.StringIO(), width=80))
    progress.started(plan.trials[0].fingerprint)
    progress.epoch(plan.trials[0].fingerprint, RECORD)
    assert progress.summary().endswith("about 0:42 left")  # seven epochs of eight that cost the same
