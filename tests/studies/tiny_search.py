"""A search of seconds, as a user would write one in a file of their own. IMAGES names the folder of its pictures."""

from __future__ import annotations

import os
from typing import Any

from rdun.config import Fixed, TrialConfig, UniformRange, with_values
from rdun.search import Choice, Constraint, Int, Objective, Search, Values
from tests.studies.tiny_study import study


def search(**changes: Any) -> Search:
    """Layers, channels and a highest recursion count; quality against parameters, of which there are bounds."""
    base = study().arms[0].configs[0]
    values: dict[str, Any] = {
        "name": "tiny-search",
        "title": "Tiny search",
        "question": "Does a tiny search run?",
        "method": "Random values.",
        "expectation": "It does.",
        "scale": "As small as it gets.",
        "base": with_values(base, {"optim.epochs": int(os.environ.get("EPOCHS", "2"))}),
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
