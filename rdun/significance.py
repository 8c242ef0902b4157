"""What a number of seeds can show at most. Standard library only: the planner warns by it, the report repeats it."""

from __future__ import annotations

import math

LEVEL = 0.05


def smallest_exact_p(n: int) -> float:
    """The smallest two-sided p-value that n pairs can reach in an exact sign-flip or Wilcoxon test: 2 / 2^n."""
    return 2.0 / 2.0**n if n > 0 else 1.0


def seeds_needed(comparisons: int = 1, level: float = LEVEL) -> int:
    """Seeds with which an exact test can fall below `level` after Holm's correction: 2 m / 2^n < level."""
    return math.floor(math.log2(2 * max(1, comparisons) / level)) + 1


def seeds_warning(seeds: int, comparisons: int) -> str:
    """What so few seeds cannot show; empty if they are enough, or if nothing is compared."""
    if not comparisons or seeds >= (needed := seeds_needed(comparisons)):
        return ""
    if seeds == 1:
        return (
            f"1 seed gives no interval and no p-value, so no comparison can be decided: 2 seeds give a t-interval, {needed} "
            f"an exact test{_of(comparisons)}"
        )
    lowest = min(1.0, comparisons * smallest_exact_p(seeds))
    return (
        f"{seeds} seeds cannot reach significance in an exact paired test (p is at least {lowest:.3g}{_of(comparisons)}); "
        f"{needed} seeds can. The report's t-intervals, which assume normal differences, can still decide"
    )


def _of(comparisons: int) -> str:
    return f" with Holm's correction for {comparisons} comparisons" if comparisons > 1 else ""
