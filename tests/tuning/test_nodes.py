"""Two nodes of a real Ray cluster, on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from rdun.config import TrialConfig, with_values
from rdun.plan import Estimate, Machine, Room, make_plan, part_of
from rdun.results import Folder, Store, TrialDirectory
from rdun.study import Resources
from rdun.trial import run_trial
from rdun.tuning import nodes
from rdun.tuning.cluster import Capacity, _capacity, leave
from rdun.tuning.machines import Gpu, gpu_machine
from rdun.tuning.nodes import check_nodes
from studies.loading import load_study
from tests.conftest import SharedCluster
from tests.databases import empty_database
from tests.tuning.conftest import wait_for

ROOT = Path(__file__).parents[2]
THEIRS = Capacity((Room(1, 0.0), Room(1, 0.0)), "10.0.0.1:6379")


def test_a_single_machine_is_asked_too_unless_it_is_private(
    capacity: Capacity, tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "code_hash", lambda: "another")
    check_nodes([tiny], Store(tmp_path), capacity)
    with pytest.raises(ValueError, match="has other code of rdun"):
        check_nodes([tiny], Store(tmp_path), THEIRS)


@pytest.fixture(scope="module")
def two_nodes(shared_cluster: SharedCluster) -> Iterator[Cluster]:
    shared_cluster.close()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    yield cluster
    leave()
    cluster.shutdown()


def test_nodes_that_are_alike_pass_and_nothing_is_left(two_nodes: Cluster, tiny: TrialConfig, tmp_path: Path) -> None:
    check_nodes([tiny, with_values(tiny, {"seed": 1})], Store(tmp_path), THEIRS)
    assert Folder(tmp_path).names() == []


def test_a_folder_that_the_nodes_do_not_share(two_nodes: Cluster, tiny: TrialConfig) -> None:
    with pytest.raises(ValueError, match=r"node .* does not see --runs 'memory://private'; give a folder on storage"):
        check_nodes([tiny], Store("memory://private"), THEIRS)


def test_other_versions_and_other_code(
    two_nodes: Cluster, tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("rdun.monitor.versions", lambda: {"python": "2.7"})
        with pytest.raises(ValueError, match=r"has python 3.*, the driver 2.7; install the same version on both"):
            check_nodes([tiny], Store(tmp_path), THEIRS)
    monkeypatch.setattr(nodes, "code_hash", lambda: "another")
    with pytest.raises(ValueError, match="has other code of rdun"):
        check_nodes([tiny], Store(tmp_path), THEIRS)


def test_data_that_a_node_lacks(
    two_nodes: Cluster, tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "trial_fingerprint", lambda config: "0" * 16)  # the driver's own images are others
    with pytest.raises(ValueError, match="its images differ from the driver's"):
        check_nodes([tiny], Store(tmp_path), THEIRS)


def test_a_study_goes_on_when_a_node_is_lost(
    two_nodes: Cluster, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The study on both nodes gives the scores that each of its trials gives alone, without Ray."""
    words = [sys.executable, "studies/run_ablation.py", "tests/studies/tiny_study.py", "--runs"]
    paths = {"IMAGES": str(images), "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db", "EPOCHS": "12"}
    for name, value in paths.items():
        monkeypatch.setenv(name, value)
    shutil.copyfile(empty_database(), tmp_path / "mlflow.db")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": two_nodes.address}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    driver = subprocess.Popen([*words, str(tmp_path / "together")], cwd=ROOT, env=env, **pipes)
    begun = "together/trials/*/epochs.csv"
    wait_for(lambda: len(list(tmp_path.glob(begun))) >= 2 or driver.poll() is not None)
    two_nodes.remove_node(two_nodes.worker_nodes.copy().pop(), allow_graceful=False)
    output, _ = driver.communicate(timeout=150)
    assert driver.returncode == 0, output
    store, attempts = Store(tmp_path / "together" / "trials"), []
    plan = make_plan(load_study("tests/studies/tiny_study.py"), store, "fp32")
    assert len(plan.trials) == 4
    for trial in plan.trials:
        alone, together = TrialDirectory(tmp_path / trial.fingerprint), store.trial(trial.fingerprint)
        run_trial(trial.config, alone.path)
        assert together.read("scores.csv") == alone.read("scores.csv")
        info = together.run()
        assert info is not None
        attempts.append(len(info.attempts))
    assert max(attempts) == 2, "no trial was interrupted: the node was lost too late"
    assert Folder(store.path).names() == [*sorted(trial.fingerprint for trial in plan.trials), "trainings"]


def test_the_gpus_of_a_cluster_are_described_by_its_nodes(two_nodes: Cluster) -> None:
    """Where this machine has none; on the nodes too it takes a stand-in for PyTorch's answer."""

    def capacity() -> Capacity:
        return _capacity(two_nodes.address)

    assert gpu_machine(Resources(), capacity(), see=lambda: Gpu("none", 1.0)) is None
    two_nodes.add_node(num_cpus=16, num_gpus=2)
    seen = gpu_machine(Resources(threads=2), capacity(), see=lambda: Gpu("A GPU", 80_000.0))
    cores = capacity().cpus
    assert seen == Machine(device="A GPU", kind="cuda", threads=2, cores=cores, gpus=2, gpu_memory_mib=80_000.0)
    assert gpu_machine(Resources(), capacity()) is None  # PyTorch sees none there, and says so
    assert gpu_machine(Resources(gpus=0), capacity(), see=lambda: Gpu("A GPU", 1.0)) is None
    assert gpu_machine(Resources(), capacity(), see=lambda: 1 / 0) is None  # type: ignore[arg-type,return-value]
    part = part_of(Resources(), seen, Estimate(gpu_memory_mib=18_000.0, source="past runs"), trials=100)
    assert (part.gpus, part.memory_mib) == (0.3333, 18_000.0)  # three fit, with their margin
