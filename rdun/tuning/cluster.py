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
from rdun.plan import Room, cores_here, lacking
from rdun.study import Resources
from rdun.tuning.waiting import first_worker, may_grow
from rdun.tuning.watch import Halted


@dataclass(frozen=True)
class Capacity:
    """What the connected cluster offers.

    Attributes:
        machines: a trial runs on one of them.
        address: where it is, "local" or its address.
    """

    machines: tuple[Room, ...]
    address: str

    @property
    def cpus(self) -> int:
        return sum(machine.cpus for machine in self.machines)

    @property
    def gpus(self) -> float:
        return sum(machine.gpus for machine in self.machines)

    @property
    def nodes(self) -> int:
        return len(self.machines)

    @property
    def node_cpus(self) -> int:
        """Cores of the largest machine."""
        return max((machine.cpus for machine in self.machines), default=0)

    def now(self) -> Capacity:
        """The same cluster as it stands: machines come and go."""
        return _capacity(self.address)


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
    cores_here(cpus)
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
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return Capacity(tuple(Room(int(node.get("CPU", 0)), float(node.get("GPU", 0))) for node in nodes), address)


def trial_resources(wanted: Resources, capacity: Capacity, doubled: int = 0, planned: float = 0.0) -> dict[str, float]:
    """What Tune reserves for one trial: as many cores as it has threads, so that all trials together have one thread per core.

    Args:
        planned: its part of a GPU by the memory that it is known to take; 0: not known.
        doubled: how often its share of the device is doubled, so that fewer trials use the memory: of one GPU, else of the cores.

    Raises:
        ValueError: as `check_room`.
    """
    gpus = planned if planned and capacity.gpus else wanted.gpu_share(capacity.gpus)
    check_room(wanted.threads, gpus, capacity)
    if gpus:
        return {"cpu": wanted.threads, "gpu": gpus if gpus >= 1 else min(1.0, gpus * 2**doubled)}
    return {"cpu": max(wanted.threads, min(capacity.node_cpus, wanted.threads * 2**doubled)), "gpu": 0.0}


def check_room(threads: int, gpus: float, capacity: Capacity) -> str:
    """What no machine of the cluster has yet, where others may be started; empty if there is one that has it.

    Raises:
        ValueError: no machine has it, and no other will come: trials would wait for ever.
    """
    whose = "this machine" if capacity.address == "local" else "the largest machine of the cluster"
    problem = lacking(threads, gpus, capacity.machines, whose)
    if problem and (capacity.address == "local" or not may_grow()):
        raise ValueError(f"{problem}; ask for less")
    return problem


def is_alone(share: dict[str, float], capacity: Capacity) -> bool:
    """Whether a trial with these resources has its device to itself: the memory of a GPU, else that of the machine."""
    return share["gpu"] >= 1 or (not share["gpu"] and share["cpu"] >= capacity.node_cpus)
