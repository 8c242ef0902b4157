"""A search space over the tiny trial, and suggestions with a database and a store of their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rdun.config import TrialConfig, UniformRange, to_dict, with_values
from rdun.results import EpochRecord, RunInfo, Status, Store
from rdun.search import Choice, Constraint, Int, Objective, Real, Search, Values
from rdun.study import Arm, Resources, Study
from rdun.tuning import Suggestions

Open = Callable[..., Suggestions]
START = 4


def wait_for(condition: Callable[[], bool], patience: float = 150.0) -> None:
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def one_arm(config: TrialConfig, seeds: tuple[int, ...] = (0,), **resources: Any) -> Study:
    """A study of one arm, which compares nothing."""
    texts: dict[str, Any] = dict.fromkeys(("title", "question", "method", "expectation", "scale"), "")
    arms = (Arm(name="one", configs=(config,)),)
    return Study(name="s", arms=arms, seeds=seeds, resources=Resources(**resources), **texts)


def build(base: TrialConfig, values: Values) -> TrialConfig:
    train = UniformRange(low=(1,), high=(values["high"],))
    fields = {name: value for name, value in values.items() if "." in name}
    return with_values(base, {"recursion.train": train, **fields})


@pytest.fixture
def search(tiny: TrialConfig) -> Search:
    return Search(
        name="s",
        title="",
        question="?",
        method="",
        expectation="",
        scale="",
        base=with_values(tiny, {"optim.epochs": 1}),
        space={
            "model.layers": Int(1, 3),
            "high": Int(1, 2),
            "model.channels": Choice((2, 4)),
            "optim.lr": Real(1e-4, 1e-2, log=True),
        },
        build=build,
        objectives=(Objective("validation_psnr", "maximize"), Objective("parameters", "minimize")),
        constraints=(Constraint("parameters", 2000),),
        sampler="random",
        trials=6,
    )


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models from the fifth suggestion on."""
    monkeypatch.setattr("rdun.tuning.optuna_study.START", START)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "trials")


@pytest.fixture
def opened(tmp_path: Path, store: Store) -> Open:
    """Opens the suggestions of a search, as a driver does when it starts."""

    def make(search: Search, trials: int | None = None, **options: Any) -> Suggestions:
        return Suggestions(search, tmp_path / "search.db", store, "fp32", trials or search.trials, **options)

    return make


def leave(store: Store, fingerprint: str, psnr: float = 20.0, status: Status = "complete", reason: str = "") -> None:
    """What a trial leaves behind that a search reads."""
    folder = store.trial(fingerprint)
    record = EpochRecord(
        epoch=1,
        step=6,
        samples=48,
        seconds=1.0,
        timestamp=0,
        lr=1e-3,
        train_loss=1.0,
        train_psnr=psnr,
        validation_psnr=psnr,
        validation_ssim=0.5,
        stage_evaluations=1.0,
    )
    folder.write_epochs([record])
    folder.write_run(RunInfo(fingerprint=fingerprint, status=status, reason=reason))


def worked_off(suggestions: Suggestions, store: Store, most: int = 1000) -> list[dict[str, Any]]:
    """Gives every suggestion a result that depends on its values alone; the values in order."""
    values: list[dict[str, Any]] = []
    while len(values) < most and (found := suggestions.next()):
        config = found.config
        store.trial(found.fingerprint).write_json("config.json", to_dict(config))
        leave(store, found.fingerprint, psnr=20 + config.model.layers - abs(config.optim.lr - 3e-3) * 100)
        suggestions.ended(found.fingerprint)
        values.append({"number": found.number, "layers": config.model.layers, "lr": config.optim.lr})
    return values
