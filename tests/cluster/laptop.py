"""The machine where `ray up` is typed: a namespace of the lab, a home, a copy of this checkout, and a transcript with times."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.lab import ROOT, VENV, Lab

LEFT_BEHIND = (".git", ".venv", "runs", "mlruns", "mlflow.db*", "__pycache__", ".*_cache", "*.egg-info")
EXPORT = "export PYTHONPATH=${PYTHONPATH:-$HOME/rdun} "
"""Before what a cluster's file exports: the code without an installation."""
USAGE = """
import json, psutil, time
def alive():
    return [p for p in psutil.process_iter() if p.pid != psutil.Process().pid]
def seconds(processes):
    total = 0.0
    for p in processes:
        try: total += sum(p.cpu_times()[:2])
        except psutil.Error: pass
    return total
processes = alive(); before = seconds(processes); time.sleep(10)
spent = (seconds(processes) - before) / 10
memory = 0
for p in processes:
    try: memory += p.memory_full_info().pss
    except psutil.Error: pass
print(json.dumps([len(processes), memory / 2**20, 100 * spent]))
"""


class Laptop:
    """Runs commands in the namespace "rdun-laptop", below a home of its own."""

    def __init__(self, hosts: Lab, cluster: dict[str, Any]) -> None:
        self.lab, self.start = hosts, time.monotonic()
        self.home = hosts.folder.parent / "laptop"
        self.checkout = self.home / "rdun"
        shutil.copytree(ROOT, self.checkout, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
        (self.checkout / "lab.yaml").write_text(yaml.safe_dump(cluster))
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "RDUN_", "MLFLOW_"))}
        self.env |= {"HOME": str(self.home), "PYTHONPATH": str(self.checkout), "RAY_USAGE_STATS_ENABLED": "0"}
        self.env |= {"PATH": f"{VENV}/bin:{self.env['PATH']}"}

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Starts a command; its process is the command's own."""
        return subprocess.Popen(
            ["ip", "netns", "exec", "rdun-laptop", *words],
            env=self.env,
            cwd=self.checkout,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def do(self, *words: str, timeout: float = 300) -> str:
        """Runs a command that must work; what it prints."""
        process = self.begin(*words)
        try:
            output, _ = process.communicate(timeout=timeout)
        finally:
            process.kill()
        self.say(f"{' '.join(words)[:100]}: {process.returncode}")
        assert process.returncode == 0, output[-4000:]
        return output

    def ray(self, command: str, *words: str) -> str:
        """A command of Ray's launcher with the lab's file."""
        return self.do("ray", command, "lab.yaml", *words)

    def ssh(self, address: str, *words: str) -> str:
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        found = self.begin("ssh", "-i", str(self.lab.key), *options, f"root@{address}", *words)
        output, _ = found.communicate(timeout=60)
        assert found.returncode == 0, output
        return output

    def processes(self) -> str:
        """The command lines of what runs in the laptop's namespace."""
        found = subprocess.run(["ip", "netns", "pids", "rdun-laptop"], capture_output=True, text=True, check=True)
        lines = (Path("/proc") / pid / "cmdline" for pid in found.stdout.split())
        return "\n".join(line.read_text().replace("\0", " ") for line in lines if line.exists())

    def say_usage(self, name: str, address: str) -> None:
        """What an idle machine takes: proportional set sizes, and processor time over ten seconds."""
        script = self.lab.folder / "usage.py"
        script.write_text(USAGE)
        count, memory, cpu = json.loads(self.ssh(address, f"{VENV}/bin/python", str(script)))
        self.say(f"{name} idle: {count} processes, {memory:,.0f} MiB, {cpu:.1f} % of a core")

    def say(self, what: str) -> None:
        print(f"{time.monotonic() - self.start:6.1f} s  {what}", flush=True)


def wait_for(condition: Callable[[], bool], patience: float) -> None:
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.5)
