"""Why trials wait: nothing free, machines that are starting or cannot be had, an autoscaler at its maximum."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
import yaml
from ray import tune

PERIOD = 15.0
"""Seconds between two looks at a cluster on which trials wait."""
LEAST = 0.01
"""Of a GPU or core, below which nothing is free."""
BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")
"""What `ray up` leaves on the head: the cluster's file as the autoscaler has it."""


class Waiting(tune.Callback):
    """Says why trials wait, each reason once until it changes.

    Args:
        tell: is given the reason.
    """

    def __init__(self, resource: str, tell: Callable[[str], None]) -> None:
        self.resource, self.tell = resource, tell
        self.said, self.looked = "", time.monotonic()

    def __getstate__(self) -> dict[str, Any]:
        return {}  # as all callbacks here

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        if time.monotonic() < self.looked + PERIOD:
            return
        self.looked = time.monotonic()
        with contextlib.suppress(Exception):  # Tune ends the whole study when a callback raises
            count = sum(trial.status == "PENDING" for trial in trials)
            why = why_waiting(self.resource) if count else ""
            if why and why != self.said:
                self.tell(f"{count} trial{'s wait' if count > 1 else ' waits'}: {why}")
            self.said = why


def why_waiting(resource: str) -> str:
    """One line on what a trial that asks for "GPU" or "CPU" waits for."""
    status = _status()
    if not _scales(status):
        return _nothing_free(resource)
    starting, most = _starting(status), _most()
    parts = [f"{n} {kind} starting" for kind, n in sorted(starting.items())]
    if not starting and status.failed_launches:
        last = max(status.failed_launches, key=lambda launch: launch.failed_ts_s or 0)
        parts.append(f"{last.ray_node_type_name} cannot be had ({' '.join(str(last.details).split())[:160]})")
    if _is_at_maximum(status):
        parts.append(f"the autoscaler is at its maximum of {most} machine{'s' * (most != 1)}")
    return "; ".join(parts) or _nothing_free(resource)


def grows_now() -> bool:
    """Whether the connected cluster would start one more machine for a trial that waits."""
    with contextlib.suppress(Exception):  # an older Ray, or a cluster that does not say
        status = _status()
        return _scales(status) and not _is_at_maximum(status)
    return False


def _starting(status: Any) -> Counter[str]:
    """Machines of each kind that are on their way."""
    found = Counter[str]()
    for launch in status.pending_launches:
        found[launch.ray_node_type_name] += launch.count
    found.update(node.ray_node_type_name for node in status.pending_nodes)
    return found


def _is_at_maximum(status: Any) -> bool:
    kinds, most = worker_kinds(), _most()
    there = sum(node.ray_node_type_name in kinds for node in [*status.active_nodes, *status.idle_nodes])
    return most is not None and there + _starting(status).total() >= most


def _most() -> int | None:
    """Workers that the autoscaler may have at once; None: it is not known."""
    return _bootstrap().get("max_workers")


def _nothing_free(resource: str) -> str:
    total = ray.cluster_resources().get(resource, 0)
    name = "GPU" if resource == "GPU" else "core"
    if not total:
        return f"the cluster has no {name} yet"
    free = ray.available_resources().get(resource, 0)
    if free < LEAST:
        return f"no {name} is free (all {total:g} are in use)"
    return f"{free:g} of {total:g} {name}s are free: processes are starting, or that is too small a rest"


def _scales(status: Any) -> bool:
    """Whether an autoscaler says something; that of machines of one's own (the older one) does not."""
    return int(status.stats.autoscaler_version or 0) > 0


def _status() -> Any:
    from ray.autoscaler.v2.sdk import get_cluster_status

    return get_cluster_status(ray.get_runtime_context().gcs_address)


def worker_kinds() -> dict[str, dict[str, int]]:
    """Kinds of machines that the autoscaler may start, with their resources, as the head of a cluster of `ray up` knows them."""
    config = _bootstrap()
    return {
        name: kind["resources"]
        for name, kind in config.get("available_node_types", {}).items()
        if name != config.get("head_node_type") and kind.get("max_workers", 1) > 0
    }


def _bootstrap() -> dict[str, Any]:
    path = BOOTSTRAP.expanduser()
    found = yaml.safe_load(path.read_text()) if path.is_file() else None
    return found if isinstance(found, dict) else {}


def first_worker(tell: Callable[[str], None]) -> None:
    """Returns when the cluster has a core: at once, or once the autoscaler has started a first machine. Says what it waits for.

    Raises:
        ValueError: nothing here starts machines.
    """
    if ray.cluster_resources().get("CPU", 0):
        return
    if not _scales(_status()):
        raise ValueError("the cluster has no cores for trials and starts no machines by itself; add a worker to it")
    resource = "GPU" if any(kind.get("GPU") for kind in worker_kinds().values()) else "CPU"
    waits = ray.remote(num_cpus=resource == "CPU", num_gpus=resource == "GPU", max_retries=-1)(_nothing).remote()
    said = ""
    while not ray.wait([waits], timeout=PERIOD)[0]:
        if (why := why_waiting(resource)) != said:
            tell(f"Waiting for a first machine: {why}")
            said = why


def _nothing() -> None:
    """Asks for room."""


def may_grow() -> bool:
    """Whether the connected cluster starts machines by itself."""
    with contextlib.suppress(Exception):  # an older Ray, or a cluster that does not say
        return _scales(_status())
    return False
