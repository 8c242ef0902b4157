"""A study of short trials on noise, for what a study costs beside its training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from rdun.config import BlockSensingTask, CoastConfig, DataConfig, OptimConfig, TrialConfig
from rdun.study import Arm, Resources, Study


def noise_study(name: str, place: Path, *, trials: int, epochs: int, steps: int, side: int) -> Study:
    """One arm with a seed per trial, of one thread each.

    Args:
        place: an empty folder for the pictures, of `side` x `side` pixels.
        steps: of 16 blocks, per epoch.
    """
    noise = np.random.default_rng(0)
    for folder in ("train", "other"):
        (place / folder).mkdir()
        Image.fromarray(noise.integers(0, 255, (side, side), dtype=np.uint8)).save(place / folder / "noise.png")
    data = DataConfig(
        train=str(place / "train"),
        validation=str(place / "other"),
        test=(str(place / "other"),),
        stride=4,
        augment=False,
        epoch_samples=16 * steps,
    )
    config = TrialConfig(
        task=BlockSensingTask(ratios=(0.25,), block=12, matrices=1),
        model=CoastConfig(layers=2, channels=8),
        data=data,
        optim=OptimConfig(epochs=epochs, batch=16),
        precision="fp32",
    )
    return Study(
        name=name,
        title=name.capitalize(),
        question=f"What does the platform cost ({name})?",
        method="Short trials.",
        expectation="Little.",
        scale="Noise.",
        arms=(Arm(name="short", configs=(config,)),),
        seeds=tuple(range(trials)),
        resources=Resources(threads=1),
    )
