"""A training that another trial has done is not done again: the trial is tested as if it had trained itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rdun.config import Fixed, Rfmu, TrialConfig, UniformRange, with_values
from rdun.data import training_fingerprint, trial_fingerprint
from rdun.plan import check_budget, make_forecast, make_plan
from rdun.plan.study_plan import States
from rdun.plan_view import summary
from rdun.results import TRAINED_IN, Store, Trainings, TrialDirectory, remove_weights
from rdun.study import Arm, Resources, Study
from rdun.trial import run_trial
from tests.plan.conftest import MACHINE
from tests.trial.stored import folder, run, run_cut_off

RECIPE = {
    "recursion.train": UniformRange(low=(1,), high=(3,)),
    "recursion.modulation": Rfmu(),
    "optim.ema": 0.8,
    "optim.lr": 0.01,
}


def with_other_tests(config: TrialConfig) -> TrialConfig:
    """Other images, and other counts."""
    return with_values(config, {"data.test": (config.data.validation, config.data.test[0]), "recursion.sweep": (2,)})


def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("it trains")

    monkeypatch.setattr("rdun.training.loop.train_step", refused)


@pytest.mark.parametrize("recipe", [{}, RECIPE], ids=["plain", "moving average"])
def test_other_tests_of_one_training_give_what_training_again_gives(
    tiny: TrialConfig, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: dict[str, object]
) -> None:
    first = with_values(tiny, recipe)
    second = with_other_tests(first)
    alone = Store(tmp_path / "alone")
    assert TRAINED_IN not in run(alone, second).facts
    run(store, first)
    no_training(monkeypatch)
    info = run(store, second)
    assert (info.status, info.facts[TRAINED_IN]) == ("complete", trial_fingerprint(first))
    assert info.attempts[0].resumed_at_epoch == 3
    ours, theirs = folder(store, second), folder(alone, second)
    for name in ("scores.csv", "traces.csv", "best.safetensors", "last.safetensors"):
        assert ours.read(name) == theirs.read(name), name
    assert ours.read("epochs.csv") == folder(store, first).read("epochs.csv")
    assert ours.names() == theirs.names()
    trained = [timing for timing in folder(store, first).timings() if timing.name != "images_per_second"]
    assert ours.timings()[:-1] == trained
    assert ours.timings()[-1].name == "images_per_second"
    assert info.facts["best_epoch"] == folder(alone, second).run().facts["best_epoch"]  # type: ignore[union-attr]


def test_a_test_that_is_cut_off_goes_on_without_the_other_trial(
    tiny: TrialConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = with_other_tests(tiny)
    run(store, tiny)
    no_training(monkeypatch)
    run_cut_off(store, second, images=2)
    remove_weights([trial_fingerprint(tiny)], store, "none", set())
    assert States(store).of(trial_fingerprint(second), second) == "resumable"
    info = run(store, second)
    assert (info.status, info.facts[TRAINED_IN]) == ("complete", trial_fingerprint(tiny))
    assert len(folder(store, second).timings()) == 4


def test_a_trial_killed_while_it_takes_over_says_where_it_was_trained(
    tiny: TrialConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With kill -9 at the worst moment: the checkpoint is there, and nothing after it was written."""
    second = with_other_tests(tiny)
    run(store, tiny)
    with monkeypatch.context() as patch:
        for name in ("write_epochs", "write_run"):
            patch.setattr(TrialDirectory, name, killed_once_saved(getattr(TrialDirectory, name)))
        with pytest.raises(KeyboardInterrupt):
            run(store, second)
    no_training(monkeypatch)
    info = run(store, second)
    assert (info.status, info.facts[TRAINED_IN]) == ("complete", trial_fingerprint(tiny))


def killed_once_saved(write: Callable[..., None]) -> Callable[..., None]:
    def writing(folder: TrialDirectory, *values: Any) -> None:
        if folder.exists("checkpoint.pt"):
            raise KeyboardInterrupt
        write(folder, *values)

    return writing


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"recursion.sweep": (3,)}, True),
        ({"optim.lr": 1e-3}, False),
        ({"optim.epochs": 2}, False),
        ({"seed": 1}, False),
        ({"recursion.test": Fixed(counts=(2,))}, False),  # validation uses it
        ({"task.test_matrix_seeds": (1,)}, False),
    ],
)
def test_what_is_the_same_training(tiny: TrialConfig, change: dict[str, object], same: bool) -> None:
    other = with_values(tiny, change)
    assert trial_fingerprint(other) != trial_fingerprint(tiny)
    assert (training_fingerprint(other) == training_fingerprint(tiny)) == same


def test_a_trial_whose_weights_are_gone_has_no_training_to_give(tiny: TrialConfig, store: Store) -> None:
    second = with_other_tests(tiny)
    key = trial_fingerprint(second)
    assert States(store).of(key, second) == "new"
    run(store, tiny)
    assert States(store).of(key, second) == "trained"
    remove_weights([trial_fingerprint(tiny)], store, "best", {trial_fingerprint(tiny)})  # the last ones are gone
    assert States(store).of(key, second) == "new"
    assert TRAINED_IN not in run(store, second).facts
    third = with_values(tiny, {"recursion.sweep": (3,)})
    assert run(store, third).facts[TRAINED_IN] == key  # the index names the trial that has them now


def test_an_incomplete_trial_has_no_training_to_give(tiny: TrialConfig, store: Store) -> None:
    run(store, tiny)
    first = folder(store, tiny)
    info = first.run()
    assert info
    first.write_run(replace(info, status="failed"))
    assert Trainings(store).find(training_fingerprint(tiny)) is None


def test_damaged_weights_are_named(tiny: TrialConfig, store: Store) -> None:
    run(store, tiny)
    folder(store, tiny).write("last.safetensors", b"cut off")
    with pytest.raises(ValueError, match=r"last\.safetensors is not a readable.*delete .*this trial trains anew"):
        run(store, with_other_tests(tiny))


def test_a_folder_of_another_name_is_in_no_store(tiny: TrialConfig, store: Store, tmp_path: Path) -> None:
    run_trial(tiny, str(tmp_path / "trials" / "mine"))
    assert not (tmp_path / "trials" / "trainings").exists()
    run(store, tiny)
    assert TRAINED_IN not in run_trial(with_other_tests(tiny), str(tmp_path / "trials" / "other")).facts


def test_a_trial_that_is_complete_stays_so(tiny: TrialConfig, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted while others are told of its training, and on a disk that removes nothing."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("rdun.trial.run.tell_of_training", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(store, tiny)
    info = folder(store, tiny).run()
    assert info and (info.status, info.attempts[-1].outcome) == ("complete", "complete")

    def stuck(self: TrialDirectory, name: str) -> None:
        if name == "checkpoint.pt":
            raise OSError(5, "Input/output error")

    other = with_values(tiny, {"seed": 1})
    monkeypatch.setattr(TrialDirectory, "remove", stuck)
    assert run(store, other).status == "complete"


def test_the_index_names_a_trial_that_has_weights(tiny: TrialConfig, store: Store) -> None:
    second, third = with_other_tests(tiny), with_values(tiny, {"recursion.sweep": (3,)})
    run(store, tiny)
    run(store, second)
    remove_weights([trial_fingerprint(second)], store, "none", set())
    assert run(store, third).facts[TRAINED_IN] == trial_fingerprint(tiny)


def test_weights_that_go_just_then_are_trained_again(
    tiny: TrialConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(store, tiny)
    remove_weights([trial_fingerprint(tiny)], store, "none", set())
    monkeypatch.setattr("rdun.trial.run.trained_before", lambda *_: folder(store, tiny))
    info = run(store, with_other_tests(tiny))
    assert info.status == "complete" and TRAINED_IN not in info.facts


def test_weights_without_their_epochs_are_no_beginning(tiny: TrialConfig, store: Store, tmp_path: Path) -> None:
    """Else the training would start from the other one's end."""
    second = with_other_tests(tiny)
    run_trial(second, str(tmp_path / "alone"))
    run(store, tiny)
    folder(store, tiny).remove("epochs.csv")
    assert TRAINED_IN not in run(store, second).facts
    assert folder(store, second).read("best.safetensors") == TrialDirectory(tmp_path / "alone").read("best.safetensors")


def test_a_training_that_was_taken_over_and_is_gone_is_forgotten(
    tiny: TrialConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = folder(store, tiny), with_other_tests(tiny)
    run(store, tiny)
    first.write_timings(replace(timing, detail="elsewhere") for timing in first.timings())
    run_cut_off(store, second, images=2)
    remove_weights([trial_fingerprint(tiny)], store, "none", set())
    folder(store, second).remove("checkpoint.pt")
    info = run(store, second)
    assert info.status == "complete" and TRAINED_IN not in info.facts
    assert "elsewhere" not in {timing.detail for timing in folder(store, second).timings()}


def test_a_plan_names_the_trials_whose_weights_it_counts_on(tiny: TrialConfig, store: Store) -> None:
    words: dict[str, Any] = dict.fromkeys(("title", "question", "method", "expectation", "scale"), "")
    arms = (Arm(name="a", configs=(tiny,)), Arm(name="b", configs=(with_other_tests(tiny),)))
    plan = make_plan(Study(name="s", **words, arms=arms, seeds=(tiny.seed,)), store, "fp32")
    assert plan.trained_elsewhere(store) == set()
    run(store, tiny)
    assert plan.refreshed(store).trained_elsewhere(store) == {trial_fingerprint(tiny)}
    forecast = make_forecast(plan.refreshed(store), store, MACHINE, [])
    assert forecast.unknown == 1
    assert "--probe" in " ".join(summary(plan.refreshed(store), forecast))
    with pytest.raises(ValueError, match="the time of 1 of 1 trials is unknown"):
        check_budget(forecast, Resources(budget=1))
    run(store, with_other_tests(tiny))
    assert plan.refreshed(store).trained_elsewhere(store) == set()
