"""Which layers, recursion ranges, training data and learning rate reconstruct best within a budget?

Question: layers, the range of recursion counts of each layer, the fraction of training data and, as a nuisance value, the
learning rate are searched for quality alone, among networks of at most so many stage applications.

Expected: not published. Recursion should win: it spends the budget on more applications without more parameters.
"""

from __future__ import annotations

from typing import Any

from rdun.config import Fixed, with_values
from rdun.search import Choice, Constraint, Int, Real, Search
from rdun.stopping import Asha
from studies.base import COAST, FULL_NOTE, POCKET_BATCH, Scale, pocket, pocket_note
from studies.search_beyond_sensing import ranges, recursive

SIZES: dict[Scale, dict[str, Any]] = {
    "pocket": {"layers": 3, "recursions": 4, "rates": (3e-4, 2e-2), "baseline": 6, "trials": 27},
    "full": {"layers": 6, "recursions": 8, "rates": (3e-5, 1e-3), "baseline": 20, "trials": 81},
}
FRACTIONS = (0.03, 0.1, 0.3, 1.0)
EPOCHS, STEPS = 9, 180


def search(scale: Scale = "pocket") -> Search:
    """One objective, random values, successive halving."""
    size = SIZES[scale]
    base = with_values(COAST, {"recursion.modulation": {"kind": "none"}})
    short = {"optim.epochs": EPOCHS, "data.epoch_samples": STEPS * POCKET_BATCH // EPOCHS}
    base = with_values(base, {"data.epoch_samples": 88_912}) if scale == "full" else with_values(pocket(base), short)
    return Search(
        name=f"search-budget-{scale}",
        title="Search: the best network within a budget",
        question="Which layers, recursion ranges, training data and learning rate reconstruct best within a budget?",
        method=f"COAST without RFMU. Searched are up to {size['layers']} layers, for each the range of its recursion counts, up "
        f"to {size['recursions']}, drawn per batch, the fraction of training blocks, repeated so that all trainings have equally "
        f"many steps, and the learning rate, among networks with at most {size['baseline']} stage applications. Trials that are "
        f"behind at equal epochs are stopped. The baseline has {size['baseline']} different layers that are applied once.",
        expectation="Not published. Recursion should win: it spends the budget on more applications without more parameters.",
        scale=FULL_NOTE if scale == "full" else pocket_note(STEPS),
        base=base,
        space={
            "layers": Int(1, size["layers"]),
            "data.fraction": Choice(FRACTIONS),
            "optim.lr": Real(low=size["rates"][0], high=size["rates"][1], log=True),
            **ranges(size["layers"], size["recursions"]),
        },
        build=recursive,
        constraints=(Constraint("stage_evaluations", size["baseline"]),),
        sampler="random",
        stopping=Asha(grace=1, reduction=3),
        trials=size["trials"],
        baselines={
            "unrolled": with_values(base, {"model.layers": size["baseline"], "recursion.train": Fixed(counts=(1,))}),
        },
    )
