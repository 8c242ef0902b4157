"""What is measured on a GPU within minutes: each part is ended in time, and what ended well is not run again."""

from __future__ import annotations

import csv
import sys
import time
from pathlib import Path

import click
import pytest
import torch
from click.testing import CliRunner

from benchmarks import gpu, sharing
from benchmarks.training_step import SYSTEMS
from rdun.operators import make_task


def test_a_part_that_takes_too_long_is_ended_with_what_it_started_and_its_words_are_kept(tmp_path: Path) -> None:
    child = "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    code = gpu.run([sys.executable, "-u", "-c", f"{child}; print(p.pid); time.sleep(60)"], tmp_path / "log", 3.0)
    assert code == 124
    pid = int((tmp_path / "log").read_text())
    for _ in range(100):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().rsplit(") ", 1)[1][0] == "Z":
            break
        time.sleep(0.05)
    else:
        pytest.fail("the child lives on")


def test_parts_that_fail_do_not_stop_the_others_and_are_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = {"check": [0], "memory": [1, 0], "inference": [0]}
    ran: list[str] = []

    def run(command: list[str], log: Path, seconds: float) -> int:
        assert command[0] == sys.executable and seconds > 0
        ran.append(log.stem)
        return codes[log.stem].pop(0)

    monkeypatch.setattr(gpu, "run", run)
    words = [str(tmp_path), "--only", "check,memory,inference", "--device", "cpu"]
    first = CliRunner().invoke(gpu.main, words)
    assert (first.exit_code, ran) == (1, ["check", "inference", "memory"])
    ran.clear()
    assert CliRunner().invoke(gpu.main, words).exit_code == 0
    assert ran == ["memory"]
    with (tmp_path / "parts.csv").open(newline="") as file:
        assert [(row["part"], row["exit"]) for row in csv.DictReader(file)][-1] == ("memory", "0")


def test_what_is_left_of_the_time_trains_from_a_copy_of_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, found = list[list[str]](), list[str]()

    def run(command: list[str], log: Path, seconds: float) -> int:
        seen.append(command)
        return 0

    monkeypatch.setattr(gpu, "run", run)
    trial, out = tmp_path / "before", tmp_path / "out"
    trial.mkdir()
    (trial / "config.json").write_text("{}")
    (trial / "checkpoint.pt").write_text("state")
    monkeypatch.setattr(gpu, "PARTS", ())
    for _ in range(2):
        result = CliRunner().invoke(gpu.main, [str(out), "--trial", str(trial), "--minutes", "5", "--device", "cpu"])
        assert result.exit_code == 0
        found.append((out / "trial" / "checkpoint.pt").read_text())
        (out / "trial" / "checkpoint.pt").write_text("later")
    assert found == ["state", "later"]
    assert seen[0][1:5] == ["-m", "rdun.trial", str(trial / "config.json"), "--workdir"]
    assert 4 < float(seen[0][seen[0].index("--minutes") + 1]) < 5


@pytest.mark.parametrize("part", gpu.PARTS, ids=lambda part: part.name)
@pytest.mark.parametrize("small", [True, False])
def test_programs_know_the_options_they_are_given(part: gpu.Part, small: bool, tmp_path: Path) -> None:
    command = part.command(tmp_path, "cpu", small=small)
    program = __import__(f"benchmarks.{part.program}", fromlist=["main"]).main
    assert Path(command[1]).is_file()
    assert isinstance(program, click.Command)
    program.make_context("part", command[2:])  # raises where an option is unknown


@pytest.mark.parametrize("system", ["R-COAST 5x4", "ISTA-Net+ 3x3"])
def test_trials_that_share_a_gpu_do_not_spend_their_short_epochs_in_validation(system: str) -> None:
    """R-COAST was validated on five matrices after a seventh of an epoch."""
    config = sharing.shortened(SYSTEMS[system], 200, "bf16")
    tests = make_task(config.task, None, torch.device("cpu")).test_operators((33, 33))
    assert len([test for test in tests if test.ratio == 0.1]) == 1
    assert (config.optim.batch, config.data.epoch_samples, config.precision) == (64, 200 * 64, "bf16")


def test_an_unknown_part_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(gpu.main, [str(tmp_path), "--only", "chek"])
    assert result.exit_code == 2 and "'chek' is not one of check, agreement" in result.output


def test_a_machine_without_a_gpu_is_told_so_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    result = CliRunner().invoke(gpu.main, [str(tmp_path / "out")])
    assert result.exit_code == 2 and "PyTorch sees no GPU here" in result.output
    assert not (tmp_path / "out").exists()
