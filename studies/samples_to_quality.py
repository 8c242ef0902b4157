"""How few training samples bring R-COAST to the quality that its authors' training validated?

Question: the published network at full size, trained by the fast recipe with a tenth of the samples of the authors' first 20
epochs and of their first 50; and, with the smaller budget, with four recursions in every pass instead of one to four, which is
better where trainings are short (`training_length`).

Expected: not published. The goal is the authors' validation on Set11 at 10 % after those epochs, 26.67 and 27.71 dB
(`analysis/reference/curve.csv`).
"""

from __future__ import annotations

from rdun.config import Fixed, with_values
from rdun.study import Arm, Study
from studies.base import BLOCKS, FAST_BATCH, R_COAST, fast_at_full_size

AUTHORS = {"table": "curve", "model": "COAST", "layers": "5", "recursions": "4", "rfmu": "yes", "fraction": "1"}
DRAWN = R_COAST.recursion.train
FIXED = Fixed(counts=(4,))
ARMS = {
    "a tenth of 20 epochs": (2 * BLOCKS, DRAWN),
    "a tenth of 20 epochs, fixed counts": (2 * BLOCKS, FIXED),
    "a tenth of 50 epochs": (5 * BLOCKS, DRAWN),
}


def study() -> Study:
    """Hours of two cores each (`--set resources.threads=2` trains one after the other), minutes of a GPU."""
    arms = {
        name: with_values(fast_at_full_size(R_COAST, samples, ("set11",)), {"recursion.train": counts})
        for name, (samples, counts) in ARMS.items()
    }
    return Study(
        name="samples-to-quality",
        title="Samples to the authors' validation curve",
        question="How few training samples bring R-COAST to the quality that its authors' training validated?",
        method="R-COAST 5x4 at its published size, five ratios, all blocks of T91. The fast recipe: the linear estimate, stages "
        f"that start as plain gradient steps, a rate that falls to zero by a cosine after a warm-up; with {FAST_BATCH} blocks "
        "per step instead of 64, a rate of 1e-3 instead of 2e-3, and gradients of a norm of at most 0.05. Fixed "
        "counts: four recursions in every pass of the training instead of one to four.",
        expectation="Not published. The goal is the authors' validation PSNR on Set11 at 10 % with a tenth of their samples: "
        "26.67 dB after 20 epochs of theirs, 27.71 dB after 50.",
        scale="Networks, training blocks and protocol are the paper's; the recipe and the number of steps are not. One seed: the "
        "spread over trainings is unknown.",
        arms=tuple(
            Arm(name=name, configs=(config,), factors={"samples": name}, published=AUTHORS)
            for name, config in arms.items()
        ),
        seeds=(0,),
    )
