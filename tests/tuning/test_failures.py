"""Trials that fail in every way on a real cluster, and what Tune makes of it."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
import torch

import rdun.tuning.trials
from rdun.config import TrialConfig
from rdun.plan import Part, Room, make_plan
from rdun.results import Attempt, EpochRecord, Lease, Outcome, RunInfo, Store
from rdun.study import Resources
from rdun.trial import run_trial
from rdun.tuning import Capacity, Halted, Silent, cluster, run_trials, trial_resources, waiting
from rdun.tuning.cluster import check_room
from rdun.tuning.failures import IN_VAIN, Restarts, how_it_ended, share_of
from rdun.tuning.watch import Watch
from tests.tuning.conftest import one_arm, wait_for

DIED = (
    "The actor died unexpectedly before finishing this task.\nThe actor is dead because its worker process has died. "
)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (f"{DIED}Worker exits with an exit code 1. The process receives a SIGTERM.", "preempted"),
        ("The actor died because its node has died. Node Id: 6b35493877dd0b55", "preempted"),
        (f"{DIED}Worker unexpectedly exits with a connection error code 2. End of file.", "died"),
        ("Task was killed due to the node running low on memory.", "out of memory"),
        ("SIGTERM\nFailure # 2 (occurred at 2026)\nEnd of file.", "died"),
        ("", "died"),
    ],
)
def test_the_end_of_a_process_is_told_by_its_last_error(error: str, outcome: Outcome) -> None:
    assert how_it_ended(f"Failure # 1 (occurred at 2026)\n{error}\n") == outcome


@pytest.mark.parametrize(
    ("gpus", "doubled", "gpu", "cpu"),
    [(None, 0, 0.25, 2), (None, 1, 0.5, 2), (None, 2, 1, 2), (None, 9, 1, 2), (2, 3, 2, 2), (0, 1, 0, 4), (0, 9, 0, 8)],
)
def test_a_share_is_doubled_up_to_the_whole_device(gpus: float | None, doubled: int, gpu: float, cpu: int) -> None:
    capacity = Capacity((Room(8, 4.0),), "local")
    assert trial_resources(Resources(threads=2, gpus=gpus), capacity, doubled) == {"cpu": cpu, "gpu": gpu}


@pytest.mark.parametrize(("doubled", "gpu"), [(0, 0.1428), (1, 0.2856), (2, 0.5712), (3, 1)])
def test_a_part_by_memory_is_doubled_in_the_same_way_but_what_the_study_says_wins(doubled: int, gpu: float) -> None:
    capacity = Capacity((Room(8, 4.0),), "local")
    assert trial_resources(Resources(), capacity, doubled, planned=0.1428) == {"cpu": 1, "gpu": gpu}
    without = Capacity((Room(8, 0.0),), "local")
    assert trial_resources(Resources(), without, planned=0.1428)["gpu"] == 0


@pytest.mark.parametrize(
    ("machines", "asked", "problem"),
    [
        (
            (Room(8, 4.0), Room(8, 4.0)),
            {"gpus": 8},
            "resources.gpus=8 per trial, but the largest machine of the cluster has 4",
        ),
        (
            (Room(8, 0.0), Room(4, 0.0)),
            {"threads": 9},
            "resources.threads=9 per trial, but the largest machine of the cluster has 8",
        ),
        (
            (Room(8, 0.0), Room(2, 1.0)),
            {"threads": 4},
            "resources.threads=4 and resources.gpus=0.25 per trial, but no machine of the cluster has both",
        ),
    ],
)
def test_what_no_single_machine_has_is_refused_unless_others_may_come(
    machines: tuple[Room, ...], asked: dict[str, int], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them together do not help a trial, which would wait for ever."""
    wanted, capacity = Resources(**asked), Capacity(machines, "10.0.0.1:6379")  # type: ignore[arg-type]
    version = 0
    monkeypatch.setattr(waiting, "_status", lambda: SimpleNamespace(stats=SimpleNamespace(autoscaler_version=version)))
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}; ask for less$"):
        trial_resources(wanted, capacity)
    version = 2  # an autoscaler
    gpus = wanted.gpu_share(capacity.gpus)
    assert trial_resources(wanted, capacity) == {"cpu": wanted.threads, "gpu": gpus}
    assert check_room(wanted.threads, gpus, capacity) == problem


@dataclass
class Failing:
    """A trial of Tune, as far as its failures go."""

    error_file: str
    config: dict[str, dict[str, Any]]
    shares: list[dict[str, float]]

    def update_resources(self, share: dict[str, float]) -> None:
        self.shares.append(share)


@pytest.fixture
def failing(tmp_path: Path) -> Failing:
    return Failing(str(tmp_path / "error.txt"), {"trial": {"fingerprint": "f", "before": "died", "gpus": 0.0}}, [])


@pytest.fixture
def restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Restarts:
    """With four trials on a GPU, on a machine that kills nothing."""
    monkeypatch.setattr("rdun.tuning.failures.out_of_memory_kills", lambda: 0)
    found = Restarts()
    found.store, found.run, found.watch = Store(tmp_path), "ours", Watch()
    found.share = share_of(Resources(), Capacity((Room(8, 1.0),), "local"), found.store)
    return found


def fails(restarts: Restarts, trial: Failing, error: str, times: int = 1) -> str:
    """Why the run ends, after so many failures; empty if it goes on."""
    Path(trial.error_file).write_text(f"Failure # 1\n{error}\n")
    for _ in range(times):
        restarts.on_trial_error(None, trial)
    return restarts.watch.reason


def attempt(outcome: Outcome) -> Attempt:
    return Attempt(
        started="", host="", device="", threads=1, versions={}, revision="", resumed_at_epoch=0, outcome=outcome
    )


def test_only_ends_in_a_row_before_training_begins_end_the_run(restarts: Restarts, failing: Failing) -> None:
    """Machines that are taken away are no fault of the trial, however often; a trial that has begun is counted anew."""
    error = "ImportError: libcudnn.so.9"
    assert not fails(restarts, failing, error, IN_VAIN - 1)
    assert not fails(restarts, failing, "The actor died because its node has died.", 2 * IN_VAIN)
    restarts.store.trial("f").write_run(RunInfo(fingerprint="f", status="running", attempts=(attempt("died"),)))
    assert not fails(restarts, failing, error, IN_VAIN)
    assert f"trial f ended {IN_VAIN} times before training began ({error})" in fails(restarts, failing, error)


def test_what_is_killed_for_memory_has_twice_the_share_and_the_lease_of_a_lost_process_is_freed(
    restarts: Restarts, failing: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next attempt is told how this one ended, also where only the kernel knows of it; another run's lease stays."""
    folder, told = restarts.store.trial("f"), []
    run = RunInfo(fingerprint="f", status="running", attempts=(attempt("running"),))
    kills = [0]
    monkeypatch.setattr("rdun.tuning.failures.out_of_memory_kills", lambda: kills[0])
    for killed, error in ((0, "End of file."), (1, "End of file."), (0, "low on memory"), (0, "SIGTERM")):
        kills[0] += killed
        with Lease(folder, run="ours"):
            folder.write_run(run)
            fails(restarts, failing, error)
            assert not folder.exists("lock.json")
        told.append((failing.config["trial"]["before"], failing.shares[-1]["gpu"]))
    assert told == [("died", 0.25), ("out of memory", 0.5), ("out of memory", 0.5), ("preempted", 0.25)]
    folder.write_run(replace(run, attempts=(attempt("out of memory"), attempt("running"))))
    with Lease(folder, run="another"):
        fails(restarts, failing, "low on memory")
        assert folder.exists("lock.json") and failing.shares[-1]["gpu"] == 1.0


def test_more_cores_than_there_are_are_refused() -> None:
    with pytest.raises(ValueError, match=r"--cpus=10000, but this machine has \d+ cores"), cluster(cpus=10000):
        pass


def test_a_cluster_without_a_node_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    watch, alive = Watch(), [True]
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": alive[0]}])
    monkeypatch.setattr(time, "monotonic", lambda: 1e12)
    assert not watch.stop_all()
    alive[0] = False
    monkeypatch.setattr(time, "monotonic", lambda: 2e12)
    with pytest.raises(Halted, match="lost its node"):
        watch.stop_all()


def seeded(base: TrialConfig, seed: int) -> TrialConfig:
    return replace(base, seed=seed)


class Seen(Silent):
    """A watcher that notes what happens again."""

    def __init__(self) -> None:
        self.again_: list[tuple[str, Outcome]] = []
        self.waits_: list[tuple[str, str]] = []

    def waits(self, fingerprint: str, why: str) -> None:
        self.waits_.append((fingerprint, why))

    def again(self, fingerprint: str, outcome: Outcome) -> None:
        self.again_.append((fingerprint, outcome))


@contextmanager
def memory(place: Path, most: int) -> Iterator[None]:
    """A device of `most` units, of which every trial takes one."""
    with (place / "device").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        used = int(file.read() or 0)
        if used >= most:
            (place / "short").touch()
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 GiB.")
        file.truncate(0)
        file.write(str(used + 1))
        file.flush()
        fcntl.flock(file, fcntl.LOCK_UN)
    try:
        yield
    finally:
        with (place / "device").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            used = int(file.read())
            file.truncate(0)
            file.write(str(used - 1))


@dataclass(frozen=True)
class Scarce:
    """The memory of a GPU that is taken when somebody looks for the first time."""

    place: Path
    name: str = "scarce"

    def free_mib(self) -> float:
        looked = (self.place / "looked").exists()
        (self.place / "looked").touch()
        return 100.0 if looked else 10.0


def hindered(space: Mapping[str, Mapping[str, Any]], *, worker: Any) -> dict[str, Any]:
    """The trainable, in a process in which seeds 0 and 1 share a device for one, seed 2 is told to end, and seed 3 is killed.

    Each process is on a node of its own, so that nobody can look whether another lives, and nobody waits for a lock to expire.
    """
    import rdun.trial.run
    from rdun.training import fit

    place = Path(worker.store).parent

    def watched(config: TrialConfig, *rest: Any) -> Iterator[EpochRecord]:
        if config.seed < 2:
            with memory(place, 1):
                for record in fit(config, *rest):
                    yield record
                    wait_for((place / "short").exists)  # the other comes, now that the door is open
            return
        for record in fit(config, *rest):
            yield record
            told = place / "told"
            if config.seed == 2 and not told.exists():
                told.touch()
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(60)
            if config.seed == 3:
                os.kill(os.getpid(), signal.SIGKILL)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rdun.trial.run, "fit", watched)
        patch.setattr(socket, "gethostname", lambda: f"node of {os.getpid()}")
        patch.setattr(rdun.tuning.trials, "STALE_AFTER", -60.0)
        patch.setattr(rdun.tuning.trials, "shared_memory", lambda device: Scarce(place))
        return trainable(space, worker=worker)


trainable = rdun.tuning.trials._train


def test_each_kind_of_failure_has_its_own_end(
    gpu_capacity: Capacity, tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two trials share a GPU that is none. No retries: those that end well do so because their failures do not count."""
    monkeypatch.setattr(rdun.tuning.trials, "_train", hindered)
    base = replace(tiny, optim=replace(tiny.optim, epochs=2))
    store, seen = Store(tmp_path / "trials"), Seen()
    study = one_arm(base, seeds=(0, 1, 2, 3), retries=0)
    plan = make_plan(study, store, "fp32")
    parts = {t.fingerprint: Part(0.5, 30.0 if t.config.seed == 2 else 0.0) for t in plan.trials}
    run_trials(plan, store, seen, gpu_capacity, parts)
    runs = {}
    for trial in plan.trials:
        run = store.trial(trial.fingerprint).run()
        assert run is not None
        runs[trial.config.seed] = run
        if run.status == "complete":
            run_trial(trial.config, str(tmp_path / trial.fingerprint))
            whole = Store(tmp_path).trial(trial.fingerprint)
            assert store.trial(trial.fingerprint).read("scores.csv") == whole.read("scores.csv")
    check(runs)
    assert {outcome for _, outcome in seen.again_} >= {"preempted", "died"}
    waited = next(t.fingerprint for t in plan.trials if t.config.seed == 2)
    assert seen.waits_ == [(waited, "waits for GPU scarce: 10 MiB are free, this training takes 30")]


def check(runs: dict[int, RunInfo]) -> None:
    outcomes = {seed: [attempt.outcome for attempt in run.attempts] for seed, run in runs.items()}
    assert {seed: run.status for seed, run in runs.items()} == {
        0: "complete",
        1: "complete",
        2: "complete",
        3: "failed",
    }
    assert outcomes[2] == ["preempted", "complete"]
    assert [attempt.resumed_at_epoch for attempt in runs[2].attempts] == [0, 1]
    assert outcomes[3] == ["died"] and "died, again and again" in runs[3].reason
    short = [seed for seed in (0, 1) if "out of memory" in outcomes[seed]]
    assert short
    for seed in short:
        assert outcomes[seed] == ["out of memory", "complete"]
        assert [(attempt.gpus, attempt.alone) for attempt in runs[seed].attempts] == [(0.5, False), (1.0, True)]


def unable(space: Mapping[str, Mapping[str, Any]], *, worker: Any) -> dict[str, Any]:
    raise ImportError("libcudnn.so.9: cannot open shared object file")


def test_processes_that_end_before_any_training_begins_end_the_run_with_their_error(
    capacity: Capacity, tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rdun.tuning.trials, "_train", unable)
    monkeypatch.setattr("rdun.tuning.failures.IN_VAIN", 2)  # each start takes seconds
    study = one_arm(tiny)
    store = Store(tmp_path / "trials")
    with pytest.raises(Halted, match=r"ended 2 times before training began \(ImportError: libcudnn.so.9"):
        run_trials(make_plan(study, store, "fp32"), store, Silent(), capacity)
