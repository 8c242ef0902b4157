"""How should stage applications be split into layers and recursions?

Question: networks of L layers applied R times each with L x R constant, from all different to all shared.

Expected: fewer layers mean fewer parameters and a little less quality; the paper's ablations, which
may tell where the loss begins, were not available.
"""

from __future__ import annotations

from rdun.config import Fixed, TrialConfig, UniformRange, with_values
from rdun.study import Arm, Claim, Study
from studies.base import COAST, FULL_NOTE, Scale, pocket, pocket_note

SPLITS: dict[Scale, tuple[tuple[int, int], ...]] = {
    "full": ((20, 1), (10, 2), (5, 4), (4, 5), (2, 10), (1, 20)),
    "pocket": ((8, 1), (4, 2), (2, 4), (1, 8)),
}


def study(scale: Scale = "pocket") -> Study:
    """One arm per split with fixed counts, and one with random counts; each compared with the unrolled network."""
    splits = SPLITS[scale]
    base = _name(*splits[0], random=False)
    arms = [
        Arm(
            name=_name(layers, recursions, random=random),
            configs=(_config(scale, layers, recursions, random=random),),
            factors={"split": f"{layers}x{recursions}", "counts": "random" if random else "fixed"},
            compare_to=None if recursions == 1 else base,
        )
        for layers, recursions in splits
        for random in ([False] if recursions == 1 else [False, True])
    ]
    unrolled = splits[0][0]
    return Study(
        name=f"equal-evaluations-{scale}",
        title=f"Layers and recursions at {unrolled} stage applications",
        question="How should stage applications be split into layers and recursions?",
        method=f"COAST without RFMU and with {unrolled} stage applications in the test, as L layers applied R times; "
        "in training the counts are R, or drawn from {1, ..., R}.",
        expectation="Parameters fall with the number of layers; the paper's 5x4 loses 0.13 dB to 20x1 with the RFMU. "
        "Its ablations, which may tell where the loss begins, were not available.",
        scale=FULL_NOTE if scale == "full" else pocket_note(),
        arms=tuple(arms),
        claims=tuple(
            Claim(
                text=f"{layers}x{recursions} with fixed counts is at most 0.2 dB behind {splits[0][0]}x1",
                arm=_name(layers, recursions, random=False),
                versus=base,
                at_least=-0.2,
            )
            for layers, recursions in splits[1:]
        ),
    )


def _config(scale: Scale, layers: int, recursions: int, *, random: bool) -> TrialConfig:
    train = UniformRange(low=(1,), high=(recursions,)) if random else Fixed(counts=(recursions,))
    changes = {"model.layers": layers, "recursion.train": train}
    config = with_values(COAST, changes)
    return config if scale == "full" else pocket(config)


def _name(layers: int, recursions: int, *, random: bool) -> str:
    return f"{layers}x{recursions}" + (", random" if random else "")
