"""Table 1 of the paper: do recursive networks reach the unrolled ones with a fraction of the parameters, and do they lose less
when training data are few?

Question: PSNR and SSIM of COAST 20x1 against recursive 5x4, and of ISTA-Net+ 9x1 against recursive 3x3, trained on all blocks
and on 3 % of them, at five sampling ratios.

Expected (published): COAST 30.71 against 30.58 dB on all data, 30.33 against 30.32 dB on 3 %; ISTA-Net+ 29.91 against 30.02 dB
and 28.76 against 29.32 dB.
"""

from __future__ import annotations

from typing import Any

from rdun.config import Fixed, Rfmu, TrialConfig, UniformRange, with_values
from rdun.study import Arm, Claim, Study
from studies.base import (
    COAST,
    FULL_NOTE,
    ISTA_NET_PLUS,
    R_COAST,
    R_ISTA_NET_PLUS,
    THREE_PERCENT,
    Scale,
    near_unrolled,
    per_ratio,
    pocket,
    pocket_note,
)

Variants = dict[str, tuple[TrialConfig, ...]]

FULL: dict[str, Variants] = {
    "COAST": {"base": (COAST,), "recursive": (R_COAST,)},
    "ISTA-Net+": {"base": per_ratio(ISTA_NET_PLUS), "recursive": per_ratio(R_ISTA_NET_PLUS)},
}
DATA: dict[str, dict[Scale, dict[str, Any]]] = {
    "100 %": {"full": {}, "pocket": {}},
    "3 %": {"full": THREE_PERCENT, "pocket": {"data.fraction": 0.03}},
}
SMALL = {  # layers of the base, layers and recursions of the recursive network
    "COAST": (8, 2, 4),
    "ISTA-Net+": (6, 2, 3),
}


def study(scale: Scale = "pocket") -> Study:
    """Eight arms in four pairs."""
    settings = FULL if scale == "full" else {name: pocket_pair(name) for name in SMALL}
    arms = [
        Arm(
            name=_name(system, variant, data),
            configs=tuple(with_values(config, changes[scale]) for config in configs),
            factors={"system": system, "variant": variant, "data": f"{data} of the data"},
            compare_to=None if variant == "base" else _name(system, "base", data),
            published={
                "table": "table1",
                "model": system,
                "configuration": variant,
                "fraction": "1" if data == "100 %" else "0.03",
            },
        )
        for system, variants in settings.items()
        for data, changes in DATA.items()
        for variant, configs in variants.items()
    ]
    return Study(
        name=f"table1-{scale}",
        title="Unrolled and recursive networks, with all and with few training data",
        question="Do recursive networks reach the quality of unrolled ones with a fraction of the parameters, and do they lose "
        "less when training data are few?",
        method="Each recursive network draws its recursion counts anew for every batch and is modulated by the RFMU; it is "
        "compared with an unrolled network of as many stage applications, trained on the same blocks in the same order.",
        expectation="The paper reports, on average over five ratios, COAST 30.71 and recursive 30.58 dB on all data, 30.33 and "
        "30.32 dB on 3 %; ISTA-Net+ 29.91 and 30.02 dB, 28.76 and 29.32 dB.",
        scale=FULL_NOTE if scale == "full" else pocket_note(),
        arms=tuple(arms),
        claims=(
            *(
                near_unrolled(f"{system}, {data} of the data", *(_name(system, v, data) for v in ("recursive", "base")))
                for system in settings
                for data in DATA
            ),
            *(_claim_of_few_data(system) for system in settings),
        ),
        as_published=scale == "full",
    )


def pocket_pair(system: str) -> Variants:
    """Base and recursive network of a system at the pocket scale."""
    base, recursive = (FULL[system][variant][0] for variant in ("base", "recursive"))
    unrolled, layers, recursions = SMALL[system]
    changes = {
        "model.layers": layers,
        "recursion.train": UniformRange(low=(1,), high=(recursions,)),
        "recursion.modulation": Rfmu(inputs=("total", "current"), start="identity"),
    }
    plain = {"model.layers": unrolled, "recursion.train": Fixed(counts=(1,))}
    return {
        "base": (pocket(with_values(base, plain)),),
        "recursive": (pocket(with_values(recursive, changes)),),
    }


def _claim_of_few_data(system: str) -> Claim:
    few, all_data = (
        tuple(_name(system, variant, data) for variant in ("recursive", "base")) for data in ("3 %", "100 %")
    )
    return Claim(
        text=f"{system}: with 3 % of the data the recursive network stands better beside the unrolled one than with all",
        arm=few[0],
        versus=few[1],
        beyond=(all_data[0], all_data[1]),
    )


def _name(system: str, variant: str, data: str) -> str:
    return f"{system} {variant}, {data}"
