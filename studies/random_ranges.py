"""From which range should recursion counts be drawn in training?

Question: the same network, tested with the same counts R per layer, trained with fixed counts, with counts from {1, ..., R}, from
narrower and wider ranges, and with ranges that differ in the first or the last layer.

Expected: counts from {1, ..., R} save 37.5 % of the stage applications at R = 4. What the range does to quality:
the paper's ablations were not available.
"""

from __future__ import annotations

from rdun.config import Fixed, Schedule, TrialConfig, UniformRange, with_values
from rdun.study import Arm, Claim, Study
from studies.base import COAST, FULL_NOTE, Scale, pocket, pocket_note

R = 4
STEPS = 1200
FIXED, PAPER = f"fixed {R}", f"1 to {R}"


def study(scale: Scale = "pocket") -> Study:
    """One arm per range, each compared with fixed counts."""
    layers = 5 if scale == "full" else 3
    arms = [
        Arm(
            name=name,
            configs=(_config(scale, layers, schedule),),
            factors={"counts in training": name},
            compare_to=None if name == FIXED else FIXED,
        )
        for name, schedule in _schedules(layers).items()
    ]
    return Study(
        name=f"random-ranges-{scale}",
        title="Ranges of random recursion counts",
        question="From which range should recursion counts be drawn in training?",
        method=f"Recursive COAST of {layers} layers without RFMU, tested with {R} applications of each layer; in training "
        "the count of every layer is drawn anew for each batch from the range that names the arm.",
        expectation="Random counts save training time; the paper's ablations, which may tell what they cost, were not available.",
        scale=FULL_NOTE if scale == "full" else pocket_note(STEPS),
        arms=tuple(arms),
        seeds=(0, 1, 2) if scale == "full" else (0, 1),
        claims=(
            Claim(
                text=f"Counts from 1 to {R} are at most 0.1 dB behind fixed ones",
                arm=PAPER,
                versus=FIXED,
                at_least=-0.1,
            ),
        ),
    )


def _schedules(layers: int) -> dict[str, Schedule]:
    rest = layers - 1
    return {
        FIXED: Fixed(counts=(R,)),
        PAPER: UniformRange(low=(1,), high=(R,)),
        f"2 to {R}": UniformRange(low=(2,), high=(R,)),
        f"2 to {R + 2}": UniformRange(low=(2,), high=(R + 2,)),
        f"1 to {2 * R - 1}": UniformRange(low=(1,), high=(2 * R - 1,)),
        f"first layer 1 to {R}": UniformRange(low=(1, *(R,) * rest), high=(R,)),
        f"last layer 1 to {R}": UniformRange(low=(*(R,) * rest, 1), high=(R,)),
    }


def _config(scale: Scale, layers: int, schedule: Schedule) -> TrialConfig:
    changes = {
        "model.layers": layers,
        "recursion.train": schedule,
        "recursion.test": Fixed(counts=(R,)),
    }
    config = with_values(COAST, changes)
    return config if scale == "full" else pocket(config, STEPS)
