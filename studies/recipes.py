"""How many training samples does a recursive network need, and which part of a recipe saves them?

Question: R-COAST as the paper trains it, with each part of the `fast` recipe added alone, with all of them, without each one, and
with further parts: a moving average of the weights, deep supervision, a curriculum of recursions, clipped gradients; and the fast
recipe with a tenth of the samples.

Expected: not published. The goal is the paper's quality with a tenth of its samples.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rdun.arms import apply
from rdun.config import OptimConfig, TrialConfig, UniformRange, with_values
from rdun.study import Arm, Claim, Study
from studies.base import FAST, FULL_NOTE, R_COAST, Scale, pocket, pocket_note

PAPER, WHOLE, TENTH = "paper", "fast", "fast, a tenth"
PARTS: dict[str, dict[str, Any]] = {
    "linear estimate": {name: FAST[name] for name in ("task.initial", "task.ridge")},
    "identity start": {"model.start": "identity", "recursion.modulation.start": "identity"},
    "rate": {name: FAST[name] for name in ("optim.lr", "optim.decay", "optim.warmup")},
}
"""The fast recipe: every stage starts as a plain gradient step from the linear estimate, and a higher rate that ends at zero."""
EXTRAS: dict[str, dict[str, Any]] = {
    "average": {"optim.ema": 0.99},
    "deep supervision": {"optim.deep_supervision": 0.5},
    "curriculum": {"recursion.curriculum": 0.5},
    "clipped gradients": {"optim.clip": 0.1},
}
STEPS, EPOCHS = 1500, 20


def study(scale: Scale = "pocket") -> Study:
    """Every recipe is compared with the paper's or, where it changes the fast one, with that."""
    paper = _paper(scale)
    whole = {name: value for changes in PARTS.values() for name, value in changes.items()}
    fast = apply(paper, whole)
    arms = [Arm(name=PAPER, configs=(paper,), factors={"recipe": PAPER})]
    arms += [_arm(f"{PAPER}, {name}", apply(paper, changes), PAPER) for name, changes in PARTS.items()]
    arms += [_arm(WHOLE, fast, PAPER)]
    for name in PARTS:
        kept = {key: value for other, changes in PARTS.items() if other != name for key, value in changes.items()}
        arms.append(_arm(f"{WHOLE} without {name}", apply(paper, kept), WHOLE))
    arms += [_arm(f"{WHOLE}, {name}", apply(fast, changes), WHOLE) for name, changes in EXTRAS.items()]
    arms += [_arm(TENTH, with_values(fast, {"optim.epochs": paper.optim.epochs // 10}), PAPER)]
    return Study(
        name=f"recipes-{scale}",
        title="Training recipes",
        question="How many training samples does a recursive network need, and which part of a recipe saves them?",
        method="One recursive network, R-COAST with random recursion counts and RFMU, trained by different recipes. The paper's: "
        "Adam at 1e-4, the framework's initialisation, the adjoint as first estimate. The fast one: the linear estimate, stages "
        "that start as plain gradient steps, and a rate of 2e-3 after a warm-up that falls to zero by a cosine. A tenth: the "
        "fast recipe with a tenth of the samples.",
        expectation="Not published. The goal is the paper's quality with a tenth of its samples.",
        scale=FULL_NOTE if scale == "full" else pocket_note(STEPS, recipe=""),
        arms=tuple(arms),
        claims=(
            Claim(
                text="With a tenth of the samples, the fast recipe is at least as good as the paper's",
                arm=TENTH,
                versus=PAPER,
            ),
        ),
    )


def _arm(name: str, config: TrialConfig, versus: str) -> Arm:
    return Arm(name=name, configs=(config,), factors={"recipe": name}, compare_to=versus)


def _paper(scale: Scale) -> TrialConfig:
    """The paper's recipe; at pocket scale on a small network, in many short epochs, which show when a quality is reached."""
    if scale == "full":
        return R_COAST
    plain = {"model.layers": 2, "recursion.train": UniformRange(low=(1,), high=(3,))}
    small = pocket(with_values(R_COAST, plain), STEPS)
    unread = {"task.initial": "adjoint", "task.ridge": 0.0, "model.start": "default"}
    optim = OptimConfig(batch=small.optim.batch, epochs=EPOCHS)
    data = replace(small.data, epoch_samples=STEPS * small.optim.batch // EPOCHS)
    return replace(with_values(small, unread), optim=optim, data=data)
