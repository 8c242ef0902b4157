"""Does what random recursion counts cost fade as training gets longer?

Question: the same network with fixed counts and with counts from {1, ..., R}, tested with R recursions per layer, trained for
some steps and for four times as many.

Expected: the paper trains with random counts for 400 epochs; its ablations, which may tell what fixed counts give, were
not available.
"""

from __future__ import annotations

from typing import Any

from rdun.arms import grid
from rdun.config import Fixed, TrialConfig, UniformRange, with_values
from rdun.study import Claim, Study
from studies.base import COAST, FULL_NOTE, POCKET_BATCH, POCKET_EPOCHS, Scale, pocket, pocket_note

R = 4
STEPS = 1200
FIXED, DRAWN = f"fixed {R}", f"1 to {R}"
LENGTHS: dict[Scale, dict[str, dict[str, Any]]] = {
    "full": {"100 epochs": {"optim.epochs": 100}, "400 epochs": {}},
    "pocket": {
        f"{STEPS} steps": {},
        f"{4 * STEPS} steps": {"data.epoch_samples": 4 * STEPS * POCKET_BATCH // POCKET_EPOCHS},
    },
}


def study(scale: Scale = "pocket") -> Study:
    """Two lengths; in each, random counts compared with fixed ones."""
    counts: dict[str, dict[str, Any]] = {
        FIXED: {"recursion.train": Fixed(counts=(R,))},
        DRAWN: {"recursion.train": UniformRange(low=(1,), high=(R,))},
    }
    short, long = LENGTHS[scale]
    return Study(
        name=f"training-length-{scale}",
        title="Random counts and the length of training",
        question="Does what random recursion counts cost fade as training gets longer?",
        method=f"Recursive COAST without RFMU, tested with {R} applications of each layer; trained with {R} too, or with counts "
        f"drawn from {{1, ..., {R}}} for each batch, for {short} and for {long}.",
        expectation="The paper trains with random counts for 400 epochs; its ablations, which may tell what fixed counts "
        "give, were not available.",
        scale=FULL_NOTE if scale == "full" else pocket_note(4 * STEPS),
        arms=grid(
            _config(scale),
            {"counts in training": counts, "training": LENGTHS[scale]},
            base={"counts in training": FIXED},
        ),
        seeds=(0, 1, 2) if scale == "full" else (0, 1),
        claims=(
            Claim(
                text=f"Random counts lose less in {long} than in {short}",
                arm=f"{DRAWN}, {long}",
                versus=f"{FIXED}, {long}",
                beyond=(f"{DRAWN}, {short}", f"{FIXED}, {short}"),
                answers=True,
            ),
        ),
    )


def _config(scale: Scale) -> TrialConfig:
    changes = {"model.layers": 5 if scale == "full" else 3, "recursion.test": Fixed(counts=(R,))}
    config = with_values(COAST, changes)
    return config if scale == "full" else pocket(config, STEPS)
