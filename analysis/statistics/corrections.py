"""Correction of p-values for several comparisons, and when a difference counts as decided."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from statsmodels.stats.multitest import multipletests

from rdun.significance import LEVEL


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction; unknown p-values (nan) stay unknown and do not count as tests."""
    p = np.asarray(p_values, dtype=float)
    known = ~np.isnan(p)
    if known.any():
        p[known] = multipletests(p[known], alpha=LEVEL, method="holm")[1]
    return [float(v) for v in p]


def decided(p_holm: float, boot_low: float, boot_high: float, against: float = 0.0) -> bool:
    """Whether a difference can be told from `against`: after Holm's correction of `cautious_p`, and by the bootstrap too.

    With two seeds the t-interval is sometimes very narrow by chance; asking both keeps such a coincidence undecided where single
    images disagree.
    """
    return bool(p_holm < LEVEL and (boot_low > against or boot_high < against))


def held_back(p: float, p_holm: float, boot_low: float, boot_high: float) -> bool:
    """Whether a difference would be decided if it were the only one: it is Holm's correction that leaves it undecided."""
    return decided(p, boot_low, boot_high) and not decided(p_holm, boot_low, boot_high)
