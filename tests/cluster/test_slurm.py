"""clusters/slurm.sh for real, with a Ray of its own, where `srun` and `scontrol` are stand-ins on this machine; no Slurm."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.lab import ROOT, VENV

SCRIPT = ROOT / "clusters" / "slurm.sh"
SRUN = """\
#!/bin/bash
echo "srun $*" >> "$CALLS"
while [[ $1 == -* ]]; do shift; done
exec "$@"
"""
SCONTROL = """\
#!/bin/bash
echo "scontrol $*" >> "$CALLS"
if [ "$1" = show ]; then printf 'one\\ntwo\\n'; fi
"""
HOSTNAME = """\
#!/bin/bash
echo 127.0.0.1
"""


def test_the_script_is_sound_and_has_few_lines_to_edit() -> None:
    subprocess.run(["bash", "-n", str(SCRIPT)], check=True)
    text = SCRIPT.read_text()
    assert text.count("# EDIT") == 3
    directives = re.findall(r"^#SBATCH --([a-z-]+)", text, flags=re.MULTILINE)
    assert directives == [
        "job-name",
        "nodes",
        "gpus-per-node",
        "time",
        "cpus-per-task",
        "ntasks-per-node",
        "signal",
        "requeue",
    ]


@pytest.fixture
def allocation(tmp_path: Path, images: Path) -> dict[str, str]:
    """What Slurm sets for a job on two nodes with a GPU each, submitted in a checkout."""
    programs, checkout = tmp_path / "bin", tmp_path / "checkout"
    programs.mkdir()
    (checkout / ".venv" / "bin").mkdir(parents=True)
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL), ("hostname", HOSTNAME)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    for part in ("rdun", "analysis", "studies", "tests"):
        (checkout / part).symlink_to(ROOT / part)
    (checkout / ".venv" / "bin" / "activate").write_text(f"export PATH={programs}:{VENV}/bin:$PATH\n")
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "SLURM_"))}
    return keep | {
        "CALLS": str(tmp_path / "calls"),
        "IMAGES": str(images),
        "PYTHONPATH": str(checkout),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        "EPOCHS": "60",
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_JOB_NODELIST": "[one-two]",
        "SLURM_SUBMIT_DIR": str(checkout),
        "SLURM_CPUS_PER_TASK": "1",
        "SLURM_GPUS_ON_NODE": "1",
        "SLURM_TMPDIR": "/tmp",
    }


@contextlib.contextmanager
def job(allocation: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The script with all its processes in a group of their own, of which nothing stays."""
    words = ["bash", str(SCRIPT), "tests/studies/tiny_study.py", "--runs", str(tmp_path / "runs")]
    process = subprocess.Popen(
        words, env=allocation, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_a_study_on_an_allocation_stops_before_its_time_limit_is_queued_again_and_ends(
    allocation: dict[str, str], tmp_path: Path
) -> None:
    calls = Path(allocation["CALLS"])
    with job(allocation, tmp_path) as first:
        end = time.monotonic() + 150
        while not list(tmp_path.glob("runs/trials/*/checkpoint.pt")):
            assert first.poll() is None and time.monotonic() < end, "no trial has begun"
            time.sleep(0.2)
        first.send_signal(signal.SIGTERM)  # to the script alone, as --signal=B: does
        output, _ = first.communicate(timeout=90)
    assert first.returncode == 130, output
    assert "Stopped. The same command goes on" in output
    assert f"scontrol requeue {allocation['SLURM_JOB_ID']}" in calls.read_text()
    assert not _left(allocation)

    with job(allocation, tmp_path) as second:
        output, _ = second.communicate(timeout=300)
    assert second.returncode == 0, output
    assert "4 of 4 trials complete, 0 failed." in output
    assert "GPU-hours" in output
    attempts = [json.loads(run.read_text())["attempts"] for run in tmp_path.glob("runs/trials/*/run.json")]
    assert any(len(tries) == 2 and tries[1]["resumed_at_epoch"] > 0 for tries in attempts)
    starts = [line for line in calls.read_text().splitlines() if "ray start" in line]
    assert any("--head" in line for line in starts) and any("--exclude=one" in line for line in starts)
    assert not _left(allocation)


def _left(allocation: dict[str, str]) -> list[str]:
    """Processes of this job's Ray that still run a little later."""
    for _ in range(40):
        found = subprocess.run(["ps", "-e", "-o", "args="], capture_output=True, text=True, check=True).stdout
        left = [line for line in found.splitlines() if f"rdun-{allocation['SLURM_JOB_ID']}" in line]
        if not left:
            return []
        time.sleep(0.5)
    return left
