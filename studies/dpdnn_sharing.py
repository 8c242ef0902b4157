"""DPDNN shares one denoiser over all its iterations. Would several do better?

Question: six iterations of DPDNN with one, two, three and six denoisers, each iteration with step sizes of its own.

Expected: its authors train one shared denoiser; they did not publish the comparison for compressive sensing.
"""

from __future__ import annotations

from rdun.config import Fixed, TrialConfig, with_values
from rdun.study import Arm, Claim, Study
from studies.base import DPDNN, Scale, pocket, pocket_note

SPLITS = ((1, 6), (2, 3), (3, 2), (6, 1))
STEPS = 1000


def study(scale: Scale = "pocket") -> Study:
    """One arm per number of denoisers, each compared with the shared one."""
    shared = _name(*SPLITS[0])
    return Study(
        name=f"dpdnn-sharing-{scale}",
        title="DPDNN with one shared denoiser and with several",
        question="DPDNN shares one denoiser over all its iterations: would several do better?",
        method="Block compressive sensing with DPDNN's six iterations, as L denoisers applied R times each, L x R = 6. "
        "Step sizes are separate in every iteration.",
        expectation="Not published for compressive sensing by its authors. Two later papers trained the shared one and disagree: "
        "24.26 and 24.81 dB on BSD68 at 10 % (the tables of COAST and of ISTA-Net++). More denoisers can only fit the training "
        "blocks better.",
        scale=pocket_note(STEPS, full=64)
        if scale == "pocket"
        else "The network is the authors'; its training for compressive sensing is ours: T91 blocks, Adam at 1e-4, 200 epochs.",
        arms=tuple(
            Arm(
                name=_name(layers, recursions),
                configs=(_config(scale, layers, recursions),),
                factors={"denoisers": _name(layers, recursions)},
                compare_to=None if layers == 1 else shared,
            )
            for layers, recursions in SPLITS
        ),
        claims=tuple(
            Claim(
                text=f"{layers} denoisers are at most 0.2 dB better than the shared one",
                arm=shared,
                versus=_name(layers, recursions),
                at_least=-0.2,
            )
            for layers, recursions in SPLITS[1:]
        ),
    )


def _config(scale: Scale, layers: int, recursions: int) -> TrialConfig:
    config = with_values(DPDNN, {"model.layers": layers, "recursion.train": Fixed(counts=(recursions,))})
    return config if scale == "full" else pocket(config, STEPS)


def _name(layers: int, recursions: int) -> str:
    return "one shared" if layers == 1 else f"{layers}, {recursions} times each" if recursions > 1 else f"{layers}"
