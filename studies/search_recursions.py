"""Which layers, recursion ranges and training data give the best network for its size, for block compressive sensing?

Question: layers, the range of recursion counts of each layer, channels and the fraction of training data are searched, for
quality against parameters and multiply-accumulates.

Expected: the paper compares 5x4 with 20x1 and does not search. Few layers with wide ranges should be on the Pareto front.
"""

from __future__ import annotations

from typing import Any

from rdun.config import Fixed, with_values
from rdun.search import Choice, Constraint, Int, Objective, Search
from studies.base import COAST, FULL_NOTE, Scale, pocket, pocket_note
from studies.search_beyond_sensing import ranges, recursive

SIZES: dict[Scale, dict[str, Any]] = {
    "pocket": {"layers": 3, "recursions": 4, "channels": (4, 8), "baseline": 8, "trials": 24, "evaluations": 10},
    "full": {"layers": 6, "recursions": 8, "channels": (16, 24, 32), "baseline": 20, "trials": 60, "evaluations": 24},
}
FRACTIONS = (0.1, 0.3, 1.0)
STEPS = 300


def search(scale: Scale = "pocket") -> Search:
    """Three objectives by TPE, under a bound on the stage applications of a test."""
    size = SIZES[scale]
    base = with_values(COAST, {"recursion.modulation": {"kind": "none"}})
    base = with_values(base, {"data.epoch_samples": 88_912}) if scale == "full" else pocket(base, STEPS)
    return Search(
        name=f"search-recursions-{scale}",
        title="Search: layers, recursions and data",
        question="Which layers, recursion ranges and training data give the best network for its size?",
        method=f"COAST without RFMU. Searched are up to {size['layers']} layers, their channels, for each layer the range of its "
        f"recursion counts, up to {size['recursions']}, drawn per batch, and the fraction of training blocks, repeated so that "
        f"all trainings have equally many steps. The baseline has {size['baseline']} different layers that are applied once.",
        expectation="Not published. Few layers with wide ranges should give the baseline's quality with fewer parameters.",
        scale=FULL_NOTE if scale == "full" else pocket_note(STEPS, channels="4 or 8"),
        base=base,
        space={
            "layers": Int(1, size["layers"]),
            "model.channels": Choice(size["channels"]),
            "data.fraction": Choice(FRACTIONS),
            **ranges(size["layers"], size["recursions"]),
        },
        build=recursive,
        objectives=(
            Objective("validation_psnr", "maximize"),
            Objective("parameters", "minimize"),
            Objective("macs", "minimize"),
        ),
        constraints=(Constraint("stage_evaluations", size["evaluations"]),),
        trials=size["trials"],
        baselines={
            "unrolled": with_values(base, {"model.layers": size["baseline"], "recursion.train": Fixed(counts=(1,))}),
        },
    )
