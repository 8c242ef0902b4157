"""clusters/kubernetes.yaml against the published schema of KubeRay's RayCluster; no Kubernetes.

raycluster.schema.json is the v1 schema of github.com/ray-project/kuberay, tag v1.7.0,
ray-operator/config/crd/bases/ray.io_rayclusters.yaml, without descriptions and status, and with unknown fields refused, as
`kubectl apply` does.
"""

from __future__ import annotations

import copy
import importlib.metadata
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "clusters" / "kubernetes.yaml"
SCHEMA = json.loads(Path(__file__).with_name("raycluster.schema.json").read_text())


@pytest.fixture
def found() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return content


def test_the_file_is_a_raycluster(found: dict[str, Any]) -> None:
    jsonschema.validate(found, SCHEMA)
    assert FILE.read_text().count("# EDIT") == 3
    assert found["spec"]["rayVersion"] == importlib.metadata.version("ray")


@pytest.mark.parametrize(
    ("where", "field"),
    [
        (("spec",), "workerGroupSpec"),
        (("spec", "headGroupSpec"), "rayStartParam"),
        (("spec", "workerGroupSpecs", 0), "maxReplica"),
    ],
)
def test_the_schema_would_notice_a_mistake(found: dict[str, Any], where: tuple[Any, ...], field: str) -> None:
    wrong = copy.deepcopy(found)
    place: Any = wrong
    for step in where:
        place = place[step]
    place[field] = place.pop(f"{field}s")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, SCHEMA)


def test_workers_come_from_zero_with_a_token_and_nothing_leaves_the_cluster(found: dict[str, Any]) -> None:
    spec = found["spec"]
    head, (worker,) = spec["headGroupSpec"], spec["workerGroupSpecs"]
    assert spec["authOptions"] == {"mode": "token"} and spec["enableInTreeAutoscaling"]
    assert head["rayStartParams"]["num-cpus"] == "0" and head["serviceType"] == "ClusterIP"
    assert head["rayStartParams"]["dashboard-host"] == "127.0.0.1"
    assert worker["minReplicas"] == worker["replicas"] == 0 < worker["maxReplicas"]
    (container,) = worker["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert container["image"] == head["template"]["spec"]["containers"][0]["image"]


def test_the_image_is_made_like_a_machine() -> None:
    text = (ROOT / "clusters" / "Dockerfile").read_text()
    assert "make -s venv EXTRAS=cluster" in text
    assert re.search(r"^FROM python:3\.1[1-4]", text, flags=re.MULTILINE)
