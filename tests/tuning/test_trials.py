"""The order in which a run begins its trials."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rdun.config import TrialConfig, with_values
from rdun.plan import make_plan
from rdun.results import Store
from rdun.study import Arm
from rdun.tuning.trials import repeats_last
from tests.tuning.conftest import one_arm


def test_what_another_trial_trains_begins_last(tiny: TrialConfig, tmp_path: Path) -> None:
    """Beside the trial that trains the same it would train it once more; after it, it is only tested."""
    configs = {
        "first": tiny,
        "first, other counts": with_values(tiny, {"recursion.sweep": (5,)}),
        "first, other images": with_values(tiny, {"data.test": (tiny.data.test[0], tiny.data.validation)}),
        "second": with_values(tiny, {"optim.lr": 1e-3}),
    }
    arms = tuple(Arm(name=name, configs=(config,), factors={"arm": name}) for name, config in configs.items())
    plan = make_plan(replace(one_arm(tiny, (0, 1)), arms=arms), Store(tmp_path), "fp32")
    begun = [(trial.arms[0], trial.config.seed) for trial in repeats_last(plan.missing())]
    repeats = {(name, seed) for name in ("first, other counts", "first, other images") for seed in (0, 1)}
    assert set(begun[4:]) == repeats and len(begun) == 8
