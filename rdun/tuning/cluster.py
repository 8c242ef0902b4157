"""The cluster that trials run on, and what one of them takes of it."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import ray

from rdun.cli import interruptible
from rdun.study import Resources
from rdun.tuning.waiting import first_worker
from rdun.tuning.watch import Halted


@dataclass(frozen=True)
class Capacity:
    """What the connected cluster offers: CPU cores, GPUs, machines, and where it is ("local" or its address).

    `node_cpus`: cores of the largest machine, which is all that one trial can have.
    """

    cpus: int
    gpus: float
    nodes: int
    node_cpus: int
    address: str


@contextlib.contextmanager
def cluster(
    cpus: int | None = None, gpus: float | None = None, tell: Callable[[str], None] = print
) -> Iterator[Capacity]:
    """A cluster to train on: that of RAY_ADDRESS, or a private one on this machine, never somebody else's.

    Args:
        cpus, gpus: size of a private cluster; None: what the machine has.
        tell: is told what is waited for where machines are started on demand.

    Raises:
        ValueError: more cores than there are, a size for a cluster that already runs, or one that cannot be joined.
        Halted: Ray does not start here.
    """
    address = os.environ.get("RAY_ADDRESS")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cpus is not None and cpus > cores:
        raise ValueError(f"--cpus={cpus}, but this machine has {cores} cores, and more threads only wait; ask for less")
    if address and cpus is not None:
        raise ValueError(
            f"--cpus={cpus} sizes a private cluster, but RAY_ADDRESS={address} is set; leave one of them out"
        )
    with _entered(address) if address else private_cluster(cpus, gpus) as capacity:
        if not capacity.cpus:
            first_worker(tell)
            capacity = _capacity(capacity.address)
        yield capacity


@contextlib.contextmanager
def private_cluster(cpus: int | None = None, gpus: float | None = None) -> Iterator[Capacity]:
    """Starts a cluster on this machine and ends it afterwards. Trials that only wait may have more CPUs than there are cores."""
    with _entered("local", cpus, gpus) as capacity:
        yield capacity


@contextlib.contextmanager
def _entered(address: str, cpus: int | None = None, gpus: float | None = None) -> Iterator[Capacity]:
    for name in ("ray", "ray.tune", "ray.train"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if address != "local":
        _check_answers(address)
    try:
        ray.init(
            address=address,
            num_cpus=cpus,
            num_gpus=gpus,
            include_dashboard=False if address == "local" else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except Exception as error:  # Ray raises bare ones; a second try would run beside what is left of the first
        why = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        if address == "local":
            raise Halted(
                f"Ray did not start on this machine ({why}); nothing is lost: wait until less runs here, or take fewer cores "
                "with --cpus"
            ) from error
        raise ValueError(
            f"RAY_ADDRESS={address}: that cluster cannot be joined ({why}); set RAY_AUTH_MODE=token if it asks for a token, take "
            "the Ray and Python that it has, or unset RAY_ADDRESS to use this machine"
        ) from error
    with contextlib.ExitStack() as stack:
        stack.callback(leave)
        stack.enter_context(interruptible())  # once more: Ray ends the process at SIGTERM without a word
        yield _capacity(address)


def _check_answers(address: str) -> None:
    """Ray itself would look for a cluster that is not there for a quarter of an hour. What is no HOST:PORT is left to it."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon:
        try:
            socket.create_connection((host.strip("[]"), port), timeout=10).close()
        except OSError as error:
            raise ValueError(
                f"RAY_ADDRESS={address}: no cluster answers there ({error}); start it, or unset RAY_ADDRESS to use this machine"
            ) from None


def leave() -> None:
    """Leaves the cluster with nothing that Python's garbage collector would still find.

    Ray ends the process with exit code 1, without a word, when a reference to one of its objects goes while it shuts down;
    Tune leaves such references in cycles, and a thread that runs meanwhile may collect them.
    """
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        ray.shutdown()
    finally:
        if enabled:
            gc.enable()


def _capacity(address: str) -> Capacity:
    total, nodes = ray.cluster_resources(), [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return Capacity(
        cpus=int(total.get("CPU", 0)),
        gpus=float(total.get("GPU", 0)),
        nodes=len(nodes),
        node_cpus=max((int(node.get("CPU", 0)) for node in nodes), default=0),
        address=address,
    )


def trial_resources(wanted: Resources, capacity: Capacity, doubled: int = 0, planned: float = 0.0) -> dict[str, float]:
    """What Tune reserves for one trial: as many cores as it has threads, so that all trials together have one thread per core.

    Args:
        planned: its part of a GPU by the memory that it is known to take; 0: not known.
        doubled: how often its share of the device is doubled, so that fewer trials use the memory: of one GPU, else of the cores.

    Raises:
        ValueError: more than the cluster has.
    """
    gpus = planned if planned and capacity.gpus else wanted.gpu_share(capacity.gpus)
    for name, asked, there in (("threads", wanted.threads, capacity.node_cpus), ("gpus", gpus, capacity.gpus)):
        if asked > there:
            raise ValueError(f"resources.{name}={asked:g} per trial, but the cluster has {there:g}; ask for less")
    if gpus:
        return {"cpu": wanted.threads, "gpu": gpus if gpus >= 1 else min(1.0, gpus * 2**doubled)}
    return {"cpu": min(capacity.node_cpus, wanted.threads * 2**doubled), "gpu": 0.0}


def is_alone(share: dict[str, float], capacity: Capacity) -> bool:
    """Whether a trial with these resources has its device to itself: the memory of a GPU, else that of the machine."""
    return share["gpu"] >= 1 or (not share["gpu"] and share["cpu"] >= capacity.node_cpus)
