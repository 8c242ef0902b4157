"""How many recursions per layer pay?

Question: a fixed number of layers, each applied up to R times, for R = 1 to 8, trained anew for each R with counts from
{1, ..., R}.

Expected: the paper's text says that returns diminish; its numbers are not available. By the authors' stored validation curves
COAST 5x4 without RFMU is 1.78 dB above 5x1 on Set11 at 10 %.
"""

from __future__ import annotations

from rdun.config import TrialConfig, UniformRange, with_values
from rdun.study import Arm, Claim, Study
from studies.base import COAST, FULL_NOTE, Scale, pocket, pocket_note

RECURSIONS: dict[Scale, tuple[int, ...]] = {"full": (1, 2, 3, 4, 5, 6, 7, 8), "pocket": (1, 2, 3, 4, 6, 8)}
STEPS = 2000


def study(scale: Scale = "pocket") -> Study:
    """One arm per R, each compared with R = 1."""
    arms = [
        Arm(
            name=_name(recursions),
            configs=(_config(scale, recursions),),
            factors={"recursions": _name(recursions)},
            compare_to=None if recursions == 1 else _name(1),
        )
        for recursions in RECURSIONS[scale]
    ]
    return Study(
        name=f"recursions-per-layer-{scale}",
        title="Recursions per layer",
        question="How many recursions per layer pay?",
        method="COAST with a fixed number of layers and no RFMU, each layer applied up to R times; counts are drawn from "
        "{1, ..., R} in training and are R in the test. Parameters are equal, stage applications are not.",
        expectation="Quality rises with R and returns diminish. By the authors' stored curves, 5x4 is 1.78 dB above 5x1.",
        scale=FULL_NOTE if scale == "full" else pocket_note(STEPS),
        arms=tuple(arms),
        seeds=(0, 1, 2) if scale == "full" else (0, 1),
        claims=(
            Claim(text="Four recursions per layer are better than one", arm=_name(4), versus=_name(1)),
            Claim(text="Eight recursions per layer are at least as good as four", arm=_name(8), versus=_name(4)),
        ),
    )


def _config(scale: Scale, recursions: int) -> TrialConfig:
    changes = {
        "recursion.train": UniformRange(low=(1,), high=(recursions,)),
        "model.layers": 5 if scale == "full" else 2,
    }
    config = with_values(COAST, changes)
    return config if scale == "full" else pocket(config, STEPS)


def _name(recursions: int) -> str:
    return f"R = {recursions}"
