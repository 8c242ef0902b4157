"""How many recursions per layer pay, and does that hang on how counts are drawn?

Question: a fixed number of layers, each applied up to R times, for R = 1 to 8, trained anew for each R: with counts from
{1, ..., R}, as the paper does, and with R itself in every pass.

Expected: the paper's text says that returns diminish; its numbers are not available. By the authors' stored validation curves
COAST 5x4 without RFMU is 1.78 dB above 5x1 on Set11 at 10 %.
"""

from __future__ import annotations

from rdun.config import Fixed, Schedule, TrialConfig, UniformRange, with_values
from rdun.study import Arm, Claim, Study
from studies.base import COAST, FULL_NOTE, Scale, pocket, pocket_note

DRAWN: dict[Scale, tuple[int, ...]] = {"full": (1, 2, 3, 4, 5, 6, 7, 8), "pocket": (1, 2, 3, 4, 6, 8)}
FIXED: dict[Scale, tuple[int, ...]] = {"full": (4, 8), "pocket": (2, 3, 4, 6, 8)}
STEPS = 2000


def study(scale: Scale = "pocket") -> Study:
    """One arm per R and way of counting, each compared with R = 1."""
    schedules: dict[str, Schedule] = {_drawn(r): UniformRange(low=(1,), high=(r,)) for r in DRAWN[scale]}
    schedules |= {_fixed(r): Fixed(counts=(r,)) for r in FIXED[scale]}
    base = _drawn(1)
    arms = [
        Arm(
            name=name,
            configs=(_config(scale, schedule),),
            factors={"recursions": name},
            compare_to=None if name == base else base,
        )
        for name, schedule in schedules.items()
    ]
    return Study(
        name=f"recursions-per-layer-{scale}",
        title="Recursions per layer",
        question="How many recursions per layer pay, and does that hang on how counts are drawn?",
        method="COAST with a fixed number of layers and no RFMU, each layer applied up to R times. Counts are drawn from "
        "{1, ..., R} in training, or are R in every pass (fixed); in the test they are R. Parameters are equal, stage "
        "applications are not.",
        expectation="Quality rises with R and returns diminish; the paper says so, its numbers were not available. By the "
        "authors' stored validation curves (Set11 at 10 %), 5x4 without RFMU is 1.78 dB above 5x1.",
        scale=FULL_NOTE if scale == "full" else pocket_note(STEPS),
        arms=tuple(arms),
        seeds=(0, 1, 2) if scale == "full" else (0, 1),
        claims=(
            Claim(text="Four recursions per layer are better than one", arm=_drawn(4), versus=base),
            Claim(text="Eight recursions per layer are at least as good as four", arm=_drawn(8), versus=_drawn(4)),
            Claim(
                text="Eight recursions per layer are at least as good as four where counts are fixed",
                arm=_fixed(8),
                versus=_fixed(4),
            ),
        ),
    )


def _config(scale: Scale, schedule: Schedule) -> TrialConfig:
    config = with_values(COAST, {"recursion.train": schedule, "model.layers": 5 if scale == "full" else 2})
    return config if scale == "full" else pocket(config, STEPS)


def _drawn(recursions: int) -> str:
    return f"R = {recursions}"


def _fixed(recursions: int) -> str:
    return f"R = {recursions}, fixed"
