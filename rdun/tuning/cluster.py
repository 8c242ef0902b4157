"""The cluster that trials run on, and what one of them takes of it."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass

import ray

from rdun.study import Resources


@dataclass(frozen=True)
class Capacity:
    """What the connected cluster offers: CPU cores and GPUs, and where it is ("local" or its address)."""

    cpus: int
    gpus: float
    address: str


@contextlib.contextmanager
def cluster(cpus: int | None = None, gpus: float | None = None) -> Iterator[Capacity]:
    """Connects to the cluster of RAY_ADDRESS, or starts a private one on this machine, never somebody else's.

    Args:
        cpus, gpus: size of a private cluster; None: what the machine has.
    """
    address = os.environ.get("RAY_ADDRESS")
    for name in ("ray", "ray.tune", "ray.train"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if address and cpus is not None:
        raise ValueError(
            f"--cpus={cpus} sizes a private cluster, but RAY_ADDRESS={address} is set; leave one of them out"
        )
    if address:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    else:
        ray.init(
            address="local",
            num_cpus=cpus,
            num_gpus=gpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    try:
        nodes = sum(bool(node["Alive"]) for node in ray.nodes())
        if nodes > 1:
            raise ValueError(
                f"RAY_ADDRESS={address} is a cluster of {nodes} nodes; studies on several nodes are not supported yet: "
                "unset RAY_ADDRESS to use this machine"
            )
        total = ray.cluster_resources()
        yield Capacity(int(total.get("CPU", 0)), float(total.get("GPU", 0)), address or "local")
    finally:
        ray.shutdown()


def trial_resources(wanted: Resources, capacity: Capacity) -> dict[str, float]:
    """What Tune reserves for one trial.

    Raises:
        ValueError: more than the cluster has.
    """
    gpus = wanted.gpu_share(capacity.gpus)
    for name, asked, there in (("threads", wanted.threads, capacity.cpus), ("gpus", gpus, capacity.gpus)):
        if asked > there:
            raise ValueError(f"resources.{name}={asked:g} per trial, but the cluster has {there:g}; ask for less")
    return {"cpu": wanted.threads, "gpu": gpus}
