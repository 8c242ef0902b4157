"""Arms that are compared at unequal costs: not refused, since some questions are about costs, but never unsaid."""

from __future__ import annotations

from rdun.results import PlanRecord, relative_costs, times

NAMED = 2
"""Comparisons that a line names."""


def unequal_costs(record: PlanRecord) -> list[str]:
    """A line per kind of cost in which arms differ from those that they, or claims, are compared with."""
    arms = {arm.name: arm for arm in record.arms}
    pairs = [(arm.name, arm.compare_to) for arm in record.arms] + [p for c in record.claims for p in c.pairs]
    found: dict[str, dict[str, float]] = {}
    compared = dict.fromkeys((arm, base) for arm, base in pairs if base is not None and arm != base)
    for arm, base in compared:
        for name, ratio in relative_costs(arms[arm], arms[base]).items():
            found.setdefault(name, {})[f"{arm} {times(ratio, ratio)} of {base}"] = ratio
    return [_line(name, ratios, len(compared)) for name, ratios in found.items()]


def _line(name: str, ratios: dict[str, float], compared: int) -> str:
    named = "; ".join(list(ratios)[:NAMED])
    rest = f"; and {len(ratios) - NAMED} more" if len(ratios) > NAMED else ""
    spread = f" ({times(min(ratios.values()), max(ratios.values()))})" if rest else ""
    return f"Unequal {name} in {len(ratios)} of {compared} comparisons{spread}: {named}{rest}"
