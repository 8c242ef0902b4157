"""What a trial has reached on the way."""

from __future__ import annotations

from collections.abc import Iterable

from rdun.results.records import EpochRecord


def reached(epochs: Iterable[EpochRecord], quantity: str) -> list[float]:
    """A validation quality at the best epoch by validation PSNR so far, after each epoch: what stopping there would give."""
    found: list[float] = []
    best: EpochRecord | None = None
    for record in epochs:
        best = record if best is None or record.validation_psnr > best.validation_psnr else best
        found.append(float(getattr(best, quantity)))
    return found
