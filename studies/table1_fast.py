"""Do the paper's recursive networks stand beside the unrolled ones at their full size, after a short training by a fast recipe?

Question: ISTA-Net+ 9x1 against recursive 3x3 at 10 %, and COAST 20x1 against recursive 5x4, at their published sizes, with a
hundredth of the published training samples and less.

Expected (published, after 17.8 and 35.6 million samples): BSD68 at 10 %, ISTA-Net+ 25.18 and recursive 25.31 dB; over five
ratios, COAST 30.71 and recursive 30.58 dB.
"""

from __future__ import annotations

from rdun.config import with_values
from rdun.study import Arm, Study
from studies.base import (
    BLOCKS,
    COAST,
    FAST_BATCH,
    ISTA_NET_PLUS,
    R_COAST,
    R_ISTA_NET_PLUS,
    fast_at_full_size,
    near_unrolled,
)

SAMPLES = 2 * BLOCKS
"""A tenth of 20 epochs of the authors, as in `samples_to_quality`."""
PAIRS = {
    "ISTA-Net+": (ISTA_NET_PLUS, with_values(R_ISTA_NET_PLUS, {"recursion.modulation.start": "identity"})),
    "COAST": (COAST, R_COAST),
}
TESTS = {"ISTA-Net+": ("set11", "bsd68"), "COAST": ("set11",)}
VARIANTS = ("unrolled", "recursive")


def study() -> Study:
    """An hour of a core for each ISTA-Net+, hours of two for each COAST (`--set resources.threads=2`), minutes of a GPU."""
    arms = [
        Arm(
            name=f"{system} {variant}",
            configs=(fast_at_full_size(config, SAMPLES, TESTS[system]),),
            factors={"system": system, "variant": variant},
            compare_to=None if variant == VARIANTS[0] else f"{system} {VARIANTS[0]}",
        )
        for system, pair in PAIRS.items()
        for variant, config in zip(VARIANTS, pair, strict=True)
    ]
    return Study(
        name="table1-fast",
        title="Unrolled and recursive networks at full size, after a short training",
        question="Do recursive networks stand beside the unrolled ones at full size, after a short training by a fast recipe?",
        method="The networks of the paper's Table 1 at their published sizes, on all blocks of T91: COAST for five ratios, "
        f"ISTA-Net+ for 10 % alone. The fast recipe with {SAMPLES:,} samples instead of 17.8 (ISTA-Net+) and 35.6 million: the "
        "linear estimate, stages that start as plain gradient steps, a rate of 1e-3 that falls to zero by a cosine after a "
        f"warm-up, {FAST_BATCH} blocks per step, gradients of a norm of at most 0.05. Both networks of a pair see the same "
        "blocks in the same order; recursive ones draw their counts anew for every batch and have the RFMU, in R-ISTA-Net+ with "
        "scales that start at one.",
        expectation="Not published for so few samples. After all of them, on BSD68: ISTA-Net+ 25.18 and recursive 25.31 dB at "
        "10 %; COAST 30.71 and recursive 30.58 dB on average over five ratios.",
        scale="Networks, training blocks and protocol are the paper's; the recipe and the number of steps are not. One seed: the "
        "spread over trainings is unknown.",
        arms=tuple(arms),
        seeds=(0,),
        claims=tuple(near_unrolled(system, f"{system} recursive", f"{system} unrolled") for system in PAIRS),
    )
