"""Do the small networks that a search found hold against R-COAST, with several seeds and a longer training?

Question: networks of one layer that `search_smaller` found at the pocket scale (results/reproduction), against R-COAST 5x4.

Expected: the search, with one short training of each, put them above R-COAST with a twentieth to a fifth of its parameters.
"""

from __future__ import annotations

from typing import Any

from rdun.config import NoModulation, UniformRange, with_values
from rdun.study import Arm, Claim, Study
from studies.base import pocket_note
from studies.search_smaller import pocket_r_coast

R_COAST, BEST = "R-COAST 5x4", "1x5, 8 channels, RFMU"
FOUND: dict[str, dict[str, Any]] = {
    BEST: {"model.channels": 8, "recursion.train": UniformRange(low=(5,), high=(5,))},
    "1x5, 5 channels, RFMU": {"model.channels": 5, "recursion.train": UniformRange(low=(5,), high=(5,))},
    "1x5, 4 channels": {
        "model.channels": 4,
        "recursion.train": UniformRange(low=(1,), high=(5,)),
        "recursion.modulation": NoModulation(),
    },
}
"""Trials 25, 33 and 23 of the search: the best, and the smallest with and without RFMU."""
STEPS = 1500


def study() -> Study:
    """One arm for each, two and a half times as many steps as in the search."""
    base = pocket_r_coast(STEPS)
    arms = [Arm(name=R_COAST, configs=(base,), factors={"network": R_COAST})]
    for name, changes in FOUND.items():
        network = with_values(base, {"model.layers": 1, **changes})
        arms.append(Arm(name=name, configs=(network,), factors={"network": name}, compare_to=R_COAST))
    return Study(
        name="smaller",
        title="Smaller networks that a search found",
        question="Do the small networks that a search found hold against R-COAST, with several seeds and a longer training?",
        method="R-COAST with 5 layers and 1 to 4 recursions each, and networks of one layer that the search for a smaller "
        "network found. The search trained each for 600 steps with one seed, this study for 1,500 with several.",
        expectation="Not published. The search put them above R-COAST with a twentieth to a fifth of its parameters.",
        scale=pocket_note(STEPS, channels="4 to 8", measured="two ratios and one matrix for each"),
        arms=tuple(arms),
        claims=(Claim(text="The best network of the search is at least as good as R-COAST", arm=BEST, versus=R_COAST),),
    )
