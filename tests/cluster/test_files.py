"""The cluster files against Ray's own schema; no cloud, no cluster."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.aws.config import _create_default_inbound_rules
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "cluster.yaml", ROOT / "clusters" / "own-machines.yaml"]
POLICIES = sorted((ROOT / "clusters" / "aws").glob("*-policy.json"))
SECRETS = r"BEGIN|AKIA|aws_secret|password|ghp_|token *[:=] *[0-9a-f]{16}"


def prepared(path: Path) -> dict[str, Any]:
    """The file as Ray's launcher takes it; raises what Ray has to say against it."""
    config: dict[str, Any] = prepare_config(yaml.safe_load(path.read_text()))
    validate_config(config)
    return config


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_valid_has_few_lines_to_edit_and_no_secret(path: Path) -> None:
    text = path.read_text()
    prepared(path)
    assert text.count("# EDIT") <= 3
    assert not re.search(SECRETS, text, flags=re.IGNORECASE)
    assert "/.ray/auth_token" in text and "RAY_AUTH_MODE=token" in text
    assert "--dashboard-host=127.0.0.1" in text or "--include-dashboard=false" in text
    assert "0.0.0.0" not in text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_schema_would_notice_a_mistake(path: Path) -> None:
    config = yaml.safe_load(path.read_text()) | {"max_wrkers": 3}
    with pytest.raises(Exception, match="max_wrkers"):
        validate_config(prepare_config(config))


def test_workers_come_from_zero_spot_before_on_demand() -> None:
    config = prepared(FILES[0])
    kinds = config["available_node_types"]
    head, demand, spot = (kinds[name] for name in ("head", "gpu-on-demand", "gpu-spot"))
    assert config["head_node_type"] == "head" and head["resources"] == {"CPU": 0} and head["max_workers"] == 0
    assert [kind["min_workers"] for kind in (demand, spot)] == [0, 0]
    assert spot["priority"] > demand["priority"]
    assert spot["node_config"].pop("InstanceMarketOptions") == {"MarketType": "spot"}
    assert spot["node_config"] == demand["node_config"]
    assert 0 < config["idle_timeout_minutes"] <= 10


def test_only_ssh_is_open_and_no_machine_outlives_its_cluster() -> None:
    """The rules that Ray's launcher makes of the file: anything inside the group, SSH from anywhere, nothing else."""
    config = prepared(FILES[0])
    added = config["provider"].get("security_group", {}).get("IpPermissions", [])
    rules = _create_default_inbound_rules({"sg-rdun"}, added)
    outside = [rule for rule in rules if rule.get("IpRanges") or rule.get("Ipv6Ranges")]
    assert [(rule["FromPort"], rule["ToPort"], rule["IpProtocol"]) for rule in outside] == [(22, 22, "tcp")]
    for kind in config["available_node_types"].values():
        node = kind["node_config"]
        assert "SecurityGroupIds" not in node and "NetworkInterfaces" not in node
        assert node["InstanceInitiatedShutdownBehavior"] == "terminate"
        assert node["MetadataOptions"]["HttpTokens"] == "required"
    assert config["provider"]["cache_stopped_nodes"] is False


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_a_role_may_do_little(path: Path) -> None:
    config = prepared(FILES[0])
    profiles = {kind["node_config"]["IamInstanceProfile"]["Name"] for kind in config["available_node_types"].values()}
    assert profiles == {"rdun-" + policy.stem.removesuffix("-policy") for policy in POLICIES}
    for statement in json.loads(path.read_text())["Statement"]:
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        assert statement["Effect"] == "Allow" and not any("*" in action for action in actions)
        if statement["Resource"] == "*":
            assert all(action.startswith("ec2:Describe") for action in actions)
        if any(action in ("ec2:TerminateInstances", "iam:PassRole") for action in actions):
            assert statement["Condition"]
        if "ec2:TerminateInstances" in actions:
            named = {"aws:ResourceTag/ray-cluster-name": config["cluster_name"]}
            assert statement["Condition"] == {"StringEquals": named}
        if actions == ["iam:PassRole"]:
            assert statement["Resource"].endswith("role/rdun-worker")


def test_a_machine_that_nobody_uses_ends_itself(tmp_path: Path) -> None:
    """services.sh with minutes of 0.1 s and a `sudo` that writes down what it was asked."""
    sudo, asked = tmp_path / "sudo", tmp_path / "asked"
    sudo.write_text(f'#!/bin/sh\necho "$@" > {asked}\n')
    sudo.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "MINUTE": "0.1", "HOME": str(tmp_path)}
    script = str(ROOT / "clusters" / "aws" / "services.sh")
    busy = subprocess.Popen(["bash", "-c", "exec -a rdun-busy-here sleep 1.5"])
    watch = subprocess.Popen(["bash", script, "idle", "5", "[r]dun-busy-here"], env=env)
    assert busy.wait() == 0
    assert not asked.exists() and watch.poll() is None
    watch.wait(timeout=10)
    assert asked.read_text() == "shutdown -h now\n"


def test_services_are_started_once(tmp_path: Path) -> None:
    mlflow = tmp_path / "mlflow"
    mlflow.write_text('#!/bin/sh\necho "$@" >> "$HOME/calls"\nexec sleep 5\n')
    mlflow.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path), "RDUN_BUCKET": "b", "MINUTE": "0"}
    env |= {"IDLE_MINUTES": "0"}
    (tmp_path / "sudo").write_text("#!/bin/sh\n")
    (tmp_path / "sudo").chmod(0o755)
    for _ in range(2):
        subprocess.run(["bash", str(ROOT / "clusters/aws/services.sh"), "head"], env=env, check=True)
        time.sleep(0.5)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == 1
    assert "--host 127.0.0.1" in calls[0] and "s3://b/mlflow" in calls[0]
