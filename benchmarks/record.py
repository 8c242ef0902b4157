"""What a benchmark measured, as CSV, with the machine, the versions, the load and the day beside it."""

from __future__ import annotations

import csv
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from rdun import monitor

_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in the unit of ru_maxrss."""


def peak_mib(device: torch.device) -> float:
    """The most memory that this process has taken so far: of PyTorch's tensors on a GPU, else resident, in MiB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT / 2**20


def write_rows(path: Path, rows: Sequence[Mapping[str, object]], device: torch.device | None = None) -> None:
    """Writes rows to `path`; a column that a row lacks stays empty.

    Args:
        device: what was measured, where it is not the processor.
    """
    versions = monitor.versions()
    where = {
        "machine": monitor.device_name(device or torch.device("cpu")),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[1], 1),  # of the last 5 minutes
        "versions": " ".join(
            f"{name} {versions[name]}" for name in ("python", "torch", "ray", "mlflow") if name in versions
        ),
        "revision": monitor.revision(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*columns, *where], lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, **where} for row in rows)
