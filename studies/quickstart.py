"""Does recursion replace layers? A study that fits into a few minutes on two CPU cores.

Question: at equal stage evaluations, does a network of few stages applied several times reconstruct as well as one of many stages
applied once, and do random recursion counts and the RFMU help it?

Method: COAST and ISTA-Net+ with 4 stage evaluations: 4 stages once (unrolled), or 2 stages twice (recursive), then with counts
drawn from {1, 2} per batch and stage, then with the RFMU as well; each on 10 % and on all of the training blocks.

Expected (from the paper, at full size): the recursive networks come close to the unrolled ones with a fraction of the parameters,
lose less with little data, and train faster with random counts. At this size differences may well be undecided.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rdun.arms import vary
from rdun.config import (
    BlockSensingTask,
    CoastConfig,
    Fixed,
    IstaNetPlusConfig,
    OptimConfig,
    Rfmu,
    TrialConfig,
    UniformRange,
    with_values,
)
from rdun.study import Arm, Claim, Study
from studies.base import FAST, PHOTOGRAPHS

CHANNELS = 8
STEPS_PER_EPOCH, EPOCHS, BATCH = 150, 4, 8

RANDOM = UniformRange(low=(1,), high=(2,))
VARIANTS: dict[str, dict[str, Any]] = {
    "unrolled": {"model.layers": 4},
    "recursive": {"model.layers": 2, "recursion.train": Fixed(counts=(2,))},
    "recursive, random": {"model.layers": 2, "recursion.train": RANDOM},
    "recursive, random, RFMU": {
        "model.layers": 2,
        "recursion.train": RANDOM,
        "recursion.modulation": Rfmu(inputs=("total", "current"), start="identity"),
    },
}
SYSTEMS: dict[str, dict[str, Any]] = {
    "COAST": {"model": CoastConfig(channels=CHANNELS)},
    "ISTA-Net+": {"model": IstaNetPlusConfig(channels=CHANNELS)},
}
DATA: dict[str, dict[str, Any]] = {"10 %": {"data.fraction": 0.1}, "100 %": {"data.fraction": 1.0}}


def base() -> TrialConfig:
    """One ratio, one matrix, narrow networks, few steps."""
    return TrialConfig(
        task=BlockSensingTask(ratios=(0.25,), matrices=1, test_matrices="seen"),
        data=replace(PHOTOGRAPHS, epoch_samples=STEPS_PER_EPOCH * BATCH),
        optim=OptimConfig(batch=BATCH, epochs=EPOCHS),
    )


def study() -> Study:
    """The arms: 2 systems x 4 variants x 2 training-set sizes."""
    arms = []
    for factors, config in vary(base(), {"system": SYSTEMS, "variant": VARIANTS, "data": DATA}):
        system, variant, data = factors.values()
        config = with_values(config, FAST)
        compare_to = None if variant == "unrolled" else _name(system, "unrolled", data)
        factors = factors | {"data": f"{data} of the data"}
        arms.append(Arm(name=_name(system, variant, data), configs=(config,), factors=factors, compare_to=compare_to))
    return Study(
        name="quickstart",
        title="Does recursion replace layers?",
        question="At equal stage evaluations, does applying 2 stages twice reconstruct as well as 4 stages applied once, "
        "and do random recursion counts and the RFMU help?",
        method=f"COAST and ISTA-Net+ with {CHANNELS} channels and 4 stage evaluations recover 33x33 blocks from 25 % Gaussian "
        "measurements. Every arm starts from the linear estimate of its own training subset and takes "
        f"{STEPS_PER_EPOCH * EPOCHS} Adam steps of {BATCH} blocks with the same sampling matrix, data order and budget; the "
        "checkpoint with the best validation PSNR is reported on four test photographs.",
        expectation="The paper finds, at full size, that recursive networks come close to unrolled ones with a fraction of the "
        "parameters, lose less when data are few, and train faster with random counts.",
        scale=f"This is a very small study: {CHANNELS} channels instead of 32, {STEPS_PER_EPOCH * EPOCHS} steps instead of about "
        "550,000, one ratio, one matrix, four test photographs. "
        "The recipe was chosen with the test photographs in view, so gains over the initial estimate are optimistic. It shows "
        "how a study works; it does not test the paper.",
        arms=tuple(arms),
        seeds=(0, 1),
        claims=tuple(
            Claim(
                text=f"{system}, {data} of the data: recursive, random, RFMU is at most 0.1 dB behind unrolled",
                arm=_name(system, "recursive, random, RFMU", data),
                versus=_name(system, "unrolled", data),
                at_least=-0.1,
            )
            for system in SYSTEMS
            for data in DATA
        ),
    )


def _name(system: str, variant: str, data: str) -> str:
    return f"{system} {variant}, {data}"
