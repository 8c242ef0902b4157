"""Typed starting points, one per published setting, and the named recipes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from rdun.config import (
    BlockSensingTask,
    CoastConfig,
    DataConfig,
    DpdnnConfig,
    Fixed,
    IstaNetPlusConfig,
    NoModulation,
    OptimConfig,
    RatioScale,
    RecursionConfig,
    Rfmu,
    TrialConfig,
    UniformRange,
    with_values,
)
from rdun.study import Claim

COAST = TrialConfig(
    task=BlockSensingTask(test_matrix_seeds=(0, 1, 2, 3, 4)),
    model=CoastConfig(layers=20),
    recursion=RecursionConfig(modulation=RatioScale()),
    data=DataConfig(validation_ratios=(0.1,)),
)
"""COAST 20x1 as the paper trains it: one network for five ratios, 400 epochs of Adam at 1e-4, chosen on Set11 at 10 %.

Tested with five unseen matrices per ratio: the authors' own were not published, and shallow networks differ by decibels between
matrices.
"""

R_COAST = TrialConfig(
    task=COAST.task,
    model=CoastConfig(layers=5),
    recursion=RecursionConfig(train=UniformRange(low=(1,), high=(4,)), modulation=Rfmu()),
    data=COAST.data,
)
"""The paper's recursive COAST 5x4 with random recursion counts and the RFMU."""

ISTA_NET_PLUS = TrialConfig(
    task=BlockSensingTask(ratios=(0.1,), rows="ista-net", matrices=1, test_matrices="seen", initial="linear"),
    model=IstaNetPlusConfig(layers=9),
    optim=OptimConfig(epochs=200),
    precision="fp32",
)
"""ISTA-Net+ 9x1: one network per ratio and one matrix, from the linear estimate; 200 epochs in fp32."""

R_ISTA_NET_PLUS = TrialConfig(
    task=ISTA_NET_PLUS.task,
    model=IstaNetPlusConfig(layers=3),
    recursion=RecursionConfig(train=UniformRange(low=(1,), high=(3,)), modulation=Rfmu(inputs=("total", "current"))),
    optim=ISTA_NET_PLUS.optim,
    precision="fp32",
)
"""The paper's recursive ISTA-Net+ 3x3 with two RFMUs."""

FAST = {
    "task.initial": "linear",
    "task.ridge": 3e-3,
    "model.start": "identity",
    "optim.lr": 2e-3,
    "optim.decay": "cosine",
    "optim.warmup": 20,
}
"""The `fast` recipe: every stage starts as a plain gradient step from the linear estimate, so that an untrained network is
that estimate, but for what its ridge leaves to the steps; warm-up, then a cosine to zero. Not the paper's; it shows effects in
minutes."""

FAST_EPOCHS, FAST_BATCH = 20, 16
FAST_AT_FULL_SIZE = FAST | {
    "optim.lr": 1e-3,
    "optim.warmup": 200,
    "optim.batch": FAST_BATCH,
    "optim.epochs": FAST_EPOCHS,
    "optim.clip": 0.05,
    "precision": "auto",
}
"""The same for networks of full size: smaller batches at a lower rate, and gradients of a bounded norm."""

PHOTOGRAPHS = DataConfig(
    train="photographs-train", validation="photographs-validation", test=("photographs-test",), stride=20
)
"""Photographs that come with scikit-image, split so that no scene is in two sets."""

DPDNN = TrialConfig(
    model=DpdnnConfig(layers=1),
    recursion=RecursionConfig(train=Fixed(counts=(6,))),
    optim=OptimConfig(epochs=200),
)
"""DPDNN for compressive sensing: one denoiser applied six times, with step sizes of its own each time. Its authors did not train
it for this task; the training is COAST's with half the epochs."""

Scale = Literal["pocket", "full"]
RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5)
THREE_PERCENT = {"data.fraction": 0.03, "data.epoch_samples": 88_011}
"""The paper's 3 %: 2,667 blocks, each 33 times an epoch."""

BLOCKS = 88_912
"""Training blocks of T91, as the paper cuts them: one epoch of the authors."""

FULL_NOTE = (
    "Networks, training blocks, steps and protocol are the paper's. The test matrices are random ones of our own, since "
    "the paper's were not published; mixed precision is what the device does best."
)
POCKET_CHANNELS, POCKET_BATCH, POCKET_EPOCHS = 8, 8, 5


def pocket(config: TrialConfig, steps: int = 1500) -> TrialConfig:
    """A setting cut down to one or two minutes of one CPU core.

    8 channels, one ratio and one matrix, the `fast` recipe, photographs that need no download, `steps` batches of 8 blocks.
    """
    task = BlockSensingTask(ratios=(0.25,), matrices=1, test_matrices="seen")
    small = replace(
        config,
        task=task if isinstance(config.task, BlockSensingTask) else config.task,
        data=replace(PHOTOGRAPHS, epoch_samples=steps * POCKET_BATCH // POCKET_EPOCHS),
        optim=OptimConfig(batch=POCKET_BATCH, epochs=POCKET_EPOCHS),
        precision="auto",
    )
    if isinstance(small.recursion.modulation, RatioScale):  # at one ratio it is a constant
        small = with_values(small, {"recursion.modulation": NoModulation()})
    recipe = FAST if isinstance(config.task, BlockSensingTask) else {k: v for k, v in FAST.items() if k[:5] != "task."}
    return with_values(small, recipe | {"model.channels": POCKET_CHANNELS})


def pocket_note(
    steps: int = 1500,
    *,
    channels: str = f"{POCKET_CHANNELS}",
    full: int = 32,
    measured: str = "one ratio and one matrix",
    recipe: str = ", the fast recipe instead of the paper's",
) -> str:
    """What the report says of the pocket scale.

    Args:
        channels, full: of the networks here, and of those at the full size.
        measured: ratios and matrices, or what takes their place.
    """
    return (
        f"This is the pocket scale: {channels} channels instead of {full}, {steps:,} steps of {POCKET_BATCH} blocks instead "
        f"of about 550,000 of 64, {measured}, photographs instead of T91 and BSD68{recipe}. It can show the direction of a "
        "large effect. It cannot show the paper's values, and an undecided comparison here says nothing about the full size."
    )


def fast_at_full_size(config: TrialConfig, samples: int, test: tuple[str, ...]) -> TrialConfig:
    """A published setting trained by the fast recipe with so many samples, or a few less: epochs are whole batches."""
    parts = {"data.epoch_samples": samples // (FAST_EPOCHS * FAST_BATCH) * FAST_BATCH, "data.test": test}
    return with_values(config, FAST_AT_FULL_SIZE | parts)


def near_unrolled(setting: str, recursive: str, unrolled: str) -> Claim:
    """The claim, of two arms, that recursion costs little quality in a setting."""
    text = f"{setting}: the recursive network is at most 0.2 dB behind the unrolled one"
    return Claim(text=text, arm=recursive, versus=unrolled, at_least=-0.2)


def per_ratio(config: TrialConfig, ratios: Sequence[float] = RATIOS) -> tuple[TrialConfig, ...]:
    """One network for each ratio, as the ISTA-Nets are trained."""
    return tuple(with_values(config, {"task.ratios": (ratio,)}) for ratio in ratios)
