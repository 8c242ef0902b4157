"""clusters/own-machines.yaml with Ray's own launcher, on three hosts that are made here: `make test-cluster` (needs root)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.lab import NET, ROOT, VENV, Lab, lab, lacking
from tests.studies.test_command_line import scores

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(lacking()), reason=f"hosts cannot be made: {lacking()}"),
]
FILE = ROOT / "clusters" / "own-machines.yaml"
STUDY = (
    "cd ~/rdun && IMAGES={images} EPOCHS=24 python studies/run_ablation.py tests/studies/tiny_study.py --runs {runs}"
)
PROBE = """
import socket, sys
for port in range(1, 65536):
    with socket.socket() as s:
        s.settimeout(0.5)
        if s.connect_ex((sys.argv[1], port)) == 0:
            print(port)
"""
INTRUDER = "import ray; ray.init(address='{address}:6379', logging_level='ERROR'); print(ray.cluster_resources())"


class Laptop:
    """Where `ray up` is typed: a home of its own, and a transcript with times."""

    def __init__(self, hosts: Lab, images: Path) -> None:
        self.lab, self.start = hosts, time.monotonic()
        self.home = hosts.folder.parent / "laptop"
        self.home.mkdir()
        shutil.copytree(images, hosts.folder / "images")
        self.file = self.home / "cluster.yaml"
        self.file.write_text(yaml.safe_dump(self._edited()))
        self.env = {k: v for k, v in os.environ.items() if k not in ("RAY_ADDRESS", "RAY_AUTH_MODE")}
        self.env |= {"HOME": str(self.home), "RAY_UP_enable_autoscaler_v2": "0", "RAY_USAGE_STATS_ENABLED": "0"}
        self.env |= {"PATH": f"{VENV}/bin:{self.env['PATH']}"}

    def _edited(self) -> dict[str, Any]:
        """The file with its three EDIT lines filled in, a fake GPU per host, and this environment instead of a new one."""
        found: dict[str, Any] = yaml.safe_load(FILE.read_text())
        found["cluster_name"] = f"rdun-lab-{os.getpid()}"
        found["provider"] |= {"head_ip": f"{NET}.2", "worker_ips": [f"{NET}.3", f"{NET}.4"]}
        found["auth"] = {"ssh_user": "root", "ssh_private_key": str(self.lab.key)}
        found["file_mounts"] = {"~/rdun": str(ROOT), "~/.ray/auth_token": f"{self.home}/.ray/auth_token"}
        install, environment = found["setup_commands"]
        assert install == "make -s -C ~/rdun venv"
        found["setup_commands"] = [
            f"ln -sfn {VENV} ~/rdun/.venv",
            environment.replace("export ", "export PYTHONPATH=$HOME/rdun "),
        ]
        for role in ("head", "worker"):
            stop, start = found[f"{role}_start_ray_commands"]
            found[f"{role}_start_ray_commands"] = [stop, f"{start} --num-cpus=1 --num-gpus=1"]
        return found

    def ray(self, *words: str, timeout: float = 300) -> str:
        done = subprocess.run(
            ["ray", *words], env=self.env, cwd=self.home, capture_output=True, text=True, check=False, timeout=timeout
        )
        self.say(f"ray {' '.join(words)[:100]}: {done.returncode}")
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        return done.stdout

    def say(self, what: str) -> None:
        print(f"{time.monotonic() - self.start:6.1f} s  {what}", flush=True)


@pytest.fixture
def laptop(images: Path) -> Iterator[Laptop]:
    with lab(3) as hosts:
        yield Laptop(hosts, images)
    for rest in Path("/tmp/ray").glob(f"cluster-rdun-lab-{os.getpid()}.*"):
        rest.unlink()


def test_up_study_a_lost_machine_report_and_down(laptop: Laptop, images: Path) -> None:
    shared, cluster = laptop.lab.folder, str(laptop.file)
    laptop.ray("get-auth-token", "--generate")
    laptop.ray("up", "-y", cluster, "--no-config-cache")
    wait_for(lambda: "3.0 GPU" in laptop.ray("exec", cluster, "ray status").replace("0.0/", ""), 120)
    laptop.say("head and two workers are up")

    words = STUDY.format(images=shared / "images", runs=shared / "runs")
    driver = subprocess.Popen(
        ["ray", "exec", cluster, words], env=laptop.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    wait_for(lambda: bool(running_on(shared, "rdun-2")), 120)
    (lost,) = running_on(shared, "rdun-2")[:1]
    laptop.lab.hosts[2].lose_power()
    laptop.say(f"rdun-2 loses power while it trains {lost}")
    output, _ = driver.communicate(timeout=400)
    laptop.say("the study ends")
    assert driver.returncode == 0, output[-4000:]
    assert "4 of 4 trials complete, 0 failed." in output
    attempts = json.loads((shared / "runs" / "trials" / lost / "run.json").read_text())["attempts"]
    laptop.say(f"{lost} went on on {attempts[-1]['host']} after epoch {attempts[-1]['resumed_at_epoch']}")
    assert attempts[0]["host"] == "rdun-2" != attempts[-1]["host"]
    assert {a["host"] for run in runs(shared) for a in run["attempts"]} >= {"rdun-1", "rdun-2"}

    laptop.ray("rsync-down", cluster, f"{shared}/runs/studies/tiny/report.html", str(laptop.home / "report.html"))
    assert "Does a tiny study run?" in (laptop.home / "report.html").read_text()
    stranger(laptop)
    laptop.ray("down", "-y", cluster)
    alone = alone_scores(images, laptop.home)
    assert scores(shared / "runs") == alone
    laptop.say("scores are equal to those of an undisturbed run on one machine, byte for byte")


def stranger(laptop: Laptop) -> None:
    """What somebody on the network without key and token reaches."""
    found = laptop.lab.inside("rdun-stranger", str(VENV / "bin" / "python"), "-c", PROBE, f"{NET}.2")
    laptop.say(f"open ports of the head: {', '.join(found.stdout.split())}")
    assert {"22", "6379"} <= set(found.stdout.split()) and not {"8265", "5000"} & set(found.stdout.split())
    for mode in ("disabled", "token"):
        env = ["env", f"RAY_AUTH_MODE={mode}", "RAY_AUTH_TOKEN=guessed", f"HOME={laptop.home}/nowhere"]
        words = [*env, str(VENV / "bin" / "python"), "-c", INTRUDER.format(address=f"{NET}.2")]
        tried = laptop.lab.inside("rdun-stranger", *words)
        laptop.say(f"a stranger joins with authentication {mode}: {'refused' if tried.returncode else 'LET IN'}")
        assert tried.returncode != 0, tried.stdout


def running_on(shared: Path, host: str) -> list[str]:
    """Trials that have saved an epoch and are being trained by a host."""
    return [
        run["fingerprint"]
        for run in runs(shared)
        if run["status"] == "running" and run["attempts"][-1]["host"] == host and _begun(shared, run["fingerprint"])
    ]


def _begun(shared: Path, fingerprint: str) -> bool:
    return (shared / "runs" / "trials" / fingerprint / "checkpoint.pt").exists()


def runs(shared: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(shared.glob("runs/trials/*/run.json"))]


def alone_scores(images: Path, home: Path) -> dict[str, bytes]:
    """The same study on this machine alone."""
    env = {**os.environ, "IMAGES": str(images), "EPOCHS": "24", "MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db"}
    words = [
        str(VENV / "bin" / "python"),
        "studies/run_ablation.py",
        "tests/studies/tiny_study.py",
        "--runs",
        str(home / "runs"),
    ]
    subprocess.run(words, cwd=ROOT, env=env | {"PYTHONPATH": str(ROOT)}, check=True, capture_output=True, timeout=300)
    return scores(home / "runs")


def wait_for(condition: Any, patience: float) -> None:
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.5)
