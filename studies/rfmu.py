"""Does the recursion feature modulation unit help, and which of its inputs does?

Question: a recursive COAST with random counts, with its features not scaled, scaled by the ratio alone, by the full RFMU, and by
RFMUs that lack one input.

Expected (the authors' stored validation curves): the RFMU gains 0.12 dB over COAST's own scaling, at the best epoch on Set11 at
10 %. The paper's ablations were not available.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rdun.config import NoModulation, RatioScale, Rfmu, TrialConfig, with_values
from rdun.study import Arm, Claim, Study
from studies.base import FULL_NOTE, R_COAST, Scale, pocket, pocket_note

UNSCALED, COAST_SCALED = "not scaled", "ratio"
MODULATIONS: dict[str, Any] = {
    UNSCALED: NoModulation(),
    COAST_SCALED: RatioScale(),
    "RFMU": Rfmu(),
    "RFMU without ratio": Rfmu(inputs=("total", "current")),
    "RFMU without T": Rfmu(inputs=("ratio", "current")),
    "RFMU without t": Rfmu(inputs=("ratio", "total")),
}
PUBLISHED = {COAST_SCALED: "no", "RFMU": "yes"}


def study(scale: Scale = "pocket") -> Study:
    """Six arms that differ in the modulation alone."""
    arms = [
        Arm(
            name=name,
            configs=(_config(scale, modulation),),
            factors={"modulation": name},
            compare_to=None if name == COAST_SCALED else COAST_SCALED,
            published={
                "table": "checkpoints",
                "model": "COAST",
                "layers": "5",
                "recursions": "4",
                "rfmu": PUBLISHED[name],
                "fraction": "1",
            }
            if name in PUBLISHED
            else {},
        )
        for name, modulation in MODULATIONS.items()
    ]
    return Study(
        name=f"rfmu-{scale}",
        title="The recursion feature modulation unit and its inputs",
        question="Does the recursion feature modulation unit help, and which of its inputs does?",
        method="One recursive COAST with random recursion counts; the scales of its residual branches come from nothing, from "
        "the sampling ratio (COAST's own), from an RFMU with ratio, length T and index t of the recursion, or from one that "
        "lacks an input." + " All scales start at one." * (scale == "pocket"),
        expectation="By the authors' stored validation curves (Set11 at 10 %) the RFMU gains 0.12 dB. The paper's ablations were "
        "not available.",
        scale=FULL_NOTE if scale == "full" else pocket_note(measured="three ratios and one matrix for each"),
        arms=tuple(arms),
        claims=(Claim(text="The RFMU gains over COAST's scaling by the ratio", arm="RFMU", versus=COAST_SCALED),),
        as_published=scale == "full",
    )


def _config(scale: Scale, modulation: Any) -> TrialConfig:
    if scale == "full":
        return with_values(R_COAST, {"recursion.modulation": modulation})
    if not isinstance(modulation, NoModulation):
        modulation = replace(modulation, start="identity")  # else the arms would differ in where they start, too
    small = pocket(with_values(R_COAST, {"model.layers": 2}))
    return with_values(small, {"task.ratios": (0.1, 0.3, 0.5), "recursion.modulation": modulation})
