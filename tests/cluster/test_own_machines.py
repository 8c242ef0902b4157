"""clusters/own-machines.yaml with Ray's own launcher, on three hosts that are made here: `make test-cluster` (needs root)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.lab import NET, ROOT, VENV, Lab, lab, lacking
from tests.cluster.laptop import EXPORT, Laptop, wait_for
from tests.studies.command import scores

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(lacking()), reason=f"hosts cannot be made: {lacking()}"),
]
FILE = ROOT / "clusters" / "own-machines.yaml"
TINY = ROOT / "tests" / "studies" / "tiny_study.py"
PROBE = """
import socket, sys
for port in range(1, 65536):
    with socket.socket() as s:
        s.settimeout(0.5)
        if s.connect_ex((sys.argv[1], port)) == 0:
            print(port)
"""
HANDOVER = 30.0
"""Seconds from the loss of a host to the start of its trial on another, at most; most of it is Ray giving the host up."""
SUBMITTER = """
import requests, sys
headers = {"Authorization": sys.argv[2]} if sys.argv[2] else {}
print(requests.post(sys.argv[1], json={"entrypoint": "id"}, headers=headers, timeout=20).status_code)
"""
INTRUDER = "import ray; ray.init(address='{address}', logging_level='ERROR'); print(ray.cluster_resources())"


def edited(hosts: Lab) -> dict[str, Any]:
    """The file with its three EDIT lines filled in, a fake GPU per host, and this environment instead of a new one."""
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())
    found["cluster_name"] = f"rdun-lab-{os.getpid()}"
    found["provider"] |= {"head_ip": f"{NET}.2", "worker_ips": [f"{NET}.3", f"{NET}.4"]}
    found["auth"] = {"ssh_user": "root", "ssh_private_key": str(hosts.key)}
    install, environment = found["setup_commands"]
    assert install == "make -s -C ~/rdun venv EXTRAS=cluster"
    found["setup_commands"] = [
        f"ln -sfn {VENV} ~/rdun/.venv",
        environment.replace("export ", EXPORT),
    ]
    for role in ("head", "worker"):
        stop, start = found[f"{role}_start_ray_commands"]
        found[f"{role}_start_ray_commands"] = [stop, f"{start} --num-cpus=1 --num-gpus=1"]
    return found


@pytest.fixture
def laptop(images: Path) -> Iterator[Laptop]:
    with lab(3) as hosts:
        shutil.copytree(images, hosts.folder / "images")
        found = Laptop(hosts, edited(hosts))
        found.env["RAY_UP_enable_autoscaler_v2"] = "0"
        study = TINY.read_text().replace('os.environ["IMAGES"]', repr(str(hosts.folder / "images")))
        (found.home / "my_study.py").write_text(study.replace('os.environ.get("EPOCHS", "2")', '"60"'))
        yield found
    for rest in Path("/tmp/ray").glob(f"cluster-rdun-lab-{os.getpid()}.*"):
        rest.unlink()


def test_up_study_a_closed_laptop_a_lost_machine_report_and_down(laptop: Laptop, images: Path) -> None:
    shared = laptop.lab.folder
    laptop.do("ray", "get-auth-token", "--generate")
    laptop.ray("up", "-y", "--no-config-cache")
    wait_for(lambda: "3.0 GPU" in laptop.ray("exec", "ray status").replace("0.0/", ""), 120)
    laptop.say("head and two workers are up")
    for n, name in enumerate(("head", "worker")):
        laptop.say_usage(name, f"{NET}.{n + 2}")

    with (laptop.checkout / "studies" / "run_study.py").open("a") as code:
        code.write('\nclick.echo("shipped after `ray up`")\n')
    laptop.env["RDUN_REVISION"] = "as tested"
    options = ("--cluster", "lab.yaml", "--runs", str(shared / "runs"), "--price", "2 EUR")
    command = ("python", "studies/run_ablation.py", "../my_study.py", *options)
    first = laptop.begin(*command)
    wait_for(lambda: bool(running_on(shared, "rdun-2")) or first.poll() is not None, 120)
    assert first.poll() is None, first.communicate()[0][-4000:]
    first.kill()
    said, _ = first.communicate()
    assert "Job rdun-tiny is submitted." in said
    laptop.say("the laptop is closed (SIGKILL of the command)")
    (lost,) = running_on(shared, "rdun-2")[:1]
    laptop.lab.hosts[2].lose_power()
    lost_at = datetime.now(UTC)
    laptop.say(f"rdun-2 loses power while it trains {lost}")
    wait_for(lambda: not laptop.processes(), 30)
    laptop.say("nothing of the command is left on the laptop")

    second = laptop.begin(*command)
    assert second.stdout is not None
    lines = iter(second.stdout.readline, "")
    said = next(line for line in lines if "runs already" in line or "submitted" in line)
    assert "Job rdun-tiny of this study runs already" in said
    next(line for line in lines if "trials done" in line)
    second.send_signal(signal.SIGINT)
    rest = second.communicate(timeout=60)[0]
    assert second.returncode == 130 and "The job goes on." in rest, rest[-2000:]
    laptop.say("the same command followed it again; Ctrl-C left the job running")

    output = laptop.do(*command, timeout=400)
    laptop.say("the study ends")
    assert "runs already" in output
    assert "4 of 4 trials complete, 0 failed." in output
    assert "GPU-hours (" in output and "EUR)" in output
    assert output.count("shipped after `ray up`") == 2, "this line is printed here, where it was added, and by the job"
    assert json.loads((shared / "runs/studies/tiny/plan.json").read_text())["provenance"]["revision"] == "as tested"
    print("\n".join(f"          | {line}" for line in output.splitlines()))
    attempts = json.loads((shared / "runs" / "trials" / lost / "run.json").read_text())["attempts"]
    assert attempts[0]["host"] == "rdun-2" != attempts[1]["host"]
    waited = (datetime.fromisoformat(attempts[1]["started"]) - lost_at).total_seconds()
    laptop.say(
        f"{lost} went on on {attempts[1]['host']} after epoch {attempts[1]['resumed_at_epoch']}, {waited:.0f} s after the loss"
    )
    assert 0 < waited < HANDOVER
    assert {a["host"] for run in runs(shared) for a in run["attempts"]} >= {"rdun-1", "rdun-2"}
    report = laptop.checkout / "runs" / "clusters" / f"rdun-lab-{os.getpid()}" / "tiny" / "report.html"
    assert "Does a tiny study run?" in report.read_text()

    again = laptop.do(*command)
    assert "Job rdun-tiny.2 is submitted." in again and "4 of 4 trials complete" in again
    stranger(laptop)
    laptop.ray("down", "-y")
    assert scores(shared / "runs") == alone_scores(images, laptop.home)
    laptop.say("scores are equal to those of an undisturbed run on one machine, byte for byte")


def stranger(laptop: Laptop) -> None:
    """What somebody on the network without key and token reaches."""
    python = str(VENV / "bin" / "python")
    for name, address in (("a worker", f"{NET}.3"), ("the head", f"{NET}.2")):
        found = laptop.lab.inside("rdun-stranger", python, "-c", PROBE, address)
        laptop.say(f"ports of {name} that a stranger can connect to: {', '.join(found.stdout.split())}")
    assert {"22", "6379"} <= set(found.stdout.split()) and not {"8265", "5000"} & set(found.stdout.split())
    for mode in ("disabled", "token"):
        for address in (f"{NET}.2:6379", f"ray://{NET}.2:10001"):
            env = ["env", f"RAY_AUTH_MODE={mode}", "RAY_AUTH_TOKEN=guessed", f"HOME={laptop.home}/nowhere"]
            tried = laptop.lab.inside("rdun-stranger", *env, python, "-c", INTRUDER.format(address=address))
            laptop.say(
                f"a stranger joins {address}, authentication {mode}: {'refused' if tried.returncode else 'LET IN'}"
            )
            assert tried.returncode != 0, tried.stdout
    for token in ("", "Bearer guessed"):
        tried = laptop.lab.inside(
            "rdun-stranger", python, "-c", SUBMITTER, f"http://{NET}.2:52365/api/job_agent/jobs/", token
        )
        laptop.say(f"a stranger gives a job to the agent on port 52365 with token {token!r}: {tried.stdout.strip()}")
        assert tried.stdout.strip() in ("401", "403"), tried.stdout + tried.stderr


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
    env = {**os.environ, "IMAGES": str(images), "EPOCHS": "60", "MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db"}
    words = [
        str(VENV / "bin" / "python"),
        "studies/run_ablation.py",
        "tests/studies/tiny_study.py",
        "--runs",
        str(home / "runs"),
    ]
    subprocess.run(words, cwd=ROOT, env=env | {"PYTHONPATH": str(ROOT)}, check=True, capture_output=True, timeout=300)
    return scores(home / "runs")
