"""A study of seconds, as a user would write one in a file of their own. IMAGES names the folder of its pictures."""

import os
from dataclasses import replace

from rdun.config import BlockSensingTask, CoastConfig, DataConfig, Fixed, OptimConfig, TrialConfig, with_values
from rdun.study import Arm, Claim, Study


def study() -> Study:
    """Two arms, two seeds."""
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
        optim=OptimConfig(lr=2e-3, batch=8, epochs=int(os.environ.get("EPOCHS", "2"))),
        precision="fp32",
    )
    recursive = with_values(base, {"model.layers": 1, "recursion.train": Fixed(counts=(2,))})
    return Study(
        name="tiny",
        title="Tiny",
        question="Does a tiny study run?",
        method="Two arms on two pictures.",
        expectation="It does.",
        scale="As small as it gets.",
        arms=(
            Arm(name="unrolled", configs=(base,), factors={"variant": "unrolled"}),
            Arm(
                name="recursive",
                configs=(replace(recursive),),
                factors={"variant": "recursive"},
                compare_to="unrolled",
            ),
        ),
        seeds=(0, 1),
        claims=(Claim(text="recursion costs at most 1 dB", arm="recursive", versus="unrolled", at_least=-1.0),),
    )
