"""The machine that a plan is estimated for."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, NamedTuple

LITTLE = 1e-9
"""Of a core or GPU, that rounding may take."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What trials run on.

    Attributes:
        device: name of the GPU or processor, as the attempts in run.json have it.
        kind: what a trial trains on.
        threads: of each trial.
        recompute: whether trials recompute (see `Resources`): their time and memory are others then.
        cores: for all trials together.
        gpus: GPUs, and `gpu_memory_mib` what each of them has; 0 where none is used.
    """

    device: str
    kind: Literal["cuda", "cpu"]
    threads: int
    cores: int
    recompute: bool = False
    gpus: int = 0
    gpu_memory_mib: float = 0.0

    @property
    def place(self) -> tuple[str, int, bool]:
        """What a measurement has to share to count here."""
        return self.device, self.threads, self.recompute

    @property
    def by_cores(self) -> int:
        """Trials at a time that have their threads to themselves."""
        return max(1, self.cores // self.threads)

    @property
    def unit(self) -> str:
        """What is paid for."""
        return "GPU-hours" if self.kind == "cuda" else "core-hours"

    def hours(self, seconds: float, gpus: float) -> float:
        """Seconds of one trial in GPU-hours, its part of the GPU times the time; in core-hours where no GPU is used."""
        return seconds / 3600 * (gpus or self.threads)


class Room(NamedTuple):
    """Cores and GPUs of one machine."""

    cpus: int
    gpus: float

    def holds(self, cpus: float, gpus: float) -> int:
        """Trials of one kind at a time; of a GPU that several share, what is left beside them is no room for another one."""
        by_cores = int((self.cpus + LITTLE) / cpus)
        if not gpus:
            return by_cores
        whole = int((self.gpus + LITTLE) / gpus) if gpus >= 1 else int(self.gpus) * int((1 + LITTLE) / gpus)
        return min(by_cores, whole)


def lacking(threads: int, gpus: float, machines: Collection[Room], whose: str) -> str:
    """What a trial asks for that no machine has, where it runs on one; empty if there is one.

    Args:
        threads, gpus: that a trial takes.
        whose: "this machine", for instance.
    """
    most = Room(max((m.cpus for m in machines), default=0), max((m.gpus for m in machines), default=0.0))
    for name, asked, there in (("threads", threads, most.cpus), ("gpus", gpus, most.gpus)):
        if asked > there:
            return f"resources.{name}={asked:g} per trial, but {whose} has {there:g}"
    if any(m.cpus >= threads and m.gpus >= gpus for m in machines):
        return ""
    return f"resources.threads={threads} and resources.gpus={gpus:g} per trial, but no machine of the cluster has both"


def cores_here(cpus: int | None = None) -> int:
    """Cores of a private cluster: those asked for, else all that this process may use.

    Raises:
        ValueError: more than there are.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cpus is not None and cpus > cores:
        raise ValueError(f"--cpus={cpus}, but this machine has {cores} cores, and more threads only wait; ask for less")
    return cpus or cores
