"""Table 2 of the paper: what do recursion and random recursion counts save in training time, and what do they cost in speed?

Question: training time, reconstruction speed and parameters of COAST 20x1 against recursive 5x4, and of ISTA-Net+ 9x1 against
3x3.

Expected (published, on one RTX 3090): 18.14 against 10.50 hours and 3.22 against 2.53 hours; equal reconstruction speed for
COAST, 18 % less for ISTA-Net+. By the number of stage applications per training step: 37.5 % and 33.3 % less.
"""

from __future__ import annotations

from rdun.study import Arm, Claim, Study
from studies.base import FULL_NOTE, ISTA_NET_PLUS, R_ISTA_NET_PLUS, Scale, pocket_note
from studies.table1 import FULL, pocket_pair

PUBLISHED_HOURS = {"COAST": (18.14, 10.50), "ISTA-Net+": (3.22, 2.53)}
"""Of training, unrolled and recursive (the paper's Table 2)."""
TIMED = "ISTA-Net+ is trained for one ratio, 10 %, as in the paper."


def study(scale: Scale = "pocket") -> Study:
    """The arms of table 1 on all data; trials that both studies ask for are trained once."""
    settings = FULL | {"ISTA-Net+": {"base": (ISTA_NET_PLUS,), "recursive": (R_ISTA_NET_PLUS,)}}
    if scale == "pocket":
        settings = {system: pocket_pair(system) for system in settings}
    arms = [
        Arm(
            name=f"{system} {variant}",
            configs=configs,
            factors={"system": system, "variant": variant},
            compare_to=None if variant == "base" else f"{system} base",
            published={"table": "table2", "model": system, "configuration": variant},
        )
        for system, variants in settings.items()
        for variant, configs in variants.items()
    ]
    return Study(
        name=f"table2-{scale}",
        title="Training time, reconstruction speed and parameters",
        question="What do recursion and random recursion counts save in training time, and what do they cost in speed?",
        method="Seconds inside training steps, validation excluded, and images per second of the test images, one at a time, "
        f"each measured by the trial itself. {TIMED} Other trials run on the same machine meanwhile: compare the ratios.",
        expectation="The paper reports 42 % (COAST) and 21 % (ISTA-Net+) less training time on one RTX 3090. The expected number "
        "of stage applications per training step falls by 37.5 % and 33.3 %.",
        scale=FULL_NOTE if scale == "full" else pocket_note(),
        arms=tuple(arms),
        claims=tuple(_saves_time(system) for system in settings),
        as_published=scale == "full",
    )


def _saves_time(system: str) -> Claim:
    unrolled, recursive = PUBLISHED_HOURS[system]
    saved = 100 * (1 - recursive / unrolled)
    return Claim(
        text=f"{system}: recursion with random counts saves at least the published {saved:.0f} % of the training time",
        arm=f"{system} recursive",
        versus=f"{system} base",
        metric="time",
        at_least=saved,
        answers=True,
    )
