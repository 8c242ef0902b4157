"""The command that users type: in a process of its own, or in this one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rdun.results import Folder
from tests.conftest import draw_roughly
from tests.databases import empty_database

ROOT = Path(__file__).resolve().parents[2]
TINY = Path(__file__).with_name("tiny_study.py")


def environment(images: Path, tmp_path: Path, **extra: str) -> dict[str, str]:
    keep = {k: v for k, v in os.environ.items() if k not in ("RAY_ADDRESS",)}
    database = tmp_path / "mlflow.db"
    if not database.exists():
        shutil.copyfile(empty_database(), database)
    tracker = {"MLFLOW_TRACKING_URI": f"sqlite:///{database}", "IMAGES": str(images), "COLUMNS": "200"}
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
    """The command in this process, which has imported everything already: for what no other process has to see.

    Its report has rough figures and no PDF.
    """
    from studies.run_ablation import main

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        for name, value in environment(images, tmp_path, **extra).items():
            patch.setenv(name, value)
        patch.chdir(tmp_path)
        draw_roughly(patch)
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


def started(*words: str, images: Path, tmp_path: Path, runs: Path | str, trials: int = 1) -> subprocess.Popen[bytes]:
    """The same, once so many trials have scores."""
    driver = begun(*words, images=images, tmp_path=tmp_path)
    deadline = time.monotonic() + 120
    while len(scores(runs)) < trials and driver.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return driver


def scores(runs: Path | str) -> dict[str, bytes]:
    folder = Folder(f"{runs}/trials")
    found = {name: folder.read_if_there(f"{name}/scores.csv") for name in folder.names()}
    return {name: content for name, content in found.items() if content is not None}
