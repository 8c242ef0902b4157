"""What compared arms take beside one another: a difference in quality at unequal costs is not one of the method alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.frames import StudyFrames
from rdun.results import relative_costs, times

EQUAL = "Arms take as many parameters, MACs (multiply-accumulates per block), steps and samples as those they are compared with."
UNEQUAL = (
    "Costs: what the arm takes as a multiple of what the other takes, where they differ by 0.5\u00a0% or more; of parameters, "
    "MACs (multiply-accumulates per block), steps, samples and, where an arm has one per ratio, networks."
)


def costs_beside(frames: StudyFrames, pairs: Iterable[tuple[str, str]]) -> str:
    """`"parameters ×0.25, MACs ×4"`, with the range over several pairs (arm, other); empty where nothing differs."""
    found = [relative_costs(frames.records[arm], frames.records[other]) for arm, other in pairs]
    names = dict.fromkeys(name for ratios in found for name in ratios)
    values = {name: [ratios.get(name, 1.0) for ratios in found] for name in names}
    return ", ".join(f"{name} {times(min(own), max(own))}" for name, own in values.items())


def costs_caption(words: Sequence[str]) -> str:
    """What the costs of a table's lines say."""
    return UNEQUAL if any(words) else EQUAL
