"""Two nodes of a real Ray cluster, on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from rdun.config import TrialConfig, with_values
from rdun.results import Folder, Store
from rdun.tuning import nodes
from rdun.tuning.nodes import check_nodes

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Cluster]:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def test_nodes_that_are_alike_pass_and_nothing_is_left(two_nodes: Cluster, tiny: TrialConfig, tmp_path: Path) -> None:
    check_nodes([tiny, with_values(tiny, {"seed": 1})], Store(tmp_path))
    assert Folder(tmp_path).names() == []


def test_a_folder_that_the_nodes_do_not_share(two_nodes: Cluster, tiny: TrialConfig) -> None:
    with pytest.raises(ValueError, match=r"node .* does not see --runs 'memory://private'; give a folder on storage"):
        check_nodes([tiny], Store("memory://private"))


def test_other_versions_and_other_code(
    two_nodes: Cluster, tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("rdun.monitor.versions", lambda: {"python": "2.7"})
        with pytest.raises(ValueError, match=r"has python 3.*, the driver 2.7; install the same version on both"):
            check_nodes([tiny], Store(tmp_path))
    monkeypatch.setattr(nodes, "code_hash", lambda: "another")
    with pytest.raises(ValueError, match="has other code of rdun"):
        check_nodes([tiny], Store(tmp_path))


def test_data_that_a_node_lacks(
    two_nodes: Cluster, tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "trial_fingerprint", lambda config: "0" * 16)  # the driver's own images are others
    with pytest.raises(ValueError, match="its images differ from the driver's"):
        check_nodes([tiny], Store(tmp_path))


def test_a_study_goes_on_when_a_node_is_lost(two_nodes: Cluster, images: Path, tmp_path: Path) -> None:
    words = [sys.executable, "studies/run_ablation.py", "tests/studies/tiny_study.py", "--runs"]
    paths = {"IMAGES": str(images), "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db", "EPOCHS": "12"}
    env = {**os.environ, **paths, "PYTHONPATH": str(ROOT)}
    for name in ("alone", "together"):
        env |= {"RAY_ADDRESS": two_nodes.address} if name == "together" else {}
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        driver = subprocess.Popen([*words, str(tmp_path / name)], cwd=ROOT, env=env, **pipes)
        if name == "together":
            wait_for(lambda: len(list(tmp_path.glob("together/trials/*/epochs.csv"))) >= 2)
            two_nodes.remove_node(two_nodes.worker_nodes.copy().pop(), allow_graceful=False)
        output, _ = driver.communicate(timeout=150)
        assert driver.returncode == 0, output
    alone, together = (sorted(tmp_path.glob(f"{name}/trials/*/scores.csv")) for name in ("alone", "together"))
    assert len(alone) == 4
    assert [p.read_bytes() for p in alone] == [p.read_bytes() for p in together]
    attempts = [len(json.loads(p.with_name("run.json").read_text())["attempts"]) for p in together]
    assert max(attempts) == 2, "no trial was interrupted: the node was lost too late"
    assert sorted(p.name for p in (tmp_path / "together" / "trials").iterdir()) == sorted(
        p.parent.name for p in together
    )


def wait_for(condition: Callable[[], bool], patience: float = 60.0) -> None:
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
