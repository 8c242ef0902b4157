"""What trials run on where the driver's own machine does not tell: a cluster with GPUs whose head has none."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import NamedTuple

import ray
import torch
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from rdun import monitor
from rdun.plan import Machine
from rdun.study import Resources
from rdun.tuning.cluster import Capacity


class Gpu(NamedTuple):
    """Name and memory in MiB of a node's smallest GPU."""

    name: str
    memory_mib: float


def look() -> Gpu | None:
    """At the GPUs of the machine that this runs on; None: PyTorch sees none."""
    found = [torch.cuda.get_device_properties(index).total_memory for index in range(torch.cuda.device_count())]
    return Gpu(monitor.device_name(torch.device("cuda")), min(found) / 2**20) if found else None


def gpu_machine(
    resources: Resources, capacity: Capacity, patience: float = 60.0, see: Callable[[], Gpu | None] = look
) -> Machine | None:
    """The GPUs of the connected cluster, as its nodes describe them; the machine of the plan where this one has no GPU.

    Args:
        patience: seconds to wait for the nodes' answers.
        see: runs on each node.

    Returns:
        All of them as one machine, with the name of the first and the memory of the smallest. None: trials use no GPU, this
        machine has some itself, or no node answered.
    """
    if not resources.gpu_share(capacity.gpus) or torch.cuda.is_available():
        return None
    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("GPU")]
    asked = [_ask(node, see) for node in nodes]
    found = []
    for answer in ray.wait(asked, num_returns=len(asked), timeout=patience)[0] if asked else []:
        with contextlib.suppress(ray.exceptions.RayError):  # `check_nodes` says what is wrong with a node
            found.append(ray.get(answer))
    gpus = [gpu for gpu in found if gpu]
    if not gpus:
        return None
    return Machine(
        device=gpus[0].name,
        kind="cuda",
        threads=resources.threads,
        recompute=resources.recompute,
        cores=capacity.cpus,
        gpus=max(1, int(capacity.gpus)),
        gpu_memory_mib=min(gpu.memory_mib for gpu in gpus),
    )


def _ask(node: str, see: Callable[[], Gpu | None]) -> ray.ObjectRef:
    """Asks one node, in a process that ends afterwards: one that has looked at a GPU holds memory of it."""
    there = NodeAffinitySchedulingStrategy(node, soft=False)
    return ray.remote(num_cpus=0, max_retries=0, max_calls=1, scheduling_strategy=there)(see).remote()
