"""What intervals and verdicts are about, and the luck that is in none of them."""

from __future__ import annotations

from collections.abc import Mapping

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
        "Intervals in sentences are over seeds, on these test images; a decided difference also holds for the mean over all "
        "images, as if these had been drawn from them at random, by the crossed t and the bootstrap, after Holm's correction."
        f"{several} That is so for a number of seeds chosen beforehand: seeds added until something is decided decide too much. "
        f"{shared_luck(frames)}"
    )


def code_sentence(frames: StudyFrames) -> str:
    """Where complete trials of one kind of network were not all trained by the same code; else empty."""
    sentences = []
    done = frames.trials[frames.trials["status"] == "complete"]
    for kind in dict.fromkeys(c.model.kind for arm in frames.arms.values() for c in arm.configs):
        arms = [a.name for a in frames.arms.values() if a.configs[0].model.kind == kind]
        found: dict[tuple[str, ...], dict[str, None]] = {}
        for arm, code in zip(done["arm"], done["code"], strict=True):
            if arm in arms and code:
                found.setdefault(code, {})[arm] = None
        if len(found) > 1 or any(len(code) > 1 for code in found):
            sentences.append(several_codes(kind, {code: listed(list(by)) for code, by in found.items()}))
    return " ".join(sentences)


def several_codes(kind: str, trained: Mapping[tuple[str, ...], str]) -> str:
    """The sentence on networks that more than one version of their code has trained: hashes in order -> which."""
    ways = [f"{which} by {' and then '.join(code)}" for code, which in trained.items()]
    return (
        f"Networks of kind {kind} were trained by more than one version of their code ({'; '.join(ways)}): what "
        "differs between them may be the code."
    )


def shared_luck(frames: StudyFrames) -> str:
    """What all seeds of the study have in common: chance that no interval over seeds can show."""
    configs = [config for arm in frames.arms.values() for config in arm.configs]
    parts = sorted({c.data.subset_seed for c in configs if c.data.fraction < 1})
    subset = f"which part of the training blocks is used (data.subset_seed={', '.join(map(str, parts))})"
    tests = [words for kind, words in SHARED_TESTS.items() if any(c.task.kind == kind for c in configs)]
    files = ["the training of weights that are read from files"] if any(c.weights for c in configs) else []
    shared = ["the training images", *([subset] if parts else []), *files, *tests]
    return f"No interval holds the luck that all seeds share: {listed(shared)}."
