"""What becomes of a trial that ended before its end."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import rdun.trial.run
from rdun.config import TrialConfig
from rdun.results import Outcome, RunInfo, TrialDirectory
from rdun.training import Diverged, TrainState
from rdun.trial import Circumstances, GivenUp, OutOfMemory, doublings, run_trial

SHARED = Circumstances(run="r", retries=1, alone=False)
ALONE = Circumstances(run="r", retries=1, alone=True)
NO_MEMORY = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:118] . DefaultCPUAllocator: can't allocate memory: you tried 9 bytes."
    ),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
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

    monkeypatch.setattr(rdun.trial.run._Attempt, "_end", lambda *_: None)
    monkeypatch.setattr(rdun.trial.run, "fit", die)
    with pytest.raises(SystemExit):
        run_trial(tiny, str(tmp_path), circumstances=ALONE)
    around = Circumstances(run="r", retries=1, alone=True, before="out of memory")
    with pytest.raises(GivenUp, match="killed for memory with the device to itself"):
        run_trial(tiny, str(tmp_path), circumstances=around)


def test_divergence_is_a_fact_of_the_trial(tiny: TrialConfig, tmp_path: Path) -> None:
    from dataclasses import replace

    config = replace(tiny, optim=replace(tiny.optim, lr=1e30))
    with pytest.raises(Diverged):
        run_trial(config, str(tmp_path), circumstances=ALONE)
    found = left(tmp_path).facts["non_finite"]
    assert (found["kind"], found["epoch"], found["step"], found["recursions"]) == ("estimate", 1, 2, 2)
    assert found["parameter"].startswith(f"stages.{found['layer'] - 1}.")
    assert outcomes(tmp_path) == ["diverged"]
