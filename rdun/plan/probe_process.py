"""`python -m rdun.plan.probe_process CONFIG WORKDIR DEVICE THREADS keep|recompute`: a probe's process; prints a line of JSON."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import torch

from rdun.config import TrialConfig, from_dict
from rdun.results import EpochRecord, TrialDirectory
from rdun.trial import Circumstances, Stopped, run_trial

KIB = 1 if sys.platform == "darwin" else 1024
"""Bytes in the unit of ru_maxrss."""


def main(config: str, workdir: str, device: str, threads: str, activations: str) -> None:
    """Trains two epochs; the second one is measured."""
    run_trial(
        from_dict(TrialConfig, json.loads(Path(config).read_text())),
        workdir,
        _stop_after_two,
        device=device,
        threads=int(threads),
        circumstances=Circumstances(recompute=activations == "recompute"),
    )
    first, second = TrialDirectory(workdir).epochs()
    seconds = second.seconds - first.seconds
    gpu = torch.cuda.max_memory_reserved() / 2**20 if device == "cuda" else 0.0
    measured = {
        "step": seconds / (second.step - first.step),
        "evaluations": second.stage_evaluations,
        "epoch": max(0.0, (second.timestamp - first.timestamp) / 1000 - seconds),
        "memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB / 2**20, 1),
        "gpu_memory_mib": round(gpu, 1),
    }
    print(json.dumps(measured))


def _stop_after_two(record: EpochRecord) -> None:
    if record.epoch == 2:
        raise Stopped("after the probe")


if __name__ == "__main__":
    main(*sys.argv[1:])
