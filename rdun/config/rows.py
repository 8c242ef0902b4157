"""How many measurements a sampling ratio means."""

from __future__ import annotations

ROWS = {  # measurements of a 33x33 block in the ISTA-Net authors' matrices, by ratio in percent
    "ista-net": {1: 10, 4: 43, 10: 109, 20: 218, 25: 272, 30: 327, 40: 436, 50: 545},
}


def row_count(ratio: float, pixels: int, rule: str) -> int:
    """Measurements M of a block of N pixels: "r-coast" rounds N r (halves to even); "ista-net" is a table for N = 1089.

    Raises:
        ValueError: the rule does not cover this ratio or block.
    """
    if rule == "r-coast":
        return max(1, round(pixels * ratio))
    table = ROWS[rule]
    percent = round(ratio * 100, 6)
    if pixels != 1089 or percent not in table:
        known = ", ".join(f"{p / 100:g}" for p in table)
        raise ValueError(
            f"task.ratios={ratio} with {pixels} pixels per block has no entry in task.rows={rule!r}; "
            f"use 33x33 blocks with one of {known}, or task.rows='r-coast'"
        )
    return table[int(percent)]
