"""What a trial leaves behind, row by row. One dataclass is one table; its fields are the columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["running", "complete", "stopped", "failed"]
STOPPED_EARLY = "stopped early"
"""How the reason of a trial begins that the rule of a search has ended."""
Outcome = Literal["running", "complete", "stopped", "error", "out of memory", "diverged", "preempted", "died"]


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One epoch of training (epochs.csv).

    Attributes:
        epoch: 1, 2, ...
        step: optimizer steps since the start of training.
        samples: training blocks seen since the start.
        seconds: seconds spent in training steps since the start, validation and pauses excluded.
        timestamp: wall clock at the end of the epoch, milliseconds since 1970 (UTC).
        lr: learning rate of the last step.
        train_loss: mean loss over the epoch's batches.
        train_psnr: PSNR in dB of the mean squared error over the epoch's batches, recursion counts as drawn.
        validation_psnr, validation_ssim: means over the validation images at the test counts; dB and 1.
        stage_evaluations: mean number of stage applications per step, as drawn.
    """

    epoch: int
    step: int
    samples: int
    seconds: float
    timestamp: int
    lr: float
    train_loss: float
    train_psnr: float
    validation_psnr: float
    validation_ssim: float
    stage_evaluations: float


@dataclass(frozen=True, kw_only=True, order=True)
class Score:
    """One quality value (scores.csv). Holds no wall times: equal trials give equal files, byte for byte.

    Attributes:
        checkpoint: "best" (highest validation PSNR) or "last".
        split: "train", "validation" or "test".
        dataset: name of the data set.
        unit: "image" (whole-image reconstruction) or "block" (block by block; all blocks of a set are pooled).
        image: file name, or "all" where blocks are pooled.
        ratio: sampling ratio M/N asked for.
        recursions: stage applications in all; 0 is the linear or adjoint initial estimate, without any network.
        matrix: name of the sampling matrix.
        metric: "psnr" (dB) or "ssim".
        protocol: hash of the measurement and scoring protocol, whose record is among the facts of run.json; rows of different
            protocols are never mixed.
    """

    checkpoint: str
    split: str
    dataset: str
    unit: str
    image: str
    ratio: float
    recursions: int
    matrix: str
    metric: str
    value: float
    protocol: str


@dataclass(frozen=True, kw_only=True)
class Trace:
    """The state of one test reconstruction after one stage application (traces.csv), best checkpoint.

    Attributes:
        dataset, image, ratio, matrix: as in `Score`.
        recursions: stage applications of the whole pass.
        application: t = 0 (the initial estimate), 1, ..., recursions.
        layer: 1, 2, ... of the stage that was applied; 0 at t = 0.
        psnr: of the estimate, in dB.
        residual: ||A x - y|| / ||y||; nan where nothing but zeros was measured (a black image).
        step: gradient step size of the application; nan at t = 0.
        scale_mean, scale_max: of the absolute modulation scales of the application; nan where there are none.
    """

    dataset: str
    image: str
    ratio: float
    matrix: str
    recursions: int
    application: int
    layer: int
    psnr: float
    residual: float
    step: float
    scale_mean: float
    scale_max: float


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One duration or rate (timing.csv), measured on the machine named in run.json.

    Attributes:
        name: "train_seconds" (s), "step_milliseconds" (ms), "stage_evaluations_per_step" (1), "images_per_second" (1/s).
        value, unit: the measurement.
        detail: what it was measured on.
    """

    name: str
    value: float
    unit: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class SystemSample:
    """Load of the trial's process (system.csv): CPU in percent of one core, memory in MiB, GPU memory in MiB."""

    timestamp: int
    cpu_percent: float
    memory_mib: float
    gpu_memory_mib: float


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One stretch of running a trial: a start or a resume, on one machine.

    Attributes:
        gpus: share of the machine's GPUs that it held: 0.25 where four trials share one.
        run: names the command that started it; empty without Ray.
        alone: whether no other trial was to use the device.
        recompute: whether activations were computed once more for the backward pass instead of kept.
        code: hash of the code of its network.
        outcome: how it ended. "preempted": told to end (SIGTERM) or lost with its node; "died": its process ended without a
            word, by kill -9 for instance. Both are known only once somebody looks at the trial again.
    """

    started: str
    host: str
    device: str
    threads: int
    versions: dict[str, str]
    revision: str
    resumed_at_epoch: int
    ended: str | None = None
    gpus: float = 0.0
    run: str = ""
    alone: bool = True
    recompute: bool = False
    code: str = ""
    outcome: Outcome = "running"

    @property
    def place(self) -> str:
        """The kind of device with the threads, which times depend on."""
        return f"{self.device}, {self.threads} threads"


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """Where a trial stands (run.json).

    Attributes:
        status: only "complete" counts as done.
        reason: why it stopped or failed; empty otherwise.
        facts: peak memory; of a trial that diverged in training "non_finite", its place; of one that took its training over
            "trained_in", the trial that did it, and of one that took scores over "scored_in", the trials that have them; of a
            complete one also parameters, best epoch, training blocks, subset hash, and the protocols of its scores with the DC
            gain of the test matrices.
    """

    fingerprint: str
    status: Status
    reason: str = ""
    attempts: tuple[Attempt, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def diverged(self) -> bool:
        """Whether it failed for a reason that trying again would meet again."""
        return self.status == "failed" and bool(self.attempts) and self.attempts[-1].outcome == "diverged"

    @property
    def stopped_early(self) -> bool:
        """Whether the rule of a search has ended it, and nobody has gone on with it since."""
        return self.status == "stopped" and self.reason.startswith(STOPPED_EARLY)
