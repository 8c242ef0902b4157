"""The machine that a plan is estimated for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
