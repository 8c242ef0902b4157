"""Times from past runs: what is comparable, how it scales, and what stays unknown."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from rdun.config import TrialConfig, with_values
from rdun.plan import Estimator, Machine, Plan, Room, keys, make_forecast, makespan, past_runs
from rdun.plan.forecast import check_budget
from rdun.plan.reconstructed import pixels, reconstructed
from rdun.results import TRAINED_IN, Store, SystemSample
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


def test_memory_is_the_most_that_equal_trainings_have_taken(store: Store, past: Past, tiny: TrialConfig) -> None:
    for seed, taken in enumerate([(300.0,), (350.0, 700.0, 500.0), (400.0,)]):
        folder = store.trial(past(with_values(tiny, {"seed": seed})))
        folder.write_system(
            [SystemSample(timestamp=0, cpu_percent=90, memory_mib=mib, gpu_memory_mib=0.0) for mib in taken]
        )
    assert estimator(store).estimate(tiny).memory_mib == 700.0


@pytest.mark.parametrize(("resumed", "scoring"), [(2, 10.0), (3, None)])
def test_a_trial_that_was_cut_off_tells_of_its_tests_where_all_came_after_its_last_epoch(
    resumed: int, scoring: float | None, store: Store, past: Past, tiny: TrialConfig
) -> None:
    """Where the first attempt came to the tests, nobody knows what the second was spared."""
    folder = store.trial(past(tiny))  # 3 epochs of 6 s
    run = folder.run()
    assert run is not None
    last = replace(run.attempts[0], resumed_at_epoch=resumed, ended="2026-01-01T00:00:16+00:00")
    folder.write_run(replace(run, attempts=(run.attempts[0], last)))
    (found,) = past_runs(store, MACHINE)
    assert (found.step, found.epoch, found.scoring) == (0.5, 3.0, scoring)


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
    assert found.seconds == pytest.approx(3 * (6 * 0.5 * 8 / 2 + 3 * 12 / 2) + 10 * 12 / 2)  # tested with 4 x 3
    assert (found.validation, found.scoring, found.source) == (True, True, "past runs of other depths")
    assert found.memory_mib is None


def test_the_same_network_tells_before_other_depths_and_a_past_run_before_a_probe(
    store: Store, past: Past, tiny: TrialConfig
) -> None:
    past(tiny)
    (run,) = past_runs(store, MACHINE)
    probe = replace(run, source="probe", step=5.0)
    found = Estimator([probe, run], MACHINE).estimate(tiny)
    assert found.seconds == pytest.approx(3 * (6 * 0.5 + 3) + 10) and found.source == "past runs"
    deeper = with_values(tiny, {"model.layers": 4})
    own = replace(probe, **keys(deeper)._asdict(), evaluations=4.0)
    assert Estimator([run, own], MACHINE).estimate(deeper).source == "probe"


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


def test_of_many_trials_the_newest_tell(
    store: Store, past: Past, tiny: TrialConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rdun.plan.history.NEWEST", 1)
    for seed, step, moment in ((0, 0.25, 100), (1, 0.5, 300), (2, 0.75, 200)):
        os.utime(store.trial(past(with_values(tiny, {"seed": seed}), step=step)).path, (moment, moment))
    assert [found.step for found in past_runs(store, MACHINE)] == [0.5]


def test_damaged_directories_are_passed_over(store: Store, past: Past, tiny: TrialConfig) -> None:
    past(tiny)
    for name, text in (("bad-json", "{"), ("bad-fields", '{"attempts": [{}]}'), ("bad-list", "[]")):
        store.trial(name).write_text("run.json", text)
    store.trial("empty").write_text("note", "")
    assert len(past_runs(store, MACHINE)) == 1


def test_weights_that_are_only_tested(store: Store, past: Past, tiny: TrialConfig) -> None:
    """The time is that of past tests in proportion to what is reconstructed, of one network instead of the last and the best."""
    past(tiny)
    tested = replace(tiny, weights="w.safetensors", optim=replace(tiny.optim, epochs=0))
    amounts = [reconstructed(config).scoring for config in (tiny, tested)]
    assert estimator(store).estimate(tested).seconds == pytest.approx(10 * amounts[1] / amounts[0])
    more = with_values(tested, {"data.test": [*tiny.data.test, tiny.data.train], "recursion.sweep": (4,)})
    assert estimator(store).estimate(more).seconds == pytest.approx(10 * reconstructed(more).scoring / amounts[0])
    other = with_values(tested, {"model.channels": 8})
    assert estimator(store).estimate(other).seconds is None


def test_equal_tests_tell_before_others(store: Store, past: Past, tiny: TrialConfig) -> None:
    """What is no reconstruction, such as the start of a process, is not in proportion to it."""
    past(tiny)
    past(with_values(tiny, {"data.test": [tiny.data.train]}), test=100.0)
    assert estimator(store).estimate(tiny).seconds == pytest.approx(3 * (6 * 0.5 + 3) + 10)


def test_images_that_are_gone_take_the_times_of_tests_with_them(
    store: Store, past: Past, tiny: TrialConfig, tmp_path: Path
) -> None:
    shutil.copytree(tiny.data.test[0], tmp_path / "gone")
    past(with_values(tiny, {"data.test": [str(tmp_path / "gone")]}))
    shutil.rmtree(tmp_path / "gone")
    pixels.cache_clear()
    found = estimator(store).estimate(tiny)
    assert found.seconds == pytest.approx(18 * 0.5) and not (found.validation or found.scoring)


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
    assert makespan([(2, 0.5), (2, 0.5), (2, 1.0)], 8, gpus=2) == (2, 3)  # halves share one, and leave the other whole


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
    assert times == pytest.approx([22, 22, 22], abs=1)
    assert forecast.hours == pytest.approx(sum(times) / 3600)
    assert forecast.seconds == pytest.approx(44, abs=1)
    assert forecast.left_out() == []
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
    check_budget(known, Resources(budget=1.01 * known.hours))
    with pytest.raises(ValueError, match="is exceeded"):
        check_budget(known, Resources(budget=0.99 * known.hours))
    with pytest.raises(
        ValueError, match=r"budget=0.001 core-hours is exceeded: .* about 0.0\d+ core-hours \(\d.\d\d EUR\)"
    ):
        check_budget(known, Resources(budget=0.001, price=Price(100, "EUR")))
