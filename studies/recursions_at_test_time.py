"""What happens when a network is applied more or less often than it was trained for, and why?

Question: one checkpoint, tested with k = 1 to 8 recursions per layer. Networks with the RFMU are also tested with its inputs held
to what training has seen.

Expected: the published R-COAST 5x4 falls from 28.5 dB at k = 4 to 6.9 dB at k = 8 on Set11 at 10 %; the one without RFMU loses
0.2 dB. The RFMU is told T/T_max and t/T_max, which are at most 1 in training and reach 2 at k = 8.
"""

from __future__ import annotations

from dataclasses import replace

from rdun.config import (
    BlockSensingTask,
    DataConfig,
    NoModulation,
    OptimConfig,
    RatioScale,
    Rfmu,
    TrialConfig,
    with_values,
)
from rdun.study import Arm, Claim, Study
from studies.base import R_COAST, Scale, pocket, pocket_note

SWEEP = (1, 2, 3, 4, 5, 6, 7, 8)
RFMU, CLAMPED, UNSCALED = "RFMU", "RFMU, inputs at most 1", "without RFMU"
BASES = {UNSCALED: None, RFMU: UNSCALED, CLAMPED: RFMU}  # the clamped one is the same at the trained counts


def study(scale: Scale = "pocket") -> Study:
    """Pocket: networks of our own. Full: the published checkpoints as they are, on Set11 at 10 %."""
    networks = _published() if scale == "full" else _own()
    return Study(
        name=f"recursions-at-test-time-{scale}",
        title="More and fewer recursions than in training",
        question="What happens when a network is applied more or less often than it was trained for, and why?",
        method="Each checkpoint is tested with 1 to 8 recursions per layer; it was trained with 1 to 4. The second RFMU network "
        "has the same settings, but its inputs T/T_max and t/T_max are held to at most 1, the largest value of training.",
        expectation="Tested here, the published R-COAST falls from 28.5 dB at 4 recursions per layer to 6.9 at 8, the one "
        "without RFMU by 0.2 dB (Set11 at 10 %).",
        scale="The published checkpoints, tested as they are; the spread over seeds is unknown, since there is one of each."
        if scale == "full"
        else pocket_note(),
        arms=tuple(
            Arm(
                name=name,
                configs=(config,),
                factors={"network": name},
                compare_to=BASES[name],
            )
            for name, config in networks.items()
        ),
        seeds=(0,) if scale == "full" else (0, 1, 2),
        claims=(Claim(text="The RFMU gains at the trained number of recursions", arm=RFMU, versus=UNSCALED),)
        if scale == "pocket"
        else (),
    )


def _published() -> dict[str, TrialConfig]:
    rfmu = TrialConfig(
        task=BlockSensingTask(ratios=(0.1,)),
        model=R_COAST.model,
        recursion=replace(R_COAST.recursion, sweep=SWEEP),
        data=DataConfig(test=("set11",)),
        optim=OptimConfig(epochs=0),
        precision="fp32",
        weights="r_coast_5x4.pkl",
    )
    return {
        UNSCALED: with_values(rfmu, {"weights": "coast_5x4_no_rfmu.pkl", "recursion.modulation": RatioScale()}),
        RFMU: rfmu,
        CLAMPED: with_values(rfmu, {"recursion.modulation.beyond": "clamp"}),
    }


def _own() -> dict[str, TrialConfig]:
    base = pocket(with_values(R_COAST, {"model.layers": 2, "recursion.sweep": SWEEP}))
    rfmu = Rfmu(inputs=("total", "current"), start="identity")
    return {
        UNSCALED: with_values(base, {"recursion.modulation": NoModulation()}),
        RFMU: with_values(base, {"recursion.modulation": rfmu}),
        CLAMPED: with_values(base, {"recursion.modulation": replace(rfmu, beyond="clamp")}),
    }
