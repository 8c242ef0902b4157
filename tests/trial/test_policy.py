"""What becomes of a trial that ended before its end."""

from __future__ import annotations

import errno
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import rdun.trial.account
import rdun.trial.run
from rdun.config import CoastConfig, Fixed, InpaintingTask, TrialConfig, with_values
from rdun.results import EpochRecord, Lost, Outcome, RunInfo, TrialDirectory
from rdun.training import Diverged, TrainState, fit
from rdun.trial import Circumstances, GivenUp, OutOfMemory, Stopped, doublings, run_trial


def broken_off() -> RuntimeError:
    """What ends a capture of a CUDA graph in which memory lacked."""
    error = RuntimeError("CUDA error: operation failed due to a previous error during capture")
    error.__context__ = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    return error


SHARED = Circumstances(run="r", retries=1, alone=False)
ALONE = Circumstances(run="r", retries=1, alone=True)
NO_MEMORY = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:118] . DefaultCPUAllocator: can't allocate memory: you tried 9 bytes."
    ),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    broken_off(),
]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Lets every trial fail with an error when it saves its second epoch."""

    def plant(error: BaseException) -> None:
        save = TrainState.save

        def failed(state: TrainState, folder: Any) -> None:
            if state.epoch == 2:
                raise error
            save(state, folder)

        monkeypatch.setattr(TrainState, "save", failed)

    return plant


def left(path: Path) -> RunInfo:
    run = TrialDirectory(path).run()
    assert run is not None
    return run


def outcomes(path: Path) -> list[Outcome]:
    return [attempt.outcome for attempt in left(path).attempts]


@pytest.mark.parametrize("error", NO_MEMORY, ids=lambda e: type(e).__name__ + str(e)[:12])
def test_out_of_memory_stops_a_trial_that_shares_and_fails_one_that_does_not(
    tiny: TrialConfig, tmp_path: Path, failing: Callable[[BaseException], None], error: Exception
) -> None:
    failing(error)
    with pytest.raises(OutOfMemory, match="goes on with fewer of them"):
        run_trial(tiny, str(tmp_path), circumstances=SHARED)
    assert (left(tmp_path).status, outcomes(tmp_path)) == ("stopped", ["out of memory"])
    assert doublings(left(tmp_path)) == 1
    with pytest.raises(GivenUp, match=r"device to itself; use a larger one, or set optim.batch"):
        run_trial(tiny, str(tmp_path), circumstances=ALONE)
    assert (left(tmp_path).status, outcomes(tmp_path)) == ("failed", ["out of memory", "out of memory"])
    assert left(tmp_path).attempts[1].resumed_at_epoch == 1


def test_crashes_are_counted_within_a_run_and_then_given_up(
    tiny: TrialConfig, tmp_path: Path, failing: Callable[[BaseException], None]
) -> None:
    failing(RuntimeError("broken"))
    with pytest.raises(RuntimeError, match="broken"):
        run_trial(tiny, str(tmp_path), circumstances=ALONE)
    with pytest.raises(GivenUp, match="RuntimeError: broken"):
        run_trial(tiny, str(tmp_path), circumstances=ALONE)
    assert outcomes(tmp_path) == ["error", "error"]
    with pytest.raises(RuntimeError, match="broken"):  # the next command counts anew
        run_trial(tiny, str(tmp_path), circumstances=Circumstances(run="next", retries=1))


def test_a_full_disk_is_no_failure_and_nothing_is_lost(
    tiny: TrialConfig, tmp_path: Path, failing: Callable[[BaseException], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        run_trial(tiny, str(tmp_path / "parts"), circumstances=ALONE)
    assert (left(tmp_path / "parts").status, outcomes(tmp_path / "parts")) == ("stopped", ["stopped"])
    monkeypatch.undo()
    run_trial(tiny, str(tmp_path / "parts"), circumstances=ALONE)
    run_trial(tiny, str(tmp_path / "whole"))
    parts, whole = (TrialDirectory(tmp_path / name) for name in ("parts", "whole"))
    assert parts.read("scores.csv") == whole.read("scores.csv")
    assert left(tmp_path / "parts").attempts[-1].resumed_at_epoch == 1


@pytest.mark.parametrize(("before", "deaths"), [("preempted", 9), ("died", 1)])
def test_a_process_that_died_counts_one_that_was_preempted_does_not(
    tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: Outcome, deaths: int
) -> None:
    class Killed(BaseException):
        """Ends the attempt as kill -9 does: nobody writes anything any more."""

    def die(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(rdun.trial.run, "fit", die)
    around = Circumstances(run="r", retries=1, before=before)
    for _ in range(deaths + 1):
        with pytest.raises(Killed):
            run_trial(tiny, str(tmp_path), circumstances=around)
    if before == "died":
        with pytest.raises(GivenUp, match="died, again and again"):
            run_trial(tiny, str(tmp_path), circumstances=around)
        assert left(tmp_path).status == "failed"
    monkeypatch.undo()
    run_trial(tiny, str(tmp_path), circumstances=Circumstances(run="next", retries=1, before=before))
    assert outcomes(tmp_path) == [before] * (deaths + 1) + ["complete"]


def test_killed_for_memory_although_alone_is_given_up(
    tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(rdun.trial.account.Account, "end", lambda *_: None)
    monkeypatch.setattr(rdun.trial.run, "fit", die)
    with pytest.raises(SystemExit):
        run_trial(tiny, str(tmp_path), circumstances=ALONE)
    around = Circumstances(run="r", retries=1, alone=True, before="out of memory")
    with pytest.raises(GivenUp, match="killed for memory with the device to itself"):
        run_trial(tiny, str(tmp_path), circumstances=around)


def test_divergence_is_a_fact_of_the_trial(tiny: TrialConfig, tmp_path: Path) -> None:
    config = replace(tiny, optim=replace(tiny.optim, lr=1e30))
    with pytest.raises(Diverged):
        run_trial(config, str(tmp_path), circumstances=ALONE)
    found = left(tmp_path).facts["non_finite"]
    assert (found["kind"], found["epoch"], found["step"], found["recursions"]) == ("estimate", 1, 2, 2)
    assert found["parameter"].startswith(f"stages.{found['layer'] - 1}.")
    assert outcomes(tmp_path) == ["diverged"]


def test_a_diverged_training_leaves_its_memory_to_the_search_for_the_place(
    tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Graphs:
        batch = 0

    held: list[weakref.ref[Graphs]] = []

    def graphed(*_: object) -> Graphs:
        made = Graphs()
        held.append(weakref.ref(made))
        return made

    monkeypatch.setattr("rdun.training.loop.graphed_step", graphed)
    monkeypatch.setattr(rdun.trial.run, "first_non_finite", lambda *_: alive.append(held[0]()))
    alive: list[Graphs | None] = []
    with pytest.raises(Diverged, match="stays finite"):
        run_trial(replace(tiny, optim=replace(tiny.optim, lr=1e30)), str(tmp_path))
    assert alive == [None]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (OSError(errno.EIO, "Input/output error"), "error"),
        (NO_MEMORY[1], "out of memory"),
        (NO_MEMORY[2], "out of memory"),
    ],
)
def test_a_checkpoint_that_cannot_be_read_now_is_tried_again(
    tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, outcome: Outcome
) -> None:
    def stop(_: object) -> None:
        raise Stopped("test")

    def fail(*_: object, **__: object) -> None:
        raise error

    run_trial(tiny, str(tmp_path), stop)
    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises((OSError, OutOfMemory)):
        run_trial(tiny, str(tmp_path), circumstances=SHARED)
    assert "delete" not in left(tmp_path).reason
    assert doublings(left(tmp_path)) == (outcome == "out of memory")
    monkeypatch.undo()
    run_trial(tiny, str(tmp_path), circumstances=SHARED)
    assert outcomes(tmp_path) == ["stopped", outcome, "complete"]
    assert left(tmp_path).attempts[-1].resumed_at_epoch == 1


def test_validation_that_is_not_a_number_is_divergence(tiny: TrialConfig, tmp_path: Path) -> None:
    """The loss is finite: once in training, 300 times each in the test."""
    config = with_values(tiny, {"recursion.test": Fixed(counts=(300,)), "optim.lr": 0.3})
    remedy = r"epoch \d: training is finite, .* test counts \(300, 300\) .* lower optim\.lr or set recursion\.test"
    with pytest.raises(Diverged, match=remedy):
        run_trial(config, str(tmp_path), circumstances=ALONE)
    run = left(tmp_path)
    assert (run.status, outcomes(tmp_path)) == ("failed", ["diverged"])
    assert run.reason.endswith("lower optim.lr or set recursion.test")


def test_a_training_that_explodes_and_stays_finite_is_divergence(
    tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would go on to its end."""

    def exploding(config: TrialConfig, *rest: Any) -> Iterator[EpochRecord]:
        network = rest[3].network
        for record in fit(config, *rest):
            yield record
            with torch.no_grad():  # as by one step that was far too large
                for parameter in network.parameters():
                    parameter.mul_(4)

    monkeypatch.setattr(rdun.trial.run, "fit", exploding)
    with pytest.raises(
        Diverged, match=r"epoch 2: the mean squared error .* worse than a gray .* lower optim\.lr, or .* optim\.clip"
    ):
        run_trial(with_values(tiny, {"optim.epochs": 3}), str(tmp_path), circumstances=ALONE)
    assert (left(tmp_path).status, outcomes(tmp_path)) == ("failed", ["diverged"])
    assert len(TrialDirectory(tmp_path).epochs()) == 1


def test_a_validation_without_any_error_is_no_failure(
    tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON has no infinite numbers: such a fact is left out."""
    monkeypatch.setattr(rdun.trial.run, "mean_quality", lambda *_: (float("inf"), 1.0))
    run = run_trial(tiny, str(tmp_path), circumstances=ALONE)
    assert run == left(tmp_path) and run.status == "complete"
    assert run.facts["best_epoch"] == 1 and "best_validation_psnr" not in run.facts
    assert {record.validation_psnr for record in TrialDirectory(tmp_path).epochs()} == {float("inf")}


def test_training_without_any_error_is_no_failure(tiny: TrialConfig, tmp_path: Path) -> None:
    """Every pixel is observed, and the network begins as the identity."""
    task, model = InpaintingTask(ratios=(1.0,), masks=1, block=12), CoastConfig(layers=1, channels=2, start="identity")
    run_trial(replace(tiny, task=task, model=model), str(tmp_path), circumstances=ALONE)
    assert outcomes(tmp_path) == ["complete"]
    assert TrialDirectory(tmp_path).epochs()[0].train_psnr == float("inf")


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), ValueError("anything")])
def test_an_end_that_cannot_be_written_hides_no_error(
    tiny: TrialConfig,
    tmp_path: Path,
    failing: Callable[[BaseException], None],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    def unwritten(*_: object) -> None:
        raise error

    failing(RuntimeError("broken"))
    monkeypatch.setattr(rdun.trial.account.Account, "end", unwritten)
    with pytest.raises(RuntimeError, match="broken") as raised:
        run_trial(tiny, str(tmp_path), circumstances=ALONE)
    assert str(error) in raised.value.__notes__[0]


def test_who_has_lost_the_trial_learns_it_when_it_fails(
    tiny: TrialConfig, tmp_path: Path, failing: Callable[[BaseException], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> None:
        raise Lost("taken over")

    failing(RuntimeError("broken"))
    monkeypatch.setattr(rdun.trial.account.Account, "end", lost)
    with pytest.raises(Lost, match="taken over"):
        run_trial(tiny, str(tmp_path), circumstances=ALONE)


def test_load_samples_that_cannot_be_written_end_no_trial(
    tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unreachable(Exception):
        """As an object store's client raises it: no OSError."""

    def unreachable(*_: object) -> None:
        raise Unreachable

    monkeypatch.setattr(TrialDirectory, "write_system", unreachable)
    assert run_trial(tiny, str(tmp_path), circumstances=ALONE).status == "complete"
