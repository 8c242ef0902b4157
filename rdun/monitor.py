"""Facts about the machine that a trial runs on, and samples of its load while it runs."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import socket
import subprocess
import threading
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import TracebackType

import psutil
import torch

from rdun.results import SystemSample, TrialDirectory

PACKAGES = ("rdun", "torch", "numpy", "scikit-image", "pillow", "ray", "mlflow")

MOST_SAMPLES = 2_000
"""Of the load of one trial. They are written as a whole each time, and days of training would make that megabytes."""

BF16_FEATURES = ("amx_bf16", "avx512_bf16")


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that touch the numbers; absent ones are left out."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@cache
def revision() -> str:
    """The git commit of this source tree, with "+changes" if it was edited; outside a checkout RDUN_REVISION, else "unknown"."""
    root = Path(__file__).parent.parent
    try:
        commit = _git(root, "rev-parse", "--short=12", "HEAD")
        return commit + ("+changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return os.environ.get("RDUN_REVISION", "unknown")  # a job's code is a copy of a checkout


def _git(root: Path, *words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=root, capture_output=True, text=True, check=True, timeout=10
    ).stdout.strip()


@cache
def processor() -> str:
    """The processor's name and its instructions for bfloat16."""
    text = _cpuinfo()
    name = next((line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")), "")
    features = [feature for feature in BF16_FEATURES if f" {feature}" in text]
    return f"{name or platform.processor() or platform.machine()} ({', '.join(features) or 'no bf16 instructions'})"


def has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 matrices faster than float32 ones."""
    return any(f" {feature}" in _cpuinfo() for feature in BF16_FEATURES)


def _cpuinfo() -> str:
    info = Path("/proc/cpuinfo")
    return info.read_text() if info.exists() else ""


def device_name(device: torch.device) -> str:
    """The name of the accelerator, or of the processor."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else processor()


def host() -> str:
    """The machine's name."""
    return socket.gethostname()


def now() -> str:
    """The time in UTC, ISO 8601, seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class PeakMemory:
    """The most memory that this process takes from here on, on its device: what is reserved on a GPU, else resident memory."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.known = device, True
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            return
        try:  # the peak of the process itself, which other trials used before
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            self.known = False

    def facts(self) -> dict[str, int]:
        """{"peak_memory_bytes": so far}; empty where the system does not tell."""
        if self.device.type == "cuda":
            return {"peak_memory_bytes": torch.cuda.max_memory_reserved(self.device)}
        lines = Path("/proc/self/status").read_text().splitlines() if self.known else []
        peak = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
        return {} if peak is None else {"peak_memory_bytes": int(peak) * 1024}


class SystemMonitor:
    """Writes system.csv while it is entered: one sample of this process every `period` seconds, kept across resumes; where they
    become many, two neighbours become one, and the period twice as long."""

    def __init__(self, folder: TrialDirectory, device: torch.device, period: float = 5.0) -> None:
        self.folder, self.device, self.period = folder, device, period
        self.samples = folder.system()
        self._process = psutil.Process(os.getpid())
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> SystemMonitor:
        self._process.cpu_percent()  # the first call only sets the starting point
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self._write()

    def _run(self) -> None:
        while not self._done.wait(self.period):
            self._write()

    def _write(self) -> None:
        self._sample()
        if len(self.samples) > MOST_SAMPLES:
            self.samples, self.period = _halved(self.samples), 2 * self.period
        with contextlib.suppress(Exception):  # load samples are not worth a trial
            self.folder.write_system(self.samples)

    def _sample(self) -> None:
        gpu = torch.cuda.memory_allocated(self.device) / 2**20 if self.device.type == "cuda" else 0.0
        self.samples.append(
            SystemSample(
                timestamp=time.time_ns() // 1_000_000,
                cpu_percent=self._process.cpu_percent(),
                memory_mib=round(self._process.memory_info().rss / 2**20, 1),
                gpu_memory_mib=round(gpu, 1),
            )
        )


def _halved(samples: list[SystemSample]) -> list[SystemSample]:
    """Each two neighbours as one at the time of the later: their mean load, and the larger of their memories."""
    pairs = zip(samples[:-1:2], samples[1::2], strict=True)
    merged = [
        SystemSample(
            timestamp=second.timestamp,
            cpu_percent=(first.cpu_percent + second.cpu_percent) / 2,
            memory_mib=max(first.memory_mib, second.memory_mib),
            gpu_memory_mib=max(first.gpu_memory_mib, second.gpu_memory_mib),
        )
        for first, second in pairs
    ]
    return merged + samples[2 * len(merged) :]
