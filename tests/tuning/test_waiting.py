"""Hours held, the end at a budget, and what waiting trials are told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
import yaml

from rdun.config import TrialConfig, with_values
from rdun.plan import make_plan
from rdun.results import Store
from rdun.tuning import Capacity, Halted, Silent, run_trials, waiting
from rdun.tuning.meter import Meter
from rdun.tuning.watch import Watch
from tests.tuning.conftest import one_arm


def trial(status: str, **resources: float) -> Any:
    return SimpleNamespace(status=status, placement_group_factory=SimpleNamespace(required_resources=resources))


def ended(watch: Watch) -> str:
    return watch.reason


def test_hours_are_those_of_running_trials_and_end_the_run_at_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[float, str]] = []
    clock, watch = [0.0], Watch()
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    meter = Meter("GPU-hours", 1.0, watch, lambda *used: told.append(used))
    trials = [
        trial("RUNNING", CPU=4, GPU=0.5),
        trial("RUNNING", CPU=4, GPU=1),
        trial("PENDING", GPU=1),
        trial("TERMINATED", GPU=1),
    ]
    clock[0] = 1800.0
    meter.on_step_end(1, trials)
    assert told == [(0.75, "GPU-hours")] and not ended(watch)
    clock[0] = 3600.0
    meter.on_step_end(2, trials[:1])
    assert told[-1][0] == pytest.approx(1.0)
    assert ended(watch) == "budget=1 GPU-hours is used up; a higher --budget goes on from the checkpoints"
    assert Meter("core-hours", None, watch, print).resource == "CPU"


def launch(kind: str, count: int = 1, failed: float | None = None, details: str = "") -> Any:
    return SimpleNamespace(ray_node_type_name=kind, count=count, failed_ts_s=failed, details=details)


@pytest.fixture
def status(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """An autoscaler's status, and the file that `ray up` leaves on a head."""
    file = tmp_path / "bootstrap.yaml"
    kinds = {"head": {"resources": {}}, "gpu-spot": {"resources": {"GPU": 1}, "max_workers": 3}}
    config = {"provider": {"type": "aws"}, "head_node_type": "head", "max_workers": 2, "available_node_types": kinds}
    file.write_text(yaml.safe_dump(config))
    monkeypatch.setattr(waiting, "BOOTSTRAP", file)
    found = SimpleNamespace(pending_launches=[], pending_nodes=[], failed_launches=[], active_nodes=[], idle_nodes=[])
    found.stats = SimpleNamespace(autoscaler_version="7")
    monkeypatch.setattr(waiting, "_status", lambda: found)
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"GPU": 2.0})
    monkeypatch.setattr(ray, "available_resources", dict)
    return found


def test_the_reason_names_what_starts_what_cannot_be_had_and_the_maximum(status: Any) -> None:
    node = SimpleNamespace(ray_node_type_name="gpu-spot")
    assert "no GPU is free" in waiting.why_waiting("GPU")
    status.pending_launches = [launch("gpu-spot")]
    assert waiting.why_waiting("GPU") == "1 gpu-spot starting"
    status.active_nodes = [node]
    assert waiting.why_waiting("GPU") == "1 gpu-spot starting; the autoscaler is at its maximum of 2 machines"
    status.pending_launches, status.failed_launches = (
        [],
        [launch("gpu-spot", failed=1.0, details="Insufficient\ncapacity")],
    )
    assert waiting.why_waiting("GPU") == "gpu-spot cannot be had (Insufficient capacity)"
    status.failed_launches, status.active_nodes = [], [node, node]
    assert waiting.why_waiting("GPU") == "the autoscaler is at its maximum of 2 machines"


def test_no_machine_more_is_expected_at_the_maximum(status: Any) -> None:
    assert waiting.grows_now()
    status.pending_launches = [launch("gpu-spot")]
    assert waiting.grows_now()
    status.active_nodes = [SimpleNamespace(ray_node_type_name="gpu-spot")]
    assert not waiting.grows_now()
    status.pending_launches, status.stats.autoscaler_version = [], "0"
    assert not waiting.grows_now()


def test_what_is_free_is_told_where_trials_wait_all_the_same(status: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert waiting.why_waiting("GPU") == "no GPU is free (all 2 are in use)"
    monkeypatch.setattr(ray, "available_resources", lambda: {"GPU": 1.5})
    assert waiting.why_waiting("GPU").startswith("1.5 of 2 GPUs are free: processes are starting")


def test_a_reason_is_told_once_until_it_changes(status: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PERIOD", -1.0)
    told: list[str] = []
    callback = waiting.Waiting("GPU", told.append)
    status.pending_launches = [launch("gpu-spot")]
    for _ in range(3):
        callback.on_step_end(1, [trial("PENDING"), trial("PENDING")])
    status.pending_launches = []
    callback.on_step_end(1, [trial("PENDING")])
    callback.on_step_end(1, [trial("RUNNING")])
    assert [line.partition(":")[0] for line in told] == ["2 trials wait", "1 trial waits"]


def test_a_cluster_without_cores_and_autoscaler_is_refused(status: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    status.stats.autoscaler_version = "0"
    monkeypatch.setattr(ray, "cluster_resources", dict)
    with pytest.raises(ValueError, match="has no cores for trials"):
        waiting.first_worker(print)


def test_a_run_ends_at_its_budget(tiny: TrialConfig, tmp_path: Path, capacity: Capacity) -> None:
    study = one_arm(with_values(tiny, {"optim.epochs": 400}), budget=1e-5)
    store = Store(tmp_path / "trials")
    with pytest.raises(Halted, match=r"budget=1e-05 core-hours is used up"):
        run_trials(make_plan(study, store, "fp32"), store, Silent(), capacity)
    assert make_plan(study, store, "fp32").counts()["complete"] == 0
