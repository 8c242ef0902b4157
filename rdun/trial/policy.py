"""What becomes of a trial that ended before its end: decided by how its attempts have ended, which run.json says.

    crash (an error, or a process that died)     from the checkpoint again, up to `retries` times in one run
    out of memory                                from the checkpoint again with twice the share of the device; alone on it: failed
    diverged                                     failed at once, the place named if there is one; trying again would repeat it
    preempted (SIGTERM, a lost node), stopped    from the checkpoint again, not counted
    no space left on the disk                    the whole run stops

None of them changes a setting: a batch is never made smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from rdun.results import Attempt, Outcome, RunInfo
from rdun.trial.admission import Admission

ALLOCATION_FAILED = (
    "DefaultCPUAllocator: can't allocate memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


class OutOfMemory(MemoryError):
    """A trial that needs more memory than its share of the device leaves it; it may go on with a larger one."""


class GivenUp(RuntimeError):
    """A trial that is not tried again in this run."""


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What the one who starts an attempt knows of it.

    Attributes:
        run: names the command that starts it; crashes are counted within one.
        retries: crashes after which the trial is still tried again; None: no count is kept.
        alone: whether no other trial uses the device.
        gpus: share of GPUs that it holds, for the record; None: one on a GPU, else none.
        before: how the attempt before ended, where its process could not say so.
        admission: the door of a device that other trials share.
        recompute: train with the memory of one stage application (`Unfolding.recompute`).
    """

    run: str = ""
    retries: int | None = None
    alone: bool = True
    gpus: float | None = None
    before: Outcome = "died"
    admission: Admission | None = None
    recompute: bool = False

    def settled(self, known: RunInfo) -> RunInfo:
        """The record with an end for the attempt before: whoever holds the lease knows that it is over."""
        *earlier, last = known.attempts or (None,)
        if last is None or last.outcome != "running":
            return known
        outcome: Outcome = (
            self.before if last.ended is None else "complete" if known.status == "complete" else "stopped"
        )
        return replace(known, attempts=(*(a for a in earlier if a), replace(last, outcome=outcome)))

    def exhausted(self, attempts: Sequence[Attempt]) -> bool:
        """Whether the trial crashed more often in this run than it may, or was killed for memory although it was alone."""
        if self.retries is None:
            return False
        ours = [a for a in attempts if a.run == self.run]
        crashes = sum(a.outcome in ("error", "died") for a in ours)
        return crashes > self.retries or any(a.alone and a.outcome == "out of memory" for a in ours)


def doublings(run: RunInfo | None) -> int:
    """How often a trial ran out of memory so far: each time doubles its share of the device, in later commands too."""
    return sum(attempt.outcome == "out of memory" for attempt in run.attempts) if run else 0


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be allocated, on a device or on the host, or the one that it followed does: of
    the capture of a CUDA graph that lacked memory, the last error only tells that it was broken off.
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, RuntimeError) and any(words in str(error) for words in ALLOCATION_FAILED):
        return True
    before = error.__cause__ or error.__context__
    return before is not None and is_out_of_memory(before)
