"""The machine that a plan is estimated for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What trials run on, and how many of them at a time.

    Attributes:
        device: name of the GPU or processor, as the attempts in run.json have it.
        kind: "cuda" or "cpu".
        threads: of each trial.
        gpus: GPUs, or the part of one, that a trial takes; 0 without a GPU.
        slots: trials at a time.
    """

    device: str
    kind: str
    threads: int
    gpus: float
    slots: int

    @property
    def unit(self) -> str:
        """What is paid for."""
        return "GPU-hours" if self.gpus else "core-hours"

    def hours(self, seconds: float) -> float:
        """Seconds of one trial in GPU-hours, the share of the GPU times the time; in core-hours where no GPU is used."""
        return seconds / 3600 * (self.gpus or self.threads)
