"""A search of seconds, as a user would write one in a file of their own. IMAGES names the folder of its pictures."""

from __future__ import annotations

import os
from typing import Any

from rdun.config import (
    BlockSensingTask,
    CoastConfig,
    DataConfig,
    Fixed,
    OptimConfig,
    TrialConfig,
    UniformRange,
    with_values,
)
from rdun.search import Choice, Constraint, Int, Objective, Search, Values


def search(**changes: Any) -> Search:
    """Layers, channels and a highest recursion count; quality against parameters, of which there are bounds."""
    images = os.environ["IMAGES"]
    base = TrialConfig(
        task=BlockSensingTask(ratios=(0.25,), block=12, matrices=2, initial="linear", ridge=1e-3),
        model=CoastConfig(layers=2, channels=4, start="identity"),
        data=DataConfig(
            train=f"{images}/train",
            validation=f"{images}/validation",
            test=(f"{images}/test",),
            stride=6,
            epoch_samples=48,
        ),
        optim=OptimConfig(lr=2e-3, batch=8, epochs=2),
        precision="fp32",
    )
    values: dict[str, Any] = {
        "name": "tiny-search",
        "title": "Tiny search",
        "question": "Does a tiny search run?",
        "method": "Random values.",
        "expectation": "It does.",
        "scale": "As small as it gets.",
        "base": base,
        "space": {"layers": Int(1, 2), "high": Int(1, 2), "model.channels": Choice((4, 8))},
        "build": build,
        "objectives": (Objective("validation_psnr", "maximize"), Objective("parameters", "minimize")),
        "constraints": (Constraint("parameters", 2500),),
        "sampler": "random",
        "trials": 4,
        "seed": 1,
        "baselines": {"unrolled": with_values(base, {"model.layers": 2, "recursion.train": Fixed(counts=(1,))})},
    }
    return Search(**(values | changes))


def build(base: TrialConfig, values: Values) -> TrialConfig:
    """Counts from 1 to `high` in every layer."""
    train = UniformRange(low=(1,), high=(values["high"],))
    changes = {"model.layers": values["layers"], "model.channels": values["model.channels"], "recursion.train": train}
    return with_values(base, changes)
