"""Before a study starts on a cluster: does each of its machines see the runs folder and the data, and run the same code?"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from rdun.config import TrialConfig, from_dict, to_dict
from rdun.data import DATA_VARIABLE, trial_fingerprint
from rdun.results import Folder, Store
from rdun.tuning.cluster import Capacity

DECIDING = ("python", "torch", "numpy", "scikit-image", "pillow", "ray")
"""Packages whose versions must be equal: they touch the numbers, or the driver talks to them."""


def check_nodes(configs: Iterable[TrialConfig], store: Store, capacity: Capacity, patience: float = 120.0) -> None:
    """Asks every node of the connected cluster, all at once, what a trial on it would find. A private one is as its driver.

    Args:
        configs: the trials; one of each data set is looked for.
        patience: seconds to wait for the answers.

    Raises:
        ValueError: a node that cannot see the runs folder or the data, has other versions or other code, or does not answer.
    """
    if capacity.address == "local":
        return
    nodes = [node for node in ray.nodes() if node["Alive"]]
    folder, name = Folder(store.path), f"nodes-{uuid.uuid4().hex[:8]}"
    folder.write(name, b"here")
    wanted = {trial_fingerprint(c): to_dict(c) for c in _one_of_each_data(configs)}
    try:
        asked = [_ask(node["NodeID"], store.path, name, json.dumps(wanted)) for node in nodes]
        ready, _ = ray.wait(asked, num_returns=len(asked), timeout=patience)
        for node, answer in zip(nodes, asked, strict=True):
            address = node["NodeManagerAddress"]
            if answer not in ready:
                raise ValueError(
                    f"node {address} did not answer within {patience:.0f} s; end it, or wait until it is up"
                )
            _check(address, _answer_of(address, answer), store)
    finally:
        folder.remove(name)


def _one_of_each_data(configs: Iterable[TrialConfig]) -> Sequence[TrialConfig]:
    known = {(c.data.train, c.data.validation, c.data.test, c.weights): c for c in configs}
    return [replace(c, precision="fp32") for c in known.values()]  # any will do to compare the images


def _ask(node: str, store: str, name: str, wanted: str) -> Any:
    there = NodeAffinitySchedulingStrategy(node, soft=False)
    task = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=there)(_look)
    return task.remote(store, name, wanted, os.environ.get(DATA_VARIABLE))


def _look(store: str, name: str, wanted: str, data: str | None) -> dict[str, Any]:
    """What this node sees. Runs there."""
    from rdun.monitor import versions

    if data:
        os.environ[DATA_VARIABLE] = data
    problems = []
    for fingerprint, config in json.loads(wanted).items():
        try:
            found = trial_fingerprint(from_dict(TrialConfig, config))
            problems += [] if found == fingerprint else ["its images differ from the driver's"]
        except (ValueError, OSError) as error:
            problems.append(str(error))
    sees = Folder(store).read_if_there(name) == b"here"
    return {"sees": sees, "versions": versions(), "code": code_hash(), "problems": problems}


def _answer_of(address: str, answer: Any) -> dict[str, Any]:
    try:
        found: dict[str, Any] = ray.get(answer)
    except ray.exceptions.RayError as error:
        line = str(error).strip().splitlines()[-1]
        raise ValueError(
            f"node {address} cannot run trials ({line}); install this project there as on the driver"
        ) from None
    return found


def _check(address: str, found: Mapping[str, Any], store: Store) -> None:
    from rdun.monitor import versions

    if not found["sees"]:
        raise ValueError(
            f"node {address} does not see --runs {store.path!r}; give a folder on storage that all nodes share: a network "
            "disk at the same path everywhere, or s3://BUCKET/FOLDER"
        )
    ours, theirs = versions(), found["versions"]
    for name in DECIDING:
        if ours.get(name) != theirs.get(name):
            raise ValueError(
                f"node {address} has {name} {theirs.get(name)}, the driver {ours.get(name)}; install the same version on both"
            )
    if found["code"] != code_hash():
        raise ValueError(f"node {address} has other code of rdun than the driver; bring both to the same commit")
    for problem in found["problems"]:
        raise ValueError(f"node {address}: {problem}")


@contextlib.contextmanager
def scratch(store: Store, *, shared: bool) -> Iterator[str]:
    """A folder for Tune's own records, which nobody needs afterwards; with several machines, one that all of them see."""
    if not shared:
        with tempfile.TemporaryDirectory(prefix="rdun-tune-") as here:
            yield here
        return
    folder = Folder(f"{store.path}/tune-{uuid.uuid4().hex[:8]}")
    try:
        yield folder.path if folder.is_local else folder.fs.unstrip_protocol(folder.path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            folder.fs.rm(folder.path, recursive=True)


def code_hash() -> str:
    """sha256 of this package's source files."""
    root, total = Path(__file__).parent.parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:16]
