"""Do recursive networks overfit less?

Question: COAST unrolled and recursive, trained on 1 % to 100 % of the blocks with the same number of steps: quality on training,
validation and test images.

Expected (published for two sizes): the recursive network loses 0.26 dB from 100 % to 3 % of the data, the unrolled one 0.38 dB.
"""

from __future__ import annotations

from rdun.config import Fixed, Rfmu, TrialConfig, UniformRange, with_values
from rdun.study import Arm, Claim, Study
from studies.base import COAST, FULL_NOTE, R_COAST, Scale, pocket, pocket_note

FRACTIONS = (0.01, 0.03, 0.1, 0.3, 1.0)
STEPS = 2000


def study(scale: Scale = "pocket") -> Study:
    """Two networks at five sizes; each recursive one compared with the unrolled one of the same size."""
    arms = [
        Arm(
            name=_name(variant, fraction),
            configs=(with_values(config, {"data.fraction": fraction}),),
            factors={"variant": variant, "data": f"{_percent(fraction)} of the data"},
            compare_to=None if variant == "unrolled" else _name("unrolled", fraction),
        )
        for fraction in FRACTIONS
        for variant, config in _networks(scale).items()
    ]
    return Study(
        name=f"training-size-{scale}",
        title="Size of the training set and overfitting",
        question="Do recursive networks overfit less than unrolled ones when training blocks are few?",
        method="Subsets are prefixes of one seeded order; a smaller subset is repeated, so that all take as many steps.",
        expectation="The paper reports that from 100 % to 3 % of the data COAST loses 0.38 dB unrolled and 0.26 dB recursive.",
        scale=FULL_NOTE if scale == "full" else pocket_note(STEPS),
        arms=tuple(arms),
        seeds=(0, 1, 2) if scale == "full" else (0, 1),
        claims=(
            *(
                Claim(
                    text=f"With {_percent(fraction)} of the blocks the recursive network is at least as good as the unrolled one",
                    arm=_name("recursive", fraction),
                    versus=_name("unrolled", fraction),
                )
                for fraction in FRACTIONS[:2]
            ),
            *(
                Claim(
                    text=f"With {_percent(fraction)} of the blocks the gap of the recursive network is the smaller one",
                    arm=_name("unrolled", fraction),
                    versus=_name("recursive", fraction),
                    metric="gap",
                    answers=True,
                )
                for fraction in FRACTIONS[:2]
            ),
            Claim(
                text="With 1 % of the blocks the recursive network stands better beside the unrolled one than with all",
                arm=_name("recursive", FRACTIONS[0]),
                versus=_name("unrolled", FRACTIONS[0]),
                beyond=(_name("recursive", 1.0), _name("unrolled", 1.0)),
            ),
        ),
    )


def _networks(scale: Scale) -> dict[str, TrialConfig]:
    if scale == "full":
        return {"unrolled": COAST, "recursive": R_COAST}
    recursive = {
        "model.layers": 1,
        "recursion.train": UniformRange(low=(1,), high=(4,)),
        "recursion.modulation": Rfmu(inputs=("total", "current"), start="identity"),
    }
    unrolled = {"model.layers": 4, "recursion.train": Fixed(counts=(1,))}
    return {
        "unrolled": pocket(with_values(COAST, unrolled), STEPS),
        "recursive": pocket(with_values(COAST, recursive), STEPS),
    }


def _name(variant: str, fraction: float) -> str:
    return f"{variant}, {_percent(fraction)}"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:g} %"
