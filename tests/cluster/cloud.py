"""A cloud on this machine: moto's EC2, IAM and S3, whose instances are hosts of the lab."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.cluster.lab import ROOT, Lab

REGION, PORT, BUCKET = "us-west-2", 5566, "rdun-lab"
NET, FIRST, BITS = "172.31.0", 4, 20
"""moto gives the instances of the region's first zone the addresses 172.31.0.4, .5 and on."""
POLICIES = ROOT / "clusters" / "aws"


ENVIRONMENT = {
    "AWS_ENDPOINT_URL": f"http://{NET}.1:{PORT}",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What a machine needs to find this cloud."""


class Cloud:
    """The hosts as instances: one whose instance is terminated loses its power."""

    def __init__(self, hosts: Lab, say: Callable[[str], None]) -> None:
        self.hosts, self.say = hosts, say
        self.states: dict[str, str] = {}
        self._done = threading.Event()

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=ENVIRONMENT["AWS_ENDPOINT_URL"],
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def instances(self) -> dict[str, dict[str, Any]]:
        """Instances by address."""
        pages = self.client("ec2").describe_instances()["Reservations"]
        return {i["PrivateIpAddress"]: i for page in pages for i in page["Instances"] if i.get("PrivateIpAddress")}

    def count(self, state: str, kind: str) -> int:
        return sum(state == i["State"]["Name"] and tag(i, "ray-node-type") == kind for i in self.instances().values())

    def watch(self) -> None:
        """Notes what becomes of the instances, until `end`."""
        while not self._done.wait(1.0):
            for address, instance in self.instances().items():
                state = instance["State"]["Name"]
                if self.states.get(address) != state:
                    self.states[address] = state
                    market = instance.get("InstanceLifecycle", "on demand")
                    self.say(f"EC2: {tag(instance, 'ray-user-node-type')} ({market}) at {address} is {state}")
                    if state == "terminated":
                        self._switch_off(address)

    def _switch_off(self, address: str) -> None:
        for host in self.hosts.hosts:
            if host.address == address:
                host.lose_power()

    def end(self) -> None:
        self._done.set()


def tag(instance: dict[str, Any], key: str) -> str:
    return next((str(tag["Value"]) for tag in instance.get("Tags", []) if tag["Key"] == key), "")


@contextlib.contextmanager
def cloud(hosts: Lab, say: Callable[[str], None]) -> Iterator[Cloud]:
    """moto's server on the lab's bridge, with what docs/aws.md has the user make: the bucket and the two roles."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
        server = ThreadedMotoServer(ip_address=f"{NET}.1", port=PORT, verbose=False)
        server.start()
        found = Cloud(hosts, say)
        watcher = threading.Thread(target=found.watch, daemon=True)
        try:
            found.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
            for role in ("head", "worker"):
                _make_role(found.client("iam"), f"rdun-{role}", POLICIES / f"{role}-policy.json")
            public = Path(f"{hosts.key}.pub").read_bytes()
            found.client("ec2").import_key_pair(KeyName="lab", PublicKeyMaterial=public)
            watcher.start()
            yield found
        finally:
            found.end()
            time.sleep(0.1)
            server.stop()


def _make_role(iam: Any, name: str, policy: Path) -> None:
    """The commands of docs/aws.md; moto refuses a policy that is none."""
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=(POLICIES / "trust.json").read_text())
    document = policy.read_text().replace("BUCKET", BUCKET)
    iam.put_role_policy(RoleName=name, PolicyName="rdun", PolicyDocument=document)
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def an_image(ec2: Any) -> str:
    """Some image: moto does not resolve the names of public images that the file has."""
    image: str = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    return image
