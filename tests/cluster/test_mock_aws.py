"""cluster.yaml with Ray's real launcher and autoscaler against a mock EC2: `make test-cluster` (needs root)."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.cloud import BITS, BUCKET, ENVIRONMENT, FIRST, NET, Cloud, an_image, cloud
from tests.cluster.lab import ROOT, VENV, Lab, lab, lacking
from tests.cluster.laptop import EXPORT, Laptop, wait_for

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(bool(lacking()), reason=f"hosts cannot be made: {lacking()}"),
]
FILE = ROOT / "cluster.yaml"
TINY = ROOT / "tests" / "studies" / "tiny_study.py"
SEARCH = ROOT / "tests" / "studies" / "tiny_search.py"
WORKERS = 2


def edited(hosts: Lab) -> dict[str, Any]:
    """The file with its EDIT lines filled in, for hosts without an internet: this environment instead of a new one."""
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())
    found["cluster_name"] = f"rdun-aws-{os.getpid()}"
    found |= {"max_workers": WORKERS, "idle_timeout_minutes": 0.5}
    found["provider"] |= {"use_internal_ips": True, "availability_zone": "us-west-2a"}
    found["auth"] = {"ssh_user": "root", "ssh_private_key": str(hosts.key)}
    bucket, environment, install, data = found["setup_commands"]
    assert install == "make -s -C ~/rdun venv EXTRAS=cluster" and data == "python -m rdun.data get t91 set11 bsd68"
    variables = " ".join(f"{name}={value}" for name, value in ENVIRONMENT.items())
    found["setup_commands"] = [
        bucket.replace("rdun-my-bucket", f"{BUCKET} {variables}"),
        environment.replace("export ", EXPORT),
        f"ln -sfn {VENV} ~/rdun/.venv",
    ]
    for kind in found["available_node_types"].values():
        kind["node_config"] |= {"KeyName": "lab"}
    return found


@pytest.fixture
def laptop(images: Path) -> Iterator[Laptop]:
    with lab(2 * WORKERS + 1, NET, FIRST, BITS) as hosts:
        found = Laptop(hosts, edited(hosts))
        found.env |= ENVIRONMENT
        folder = hosts.folder / "images"
        shutil.copytree(images, folder)
        study = TINY.read_text().replace('os.environ["IMAGES"]', repr(str(folder)))
        study = study.replace('os.environ.get("EPOCHS", "2")', '"320"').replace(
            "seeds=", "resources=Resources(gpus=1), seeds="
        )
        (found.home / "my_study.py").write_text(study.replace("import Arm, Claim,", "import Arm, Claim, Resources,"))
        search = SEARCH.read_text().replace('os.environ["IMAGES"]', repr(str(folder)))
        search = search.replace('"trials": 4', '"trials": 2, "resources": Resources(gpus=1)').replace(
            "epochs=2", "epochs=310"
        )
        (found.home / "my_search.py").write_text(f"{search}\n\nfrom rdun.study import Resources\n")
        yield found


def test_from_zero_workers_up_and_back_down(laptop: Laptop) -> None:
    with cloud(laptop.lab, laptop.say) as there:
        file = yaml.safe_load((laptop.checkout / "lab.yaml").read_text())
        for kind in file["available_node_types"].values():
            kind["node_config"]["ImageId"] = an_image(there.client("ec2"))
        (laptop.checkout / "lab.yaml").write_text(yaml.safe_dump(file))

        laptop.do("ray", "get-auth-token", "--generate")
        laptop.ray("up", "-y", "--no-config-cache")
        assert there.count("running", "head") == 1 and there.count("running", "worker") == 0
        _only_ssh_is_open(there)
        laptop.say_usage("head with tracker", f"{NET}.{FIRST}")

        output = laptop.do("python", "studies/run_ablation.py", "../my_study.py", "--cluster", "lab.yaml", timeout=700)
        print("\n".join(f"          | {line}" for line in output.splitlines()))
        assert "Waiting for a first machine" in output and "gpu-spot starting" in output
        assert f"the autoscaler is at its maximum of {WORKERS} machines" in output
        assert "4 of 4 trials complete, 0 failed." in output
        assert (laptop.checkout / "runs" / "clusters" / file["cluster_name"] / "tiny" / "report.html").is_file()
        workers = [i for i in there.instances().values() if i["PrivateIpAddress"] != f"{NET}.{FIRST}"]
        assert [i.get("InstanceLifecycle") for i in workers] == ["spot"] * WORKERS
        s3 = there.client("s3")
        keys = [k["Key"] for k in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
        trials = [key for key in keys if key.startswith("runs/trials/")]
        assert "runs/studies/tiny/report.html" in keys and sum(key.endswith("/scores.csv") for key in trials) == 4
        assert any(key.startswith("mlflow/") for key in keys), "the tracker keeps its files in the bucket"
        assert _hosts(there, [key for key in trials if key.endswith("/run.json")]) == {"rdun-1", "rdun-2"}
        assert not any(key.startswith("runs/tune-") for key in keys)

        wait_for(lambda: there.count("terminated", "worker") == WORKERS, 180)
        laptop.say("no worker is left")

        _search(laptop, there)
        wait_for(lambda: there.count("terminated", "worker") == 2 * WORKERS, 180)
        laptop.ray("down", "-y")
        wait_for(lambda: there.count("terminated", "head") == 1, 30)


def _search(laptop: Laptop, there: Cloud) -> None:
    """It too starts the machines that it has room for; its database is in the bucket."""
    output = laptop.do("python", "studies/run_ablation.py", "../my_search.py", "--cluster", "lab.yaml", timeout=500)
    print("\n".join(f"          | {line}" for line in output.splitlines()))
    assert "Waiting for a first machine" in output and "2 complete" in output
    s3 = there.client("s3")
    assert s3.head_object(Bucket=BUCKET, Key="runs/studies/tiny-search/search.db")["ContentLength"]
    record = json.load(s3.get_object(Bucket=BUCKET, Key="runs/studies/tiny-search/search.json")["Body"])
    settings = [*(trial["fingerprints"] for trial in record["trials"]), *record["baselines"].values()]
    assert len(_hosts(there, [f"runs/trials/{f}/run.json" for prints in settings for f in prints])) == WORKERS


def _hosts(there: Cloud, keys: list[str]) -> set[str]:
    """Where the trials of these run.json have run."""
    runs = [json.load(there.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"]) for key in keys]
    return {attempt["host"] for run in runs for attempt in run["attempts"]}


def _only_ssh_is_open(there: Cloud) -> None:
    """The security group that Ray's launcher has really made."""
    groups = there.client("ec2").describe_security_groups()["SecurityGroups"]
    (group,) = [group for group in groups if group["GroupName"].startswith("ray-autoscaler-rdun")]
    outside = [rule for rule in group["IpPermissions"] if rule.get("IpRanges") or rule.get("Ipv6Ranges")]
    assert [(rule["FromPort"], rule["ToPort"]) for rule in outside] == [(22, 22)]
