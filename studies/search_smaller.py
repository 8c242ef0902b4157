"""Is there a network that dominates the published R-COAST: fewer parameters at no lower quality?

Question: layers, the range of recursion counts of each layer, channels and modulation are searched, for quality against
parameters, among networks that have at most R-COAST's parameters and stage applications.

Expected: not published. The paper chose 5 layers of 32 channels, 1 to 4 recursions each, with RFMU.
"""

from __future__ import annotations

from typing import Any

from rdun.config import NoModulation, RatioScale, Rfmu, TrialConfig, with_values
from rdun.plan import QUANTITIES
from rdun.search import Choice, Constraint, Int, Objective, Search, Values
from studies.base import FAST, R_COAST, Scale, pocket, pocket_note
from studies.search_beyond_sensing import ranges, recursive

SIZES: dict[Scale, dict[str, Any]] = {
    "pocket": {"layers": 5, "recursions": 6, "channels": (4, 5, 6, 7, 8), "trials": 32},
    "full": {"layers": 8, "recursions": 8, "channels": (16, 20, 24, 28, 32), "trials": 60},
}
MODULATIONS = {"none": NoModulation(), "ratio": RatioScale(start="identity"), "RFMU": Rfmu(start="identity")}
STEPS = 600
FULL = "Networks, training blocks and protocol are the paper's; a tenth of its steps, by the fast recipe."


def search(scale: Scale = "pocket") -> Search:
    """Two objectives by TPE; the baseline is R-COAST, trained as long."""
    size = SIZES[scale]
    base = _full_r_coast() if scale == "full" else pocket_r_coast()
    return Search(
        name=f"search-smaller-{scale}",
        title="Search: smaller than R-COAST",
        question="Is there a network that dominates R-COAST: fewer parameters at no lower quality?",
        method=f"Searched are 1 to {size['layers']} layers, their channels, for each layer the range of its recursion counts, up "
        f"to {size['recursions']}, drawn per batch, and the modulation, under the parameters and the stage applications of "
        "R-COAST. All train on as many samples, by the fast recipe.",
        expectation="Not published. The paper chose 5 layers, 1 to 4 recursions each, with RFMU.",
        scale=FULL
        if scale == "full"
        else pocket_note(STEPS, channels="4 to 8", measured="two ratios and one matrix for each"),
        base=base,
        space={
            "layers": Int(1, size["layers"]),
            "model.channels": Choice(size["channels"]),
            "modulation": Choice(tuple(MODULATIONS)),
            **ranges(size["layers"], size["recursions"]),
        },
        build=_network,
        objectives=(Objective("validation_psnr", "maximize"), Objective("parameters", "minimize")),
        constraints=(
            Constraint("parameters", QUANTITIES["parameters"](base)),
            Constraint("stage_evaluations", QUANTITIES["stage_evaluations"](base)),
        ),
        trials=size["trials"],
        baselines={"R-COAST": base},
    )


def pocket_r_coast(steps: int = STEPS) -> TrialConfig:
    """R-COAST at the pocket scale with two ratios, so that its RFMU has something to tell apart."""
    return with_values(
        pocket(R_COAST, steps), {"task.ratios": (0.1, 0.3), "recursion.modulation": Rfmu(start="identity")}
    )


def _full_r_coast() -> TrialConfig:
    return with_values(R_COAST, FAST | {"optim.epochs": 40, "recursion.modulation": Rfmu(start="identity")})


def _network(base: TrialConfig, values: Values) -> TrialConfig:
    return with_values(recursive(base, values), {"recursion.modulation": MODULATIONS[values["modulation"]]})
