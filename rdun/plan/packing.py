"""How many trials share a GPU: as many as its memory holds, by what their training is known to take."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rdun.plan.estimate import Estimate
from rdun.plan.machine import Machine
from rdun.study import GPU_SHARE, Resources

CONTEXT_MIB = 600.0
"""What a process takes of a GPU besides its tensors: CUDA's context and libraries. An assumption, with a margin for its error."""
MARGIN = 1.15
"""Of memory, over the measured peak: a probe does not see the test images, and batches and allocations differ a little."""


@dataclass(frozen=True)
class Part:
    """What a trial takes of the GPUs.

    Attributes:
        gpus: a fraction of one, or whole ones; 0: none.
        memory_mib: what has to be free on its GPU before it begins; 0: it is not known.
        why: what decided, in words.
    """

    gpus: float = 0.0
    memory_mib: float = 0.0
    why: str = ""


def part_of(resources: Resources, machine: Machine, estimate: Estimate, trials: int) -> Part:
    """The part of a GPU for a training: what the study says, else by memory, else a quarter.

    Trials that share a GPU share its computing power too, and Ray fills one GPU before it begins the next. So there are never
    more on one than the cores can feed, and no GPU stays empty while another is shared.

    Args:
        estimate: of the training; its peak of GPU memory counts.
        trials: that are to run.
    """
    if machine.kind != "cuda":
        return Part()
    peak = estimate.gpu_memory_mib or 0.0
    if resources.gpus is not None:
        return Part(resources.gpus, peak, "as resources.gpus says")
    bounds = (
        _by_memory(peak, machine, estimate.source),
        (max(1, machine.by_cores // machine.gpus), f"as the {machine.cores} cores can feed"),
        (math.ceil(max(1, trials) / machine.gpus), "as there are trials left"),
    )
    most, why = min(bounds, key=lambda bound: bound[0])
    return Part(math.floor(10_000 / most) / 10_000, peak, why)  # Ray counts in ten-thousandths


def _by_memory(peak: float, machine: Machine, source: str) -> tuple[int, str]:
    if not peak:
        return round(1 / GPU_SHARE), "as long as nobody knows their memory; --probe measures it"
    whole = (peak + CONTEXT_MIB) * MARGIN
    fit = max(1, int(machine.gpu_memory_mib / whole))
    return fit, f"as fit its {machine.gpu_memory_mib / 1024:.1f} GiB at {whole / 1024:.1f} each ({source})"
