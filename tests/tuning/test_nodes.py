"""Two nodes of a real Ray cluster, on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from rdun.config import TrialConfig, with_values
from rdun.results import Folder, Store
from rdun.tuning import nodes
from rdun.tuning.nodes import check_nodes


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[None]:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()
    cluster.shutdown()


def test_nodes_that_are_alike_pass_and_nothing_is_left(two_nodes: None, tiny: TrialConfig, tmp_path: Path) -> None:
    check_nodes([tiny, with_values(tiny, {"seed": 1})], Store(tmp_path))
    assert Folder(tmp_path).names() == []


def test_a_folder_that_the_nodes_do_not_share(two_nodes: None, tiny: TrialConfig) -> None:
    with pytest.raises(ValueError, match=r"node .* does not see --runs 'memory://private'; give a folder on storage"):
        check_nodes([tiny], Store("memory://private"))


def test_other_versions_and_other_code(
    two_nodes: None, tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("rdun.monitor.versions", lambda: {"python": "2.7"})
        with pytest.raises(ValueError, match=r"has python 3.*, the driver 2.7; install the same version on both"):
            check_nodes([tiny], Store(tmp_path))
    monkeypatch.setattr(nodes, "code_hash", lambda: "another")
    with pytest.raises(ValueError, match="has other code of rdun"):
        check_nodes([tiny], Store(tmp_path))


def test_data_that_a_node_lacks(two_nodes: None, tiny: TrialConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "trial_fingerprint", lambda config: "0" * 16)  # the driver's own images are others
    with pytest.raises(ValueError, match="its images differ from the driver's"):
        check_nodes([tiny], Store(tmp_path))
