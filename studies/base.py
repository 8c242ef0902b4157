"""Typed starting points, one per published setting, and the named recipes."""

from __future__ import annotations

from rdun.config import (
    BlockSensingTask,
    CoastConfig,
    DataConfig,
    IstaNetPlusConfig,
    OptimConfig,
    RatioScale,
    RecursionConfig,
    Rfmu,
    TrialConfig,
    UniformRange,
)

COAST = TrialConfig(
    model=CoastConfig(layers=20),
    recursion=RecursionConfig(modulation=RatioScale()),
)
"""COAST 20x1 as the paper trains it: one network for five ratios, 400 epochs of Adam at 1e-4."""

R_COAST = TrialConfig(
    model=CoastConfig(layers=5),
    recursion=RecursionConfig(train=UniformRange(low=(1,), high=(4,)), modulation=Rfmu()),
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
that estimate; warm-up, then a cosine to zero. Not the paper's; it shows effects in minutes."""

PHOTOGRAPHS = DataConfig(
    train="photographs-train", validation="photographs-validation", test=("photographs-test",), stride=20
)
"""Photographs that come with scikit-image, split so that no scene is in two sets."""
