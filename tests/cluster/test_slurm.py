"""clusters/slurm.sh with a real Slurm on two hosts that are made here: `make test-cluster` (needs root)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.lab import NET, ROOT, VENV, Lab, lab, lacking
from tests.cluster.laptop import LEFT_BEHIND, wait_for

SCRIPT = ROOT / "clusters" / "slurm.sh"
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "srun", "scontrol")
SLURM = """\
ClusterName=lab
SlurmctldHost=rdun-0({net}.2)
SlurmUser=root
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
MpiDefault=none
GresTypes=gpu
StateSaveLocation=/tmp/state
SlurmdSpoolDir=/tmp/slurmd
SlurmdPidFile=/tmp/slurmd.pid
SlurmctldPidFile=/tmp/slurmctld.pid
SlurmdLogFile={folder}/slurmd-%n.log
SlurmctldLogFile={folder}/slurmctld.log
NodeName=rdun-0 NodeAddr={net}.2 CPUs=2 RealMemory=4000 Gres=gpu:1
NodeName=rdun-1 NodeAddr={net}.3 CPUs=2 RealMemory=4000 Gres=gpu:1
PartitionName=lab Nodes=ALL Default=YES State=UP
"""
FILES = {
    "slurm.conf": SLURM,
    "gres.conf": "Name=gpu File=/dev/zero\n",
    "cgroup.conf": "CgroupPlugin=cgroup/v1\n",
    "hosts": "127.0.0.1 localhost\n{net}.2 rdun-0\n{net}.3 rdun-1\n",
}
"""Two nodes of two cores and a GPU that is none, whose jobs are bound to the cores that they were given."""
BOUND_TO = 'python3 -c "import os; print(len(os.sched_getaffinity($(pgrep -x raylet))))"'
"""Prints the number of cores that the host's raylet may use."""


def test_the_script_is_sound_and_has_few_lines_to_edit() -> None:
    subprocess.run(["bash", "-n", str(SCRIPT)], check=True)
    assert SCRIPT.read_text().count("# EDIT") == 3


def why_not() -> str:
    """Why there can be no Slurm here; empty if there can."""
    path = os.environ.get("PATH", "") + ":/usr/sbin"
    missing = [program for program in PROGRAMS if shutil.which(program, path=path) is None]
    return lacking() or (f"needs {', '.join(missing)} (Debian: apt-get install slurm-wlm)" if missing else "")


@dataclass(frozen=True)
class Slurm:
    """The hosts with Slurm, and a checkout that both see."""

    lab: Lab
    checkout: Path

    def do(self, command: str, host: int = 0) -> str:
        """Runs a shell command on a host, in the checkout; its output."""
        setting = f"export SLURM_CONF={self.lab.folder}/slurm.conf PATH=/usr/sbin:$PATH; cd {self.checkout}"
        return self.lab.on(self.lab.hosts[host], f"{setting}; {command}")

    def job(self, number: str) -> dict[str, str]:
        """What Slurm says of a job."""
        return dict(re.findall(r"(\w+)=(\S*)", self.do(f"scontrol show job {number}")))


@pytest.fixture
def slurm(images: Path) -> Iterator[Slurm]:
    with lab(2) as hosts:
        found = Slurm(hosts, hosts.folder / "checkout")
        shutil.copytree(images, hosts.folder / "images")
        shutil.copytree(ROOT, found.checkout, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
        (found.checkout / ".venv").symlink_to(VENV)
        for name, text in FILES.items():
            (hosts.folder / name).write_text(text.format(net=NET, folder=hosts.folder))
        for n in range(2):
            found.do(f"mount --bind {hosts.folder}/hosts /etc/hosts; mkdir -p /tmp/state /tmp/slurmd", n)
        found.do("slurmctld")
        for n in range(2):
            found.do("slurmd", n)
        wait_for(lambda: found.do("sinfo -h -o '%t %D'").strip() == "idle 2", 60)
        yield found


@pytest.mark.cluster
@pytest.mark.timeout(900)
@pytest.mark.skipif(bool(why_not()), reason=f"no Slurm: {why_not()}")
def test_a_study_stops_before_its_time_limit_is_queued_again_and_ends(slurm: Slurm) -> None:
    start, shared = time.monotonic(), slurm.lab.folder

    def say(what: str) -> None:
        print(f"{time.monotonic() - start:6.1f} s  {what}")

    setting = f"IMAGES={shared}/images EPOCHS=400 PYTHONPATH={slurm.checkout} MLFLOW_TRACKING_URI=sqlite:///{shared}/db"
    limits = "--time=5 --cpus-per-task=2"  # SIGTERM 180 s before the end
    command = f"clusters/slurm.sh tests/studies/tiny_study.py --runs {shared}/runs"
    number = slurm.do(f"{setting} sbatch --parsable {limits} {command}").strip()
    output = slurm.checkout / f"slurm-{number}.out"
    wait_for(lambda: bool(list(shared.glob("runs/trials/*/checkpoint.pt"))), 150)
    say("a trial has begun")
    for n in range(2):
        assert slurm.do(BOUND_TO, n).split() == ["2"], "Ray's node uses all the cores that were asked for, not one"

    wait_for(lambda: slurm.job(number)["Restarts"] == "1", 200)
    say(f"queued again: {slurm.job(number)['JobState']} until {slurm.job(number)['StartTime']}")
    wait_for(lambda: slurm.job(number)["JobState"] == "PENDING", 60)
    slurm.do(f"scontrol update JobId={number} TimeLimit=20")
    wait_for(lambda: slurm.job(number)["JobState"] == "RUNNING", 300)
    say("it runs again")
    wait_for(lambda: slurm.job(number)["JobState"] not in ("RUNNING", "COMPLETING"), 400)
    found = slurm.job(number)
    say(f"{found['JobState']}, exit code {found['ExitCode']}")
    print("\n".join(f"          | {line}" for line in output.read_text().splitlines()))
    assert (found["JobState"], found["ExitCode"]) == ("COMPLETED", "0:0")
    said = output.read_text()
    assert said.index("Stopped. The same command goes on") < said.index("4 of 4 trials complete, 0 failed.")
    assert "GPU-hours" in said and "No such process" not in said
    attempts = [json.loads(run.read_text())["attempts"] for run in shared.glob("runs/trials/*/run.json")]
    assert any(len(tries) == 2 and tries[1]["resumed_at_epoch"] > 0 for tries in attempts)
    assert {attempt["host"] for tries in attempts for attempt in tries} == {"rdun-0", "rdun-1"}
    for n in range(2):
        left = slurm.do("ps -e -o args=", n)
        assert "ray" not in left and "run_ablation" not in left, left
        assert not slurm.do("ls -d /tmp/rdun-* 2> /dev/null || true", n)
