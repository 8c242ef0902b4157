"""Traces of known shape for the trials of a synthetic study."""

from __future__ import annotations

import math
from pathlib import Path

from rdun.results import Folder, PlanRecord, Store, Trace

NAN = math.nan
COUNTS = (2, 4, 6, 10, 16, 24)


def psnr(count: int, t: int, shift: float) -> float:
    """Rises to its best at t = count, unless `count` is beyond 10: then it falls after t = 10."""
    rise = 22 + 5 * (1 - math.exp(-3 * t / count)) + shift
    return rise - 0.05 * max(t - 10, 0) ** 2


def add_traces(study: tuple[Path, Store]) -> None:
    """Writes traces.csv into every trial directory that exists."""
    folder, store = study
    for cell in PlanRecord.load(Folder(folder)).cells:
        modulated = "RFMU" in cell.arm
        for fingerprint in cell.fingerprints:
            if store.trial(fingerprint).exists("run.json"):
                traces = [
                    _trace(image, count, t, 0.1 * cell.seed, modulated=modulated)
                    for image in ("camera.png", "coins.png")
                    for count in COUNTS
                    for t in range(count + 1)
                ]
                store.trial(fingerprint).write_traces(traces)


def _trace(image: str, count: int, t: int, shift: float, *, modulated: bool) -> Trace:
    return Trace(
        dataset="photographs-test",
        image=image,
        ratio=0.25,
        matrix="gauss-s0",
        recursions=count,
        application=t,
        layer=1 if t else 0,
        psnr=psnr(count, t, shift + (1.0 if image == "coins.png" else -1.0)),
        residual=0.3 * math.exp(-2 * t / count) + 0.002 if t else 1e-8,
        step=0.5 if t else NAN,
        scale_mean=1.0 if modulated and t else NAN,
        scale_max=1.0 + 0.02 * t**2 if modulated and t else NAN,
    )
