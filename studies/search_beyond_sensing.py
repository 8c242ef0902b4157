"""How few parameters do as well as an unrolled network, for inpainting?

Question: layers, channels and the range of recursion counts of each layer are searched, for quality against parameters. The
unrolled network of `beyond_sensing` is the baseline, trained in the same way.

Expected: not published. If the advantage of recursion is not one of compressive sensing, some recursive network has the
baseline's quality with a fraction of its parameters.
"""

from __future__ import annotations

from typing import Any

from rdun.config import Fixed, InpaintingTask, TrialConfig, UniformRange, with_values
from rdun.search import Choice, Int, Objective, Search, Values
from studies.base import COAST, Scale, pocket, pocket_note

SIZES: dict[Scale, dict[str, Any]] = {
    "pocket": {"layers": 3, "recursions": 4, "channels": (4, 8), "baseline": 8, "trials": 24},
    "full": {"layers": 5, "recursions": 6, "channels": (16, 24, 32), "baseline": 20, "trials": 60},
}
STEPS = 300


def search(scale: Scale = "pocket") -> Search:
    """Two objectives by TPE; the range of a layer that a network does not have is not read."""
    size = SIZES[scale]
    task = {
        "task": InpaintingTask(ratios=(0.3,)),
        "recursion.modulation": {"kind": "none"},
        "data.validation_ratios": (),
    }
    base = with_values(COAST, task)
    base = base if scale == "full" else pocket(base, STEPS)
    return Search(
        name=f"search-beyond-sensing-{scale}",
        title="Search: recursion beyond compressive sensing",
        question="How few parameters do as well as an unrolled network, for inpainting?",
        method=f"COAST's stages recover images of which 30 % of the pixels were observed. Searched are up to {size['layers']} "
        f"layers, their channels, and for each layer the range of its recursion counts, up to {size['recursions']}, drawn per "
        f"batch. The baseline has {size['baseline']} different layers that are applied once.",
        expectation="Not published. If recursion keeps its advantage, a recursive network has the baseline's quality with a "
        "fraction of its parameters.",
        scale=pocket_note(STEPS, channels="4 or 8", measured="one setting of the task")
        if scale == "pocket"
        else "Training is COAST's; this task was not published.",
        base=base,
        space={
            "layers": Int(2, size["layers"]),
            "model.channels": Choice(size["channels"]),
            **ranges(size["layers"], size["recursions"]),
        },
        build=recursive,
        objectives=(Objective("validation_psnr", "maximize"), Objective("parameters", "minimize")),
        trials=size["trials"],
        baselines={
            "unrolled": with_values(base, {"model.layers": size["baseline"], "recursion.train": Fixed(counts=(1,))}),
        },
    )


def ranges(layers: int, recursions: int) -> dict[str, Int]:
    """Two counts for each layer: its recursions are drawn between them, whichever is larger."""
    return {f"{end}_{layer}": Int(1, recursions) for layer in range(1, layers + 1) for end in ("from", "to")}


def recursive(base: TrialConfig, values: Values) -> TrialConfig:
    """The network of `layers`, of `from_i` and `to_i` for each of its layers, and of dotted fields."""
    pairs = [(values[f"from_{layer}"], values[f"to_{layer}"]) for layer in range(1, values["layers"] + 1)]
    train = UniformRange(low=tuple(map(min, pairs)), high=tuple(map(max, pairs)))
    fields = {name: value for name, value in values.items() if "." in name}
    return with_values(base, {"model.layers": values["layers"], "recursion.train": train, **fields})
