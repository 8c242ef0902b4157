"""What intervals and verdicts are about, and the luck that is in none of them."""

from __future__ import annotations

from analysis.frames import StudyFrames
from analysis.numbers import listed

SHARED_TESTS = {
    "block_sensing": "the measurement matrices",
    "inpainting": "the test masks",
    "denoising": "the test noise",
}


def about(frames: StudyFrames) -> str:
    """What an interval in a sentence covers, and what a verdict asks for besides."""
    several = " Each test set is corrected by itself." if len(frames.test_sets) > 1 else ""
    return (
        "Intervals in sentences are over seeds, on these test images; a decided difference also holds for all images, by the "
        f"bootstrap, and after Holm's correction.{several} {shared_luck(frames)}"
    )


def shared_luck(frames: StudyFrames) -> str:
    """What all seeds of the study have in common: chance that no interval over seeds can show."""
    configs = [config for arm in frames.arms.values() for config in arm.configs]
    parts = sorted({c.data.subset_seed for c in configs if c.data.fraction < 1})
    subset = f"which part of the training blocks is used (data.subset_seed={', '.join(map(str, parts))})"
    tests = [words for kind, words in SHARED_TESTS.items() if any(c.task.kind == kind for c in configs)]
    shared = ["the training images", *([subset] if parts else []), *tests]
    return f"No interval holds the luck that all seeds share: {listed(shared)}."
