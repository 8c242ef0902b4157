"""Does recursion keep its parameter advantage beyond compressive sensing?

Question: the same unrolled and recursive networks for inpainting and for denoising.

Expected: not published. If recursion works because a gradient step and a denoiser repeat, it should work for any linear operator.
"""

from __future__ import annotations

from rdun.config import DenoisingTask, Fixed, InpaintingTask, TaskConfig, TrialConfig, UniformRange, with_values
from rdun.study import Arm, Study
from studies.base import COAST, Scale, near_unrolled, pocket, pocket_note

TASKS: dict[str, TaskConfig] = {
    "inpainting, 30 % observed": InpaintingTask(ratios=(0.3,)),
    "denoising, sigma 25": DenoisingTask(sigma=25.0),
}
UNROLLED, RECURSIVE, SHALLOW = "unrolled", "recursive", "as few layers, once"
SIZES: dict[Scale, tuple[int, int]] = {"full": (5, 4), "pocket": (2, 4)}
STEPS = 1200


def study(scale: Scale = "pocket") -> Study:
    """For each task the unrolled network, the recursive one, and one with as few layers and no recursion."""
    layers, recursions = SIZES[scale]
    variants = {
        UNROLLED: {"model.layers": layers * recursions, "recursion.train": Fixed(counts=(1,))},
        RECURSIVE: {"model.layers": layers, "recursion.train": UniformRange(low=(1,), high=(recursions,))},
        SHALLOW: {"model.layers": layers, "recursion.train": Fixed(counts=(1,))},
    }
    arms = [
        Arm(
            name=f"{task}: {variant}",
            configs=(_config(scale, config, changes),),
            factors={"task": task, "variant": variant},
            compare_to=None if variant == UNROLLED else f"{task}: {UNROLLED}",
        )
        for task, config in TASKS.items()
        for variant, changes in variants.items()
    ]
    return Study(
        name=f"beyond-sensing-{scale}",
        title="Recursion beyond compressive sensing",
        question="Does recursion keep its parameter advantage beyond compressive sensing?",
        method=f"COAST's stages, {layers * recursions} different ones, or {layers} applied up to {recursions} times, or {layers} "
        "applied once, recover images of which 30 % of the pixels were observed, or with Gaussian noise of 25 grey levels.",
        expectation="Not published. A gradient step and a learned correction that repeat should not depend on the operator.",
        scale=pocket_note(STEPS, measured="one setting of each task")
        if scale == "pocket"
        else "Networks and training are those of COAST and R-COAST; these tasks were not published.",
        arms=tuple(arms),
        claims=tuple(near_unrolled(task, f"{task}: {RECURSIVE}", f"{task}: {UNROLLED}") for task in TASKS),
    )


def _config(scale: Scale, task: TaskConfig, changes: dict[str, object]) -> TrialConfig:
    general = {"task": task, "recursion.modulation": {"kind": "none"}, "data.validation_ratios": ()}
    config = with_values(COAST, general | changes)
    return config if scale == "full" else pocket(config, STEPS)
