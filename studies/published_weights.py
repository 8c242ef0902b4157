"""Do the published checkpoints give the published scores, and how much does the test matrix matter?

Question: the authors' R-COAST 5x4, the same without RFMU and COAST 5x1, tested as published with five random matrices per ratio.

Expected: the cells of R-COAST in the paper's Table 1 (26.14 to 34.46 dB on BSD68) within 0.1 dB; the deep networks move by less
than 0.1 dB from matrix to matrix, the shallow one by more than a decibel, as the matrices' DC gain does.
"""

from __future__ import annotations

from dataclasses import replace

from rdun.config import DataConfig, Fixed, OptimConfig, RatioScale, TrialConfig, with_values
from rdun.study import Arm, Study
from studies.base import R_COAST


def study() -> Study:
    """Set11 and BSD68 at five ratios: hours of two cores, minutes of a GPU. `--set data.test=set11` takes a tenth of it."""
    rfmu = TrialConfig(
        task=R_COAST.task,
        model=R_COAST.model,
        recursion=R_COAST.recursion,
        data=DataConfig(test=("set11", "bsd68")),
        optim=OptimConfig(epochs=0),
        precision="fp32",
        weights="r_coast_5x4.pkl",
    )
    unscaled = with_values(rfmu, {"weights": "coast_5x4_no_rfmu.pkl", "recursion.modulation": RatioScale()})
    once = replace(unscaled, weights="coast_5x1.pkl", recursion=replace(unscaled.recursion, train=Fixed(counts=(1,))))
    published = {"table": "table1", "model": "COAST", "configuration": "recursive", "fraction": "1"}
    return Study(
        name="published-weights",
        title="The published checkpoints",
        question="Do the published checkpoints give the published scores, and how much does the test matrix matter?",
        method="Each checkpoint is tested as it is, by the published protocol, with five random matrices per ratio that it has "
        "not seen in training.",
        expectation="R-COAST within 0.1 dB of the paper's Table 1; the shallow network moves by more than a decibel between "
        "matrices.",
        scale="The published checkpoints; there is one of each, so that the spread over trainings is unknown.",
        arms=(
            Arm(name="R-COAST 5x4", configs=(rfmu,), compare_to="COAST 5x4 without RFMU", published=published),
            Arm(name="COAST 5x4 without RFMU", configs=(unscaled,)),
            Arm(name="COAST 5x1", configs=(once,), compare_to="COAST 5x4 without RFMU"),
        ),
        seeds=(0,),
        as_published=True,
    )
