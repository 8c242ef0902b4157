"""The cluster that trials run on, and what one of them takes of it."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass

import ray

from rdun.cli import interruptible
from rdun.study import Resources

GPU_SHARE = 0.25
"""Part of a GPU that a trial takes where the study does not say."""


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
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cpus is not None and cpus > cores:
        raise ValueError(f"--cpus={cpus}, but this machine has {cores} cores, and more threads only wait; ask for less")
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
    with contextlib.ExitStack() as stack:
        stack.callback(ray.shutdown)
        stack.enter_context(interruptible())  # once more: Ray ends the process at SIGTERM without a word
        nodes = sum(bool(node["Alive"]) for node in ray.nodes())
        if nodes > 1:
            raise ValueError(
                f"RAY_ADDRESS={address} is a cluster of {nodes} nodes; studies on several nodes are not supported yet: "
                "unset RAY_ADDRESS to use this machine"
            )
        total = ray.cluster_resources()
        yield Capacity(int(total.get("CPU", 0)), float(total.get("GPU", 0)), address or "local")


def trial_resources(wanted: Resources, capacity: Capacity, doubled: int = 0) -> dict[str, float]:
    """What Tune reserves for one trial: as many cores as it has threads, so that all trials together have one thread per core.

    Args:
        doubled: how often its share of the device is doubled, so that fewer trials use the memory: of one GPU, else of the cores.

    Raises:
        ValueError: more than the cluster has.
    """
    gpus = wanted.gpus if wanted.gpus is not None else GPU_SHARE if capacity.gpus else 0.0
    for name, asked, there in (("threads", wanted.threads, capacity.cpus), ("gpus", gpus, capacity.gpus)):
        if asked > there:
            raise ValueError(f"resources.{name}={asked:g} per trial, but the cluster has {there:g}; ask for less")
    if gpus:
        return {"cpu": wanted.threads, "gpu": gpus if gpus >= 1 else min(1.0, gpus * 2**doubled)}
    return {"cpu": min(capacity.cpus, wanted.threads * 2**doubled), "gpu": 0.0}


def is_alone(share: dict[str, float], capacity: Capacity) -> bool:
    """Whether a trial with these resources has its device to itself: the memory of a GPU, else that of the machine."""
    return share["gpu"] >= 1 or (not share["gpu"] and share["cpu"] >= capacity.cpus)
