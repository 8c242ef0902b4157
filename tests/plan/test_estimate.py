"""Times from past runs: what is comparable, how it scales, and what stays unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rdun.config import TrialConfig, with_values
from rdun.plan import Estimator, Machine, Plan, Room, make_forecast, makespan, past_runs
from rdun.plan.forecast import check_budget
from rdun.results import TRAINED_IN, Store
from rdun.study import Price, Resources
from tests.plan.conftest import MACHINE, Past, other


def estimator(store: Store, machine: Machine = MACHINE) -> Estimator:
    return Estimator(past_runs(store, machine), machine)


def test_a_past_run_tells_of_steps_validation_and_scoring(store: Store, past: Past, tiny: TrialConfig) -> None:
    past(tiny)  # 3 epochs of 6 steps
    longer = with_values(tiny, {"optim.epochs": 30, "optim.lr": 0.1, "seed": 7})
    found = estimator(store).estimate(longer)
    assert found.seconds == pytest.approx(30 * (6 * 0.5 + 3) + 10, abs=1)
    assert (found.validation, found.scoring, found.source) == (True, True, "past runs")
    assert found.memory_mib == 412.5
    assert estimator(store).estimate(longer, epochs_done=20).seconds == pytest.approx(10 * 6 + 10, abs=1)


def test_a_training_that_was_taken_over_tells_of_its_test_only(store: Store, past: Past, tiny: TrialConfig) -> None:
    """Its epochs may be another machine's."""
    folder = store.trial(past(tiny))
    run = folder.run()
    assert run is not None
    folder.write_run(replace(run, facts={**run.facts, TRAINED_IN: "0" * 16}))
    (found,) = past_runs(store, MACHINE)
    assert (found.step, found.epoch, found.evaluations) == (None, None, 0.0)
    assert found.scoring == pytest.approx(10 + tiny.optim.epochs * (6 * 0.5 + 3))  # all of its time
    assert estimator(store).estimate(tiny).seconds is None
    only_tested = estimator(store).estimate(tiny, epochs_done=tiny.optim.epochs)
    assert (only_tested.seconds, only_tested.scoring) == (found.scoring, True)


def test_other_depths_scale_by_stage_applications(store: Store, past: Past, tiny: TrialConfig) -> None:
    past(tiny)  # 2 layers once
    deeper = with_values(
        tiny, {"model.layers": 4, "recursion.train": {"kind": "uniform_range", "low": [1], "high": [3]}}
    )
    found = estimator(store).estimate(deeper)
    assert found.seconds == pytest.approx(3 * 6 * 0.5 * 8 / 2)
    assert (found.validation, found.scoring, found.source) == (False, False, "past runs of other depths")
    assert found.memory_mib is None


@pytest.mark.parametrize(
    "change",
    [
        {"model.channels": 8},
        {"optim.batch": 16},
        {"precision": "bf16"},
        {"recursion.modulation": {"kind": "rfmu"}},
        {"task.block": 10},
        {"optim.ema": 0.9},
        {"optim.deep_supervision": 0.5},
    ],
)
def test_another_network_batch_or_precision_is_unknown(
    store: Store, past: Past, tiny: TrialConfig, change: dict[str, object]
) -> None:
    past(tiny)
    assert estimator(store).estimate(with_values(tiny, change)).seconds is None


def test_another_machine_tells_nothing(store: Store, past: Past, tiny: TrialConfig) -> None:
    past(tiny, other(device="Another processor"))
    past(with_values(tiny, {"seed": 1}), other(threads=2))
    assert estimator(store).estimate(tiny).seconds is None
    assert past_runs(store, MACHINE) == []


def test_damaged_directories_are_passed_over(store: Store, past: Past, tiny: TrialConfig) -> None:
    past(tiny)
    for name, text in (("bad-json", "{"), ("bad-fields", '{"attempts": [{}]}'), ("bad-list", "[]")):
        store.trial(name).write_text("run.json", text)
    store.trial("empty").write_text("note", "")
    assert len(past_runs(store, MACHINE)) == 1


def test_weights_that_are_only_tested(store: Store, past: Past, tiny: TrialConfig) -> None:
    """Nothing is trained, so that only a past test of the same tells the time."""
    past(tiny)
    tested = replace(tiny, weights="w.safetensors", optim=replace(tiny.optim, epochs=0))
    assert estimator(store).estimate(tested).seconds == pytest.approx(10, abs=1)
    moved = with_values(tested, {"data.test": [tiny.data.train]})
    assert estimator(store).estimate(moved).seconds is None


@pytest.mark.parametrize(
    ("seconds", "slots", "wall", "most"),
    [([3, 3, 3], 2, 6, 2), ([5, 1, 1, 1], 2, 5, 2), ([4], 8, 4, 1), ([1, 2], 1, 3, 1), ([], 2, 0, 0)],
)
def test_wall_time_on_slots(seconds: list[float], slots: int, wall: float, most: int) -> None:
    assert makespan([(each, 0.0) for each in seconds], slots) == (wall, most)


def test_wall_time_on_gpus() -> None:
    """Two halves at a time; the whole one waits for both, and the last half for it."""
    assert makespan([(2, 0.5), (3, 0.5), (4, 1.0), (1, 0.5)], 8, gpus=1) == (8, 2)
    assert makespan([(2, 1.0)] * 4, 8, gpus=2) == (4, 2)
    assert makespan([(2, 0.25)] * 4, 2, gpus=1) == (4, 2)
    assert makespan([(2, 2.0), (2, 1.0), (2, 1.0)], 8, gpus=2) == (4, 2)


def test_what_trials_leave_of_several_gpus_is_no_room_for_another() -> None:
    """At 0.15 each, 8 GPUs hold 48 and not 53."""
    assert makespan([(2, 0.4)] * 5, 8, gpus=2) == (4, 4)
    assert makespan([(1, 0.15)] * 53, 99, gpus=8) == (2, 48)
    assert Room(99, 8.0).holds(1, 0.15) == 48 and Room(99, 8.0).holds(1, 3.0) == 2
    assert Room(5, 0.0).holds(3, 0.0) == 1 and Room(5, 1.0).holds(3, 0.1) == 1


def test_a_forecast_adds_up(plan: Plan, store: Store, past: Past) -> None:
    """Both arms evaluate two stages, but only one of them was run."""
    past(plan.trials[0].config)
    forecast = make_forecast(plan.refreshed(store), store, MACHINE, past_runs(store, MACHINE))
    assert len(forecast.estimates) == 3
    times = sorted(e.seconds for e in forecast.estimates.values() if e.seconds is not None)
    assert times == pytest.approx([6, 6, 22], abs=1)
    assert forecast.hours == pytest.approx(sum(times) / 3600)
    assert forecast.seconds == pytest.approx(22, abs=1)
    assert forecast.left_out() == ["validation", "scoring"]
    assert forecast.sources() == ["past runs", "past runs of other depths"]


def test_a_share_of_a_gpu_is_paid_for() -> None:
    assert other(threads=2).hours(7200, 0.25) == 0.5
    assert other(threads=2).hours(7200, 0) == 4.0
    assert (other(kind="cuda").unit, MACHINE.unit) == ("GPU-hours", "core-hours")


def test_the_budget(plan: Plan, store: Store, past: Past) -> None:
    unknown = make_forecast(plan, store, MACHINE, [])
    check_budget(unknown, Resources())
    with pytest.raises(
        ValueError, match=r"budget=1 core-hours cannot be checked: the time of 4 of 4 trials .* --probe"
    ):
        check_budget(unknown, Resources(budget=1))
    past(plan.trials[0].config)
    known = make_forecast(plan, store, MACHINE, past_runs(store, MACHINE))
    check_budget(known, Resources(budget=1))
    with pytest.raises(
        ValueError, match=r"budget=0.001 core-hours is exceeded: .* about 0.0\d+ core-hours \(\d.\d\d EUR\)"
    ):
        check_budget(known, Resources(budget=0.001, price=Price(100, "EUR")))
