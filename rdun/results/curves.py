"""What a trial has reached on the way."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rdun.results.records import EpochRecord


def reached(epochs: Iterable[EpochRecord], quantity: str) -> list[float]:
    """A validation quality at the best epoch by validation PSNR so far, after each epoch: what stopping there would give.

    An epoch whose PSNR is not finite is never the best; before the first one that is finite, nothing is reached: NaN.
    """
    found: list[float] = []
    highest, value = -math.inf, math.nan
    for record in epochs:
        if math.isfinite(record.validation_psnr) and record.validation_psnr > highest:
            highest, value = record.validation_psnr, float(getattr(record, quantity))
        found.append(value)
    return found
