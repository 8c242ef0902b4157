"""Shared pieces: tiny images, a tiny config, one Ray cluster for each process that runs tests."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from rdun.tuning import Capacity
    from tests.buckets import Bucket

from rdun.config import BlockSensingTask, CoastConfig, DataConfig, Fixed, OptimConfig, RecursionConfig, TrialConfig

with contextlib.suppress(ModuleNotFoundError):  # no tracker on a machine with a GPU and little more than PyTorch
    import tests.databases  # noqa: F401

CLUSTERS = (
    tuple(
        f"tests/tuning/test_{name}.py" for name in ("failures", "leaving", "nodes", "run_search", "stopping", "waiting")
    ),
    ("tests/data/test_workers.py", "tests/replay/test_replay.py", "tests/studies/"),
)
"""Where tests start clusters, and wait for them most of the time."""


class Scheduling(LoadFileScheduling):
    """Of the processes that run the tests one begins with each group that starts clusters; each other file stays with one."""

    def _split_scope(self, nodeid: str) -> str:
        for number, places in enumerate(CLUSTERS):
            if nodeid.startswith(places):
                return f"clusters {number}"
        return str(super()._split_scope(nodeid))

    def _assign_work_unit(self, node: Any) -> None:
        for scope in [scope for scope in self.workqueue if scope.startswith("clusters")]:
            self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


@pytest.fixture(scope="session", autouse=True)
def _files_without_waiting_for_the_disk() -> Iterator[None]:
    """What tests write need not outlive a power failure; waiting for the disk took half of the time of some."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield


def photograph(seed: int, shape: tuple[int, int]) -> np.ndarray:
    """A smooth random picture with edges: enough structure for a network to learn something."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    picture: np.ndarray = sum(
        np.sin(x * generator.uniform(0.02, 0.3) + y * generator.uniform(0.02, 0.3) + generator.uniform(0, 6))
        for _ in range(6)
    )
    picture = picture + 2.0 * (x * generator.normal() + y * generator.normal() > 20)
    scaled = (picture - picture.min()) / np.ptp(picture) * 255
    pixels: np.ndarray = np.rint(scaled).astype(np.uint8)
    return pixels


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders train, validation and test with a few small PNG images each."""
    root = tmp_path_factory.mktemp("images")
    for name, shapes in {"train": [(72, 80), (66, 70)], "validation": [(40, 50)], "test": [(45, 66), (50, 40)]}.items():
        (root / name).mkdir()
        for index, shape in enumerate(shapes):
            Image.fromarray(photograph(hash_free(name, index), shape)).save(root / name / f"{name}{index}.png")
    return root


def hash_free(name: str, index: int) -> int:
    """A seed that does not depend on Python's hash."""
    return sum(map(ord, name)) * 10 + index


@pytest.fixture
def tiny(images: Path) -> TrialConfig:
    return tiny_trial(images)


def tiny_trial(images: Path) -> TrialConfig:
    """A trial of a second: 2 stages of 4 channels, 12x12 blocks, 3 epochs of 6 steps; on images in train, validation and test."""
    return TrialConfig(
        task=BlockSensingTask(ratios=(0.25,), block=12, matrices=2, initial="linear", ridge=1e-3),
        model=CoastConfig(layers=2, channels=4, start="identity"),
        recursion=RecursionConfig(train=Fixed(counts=(1,))),
        data=DataConfig(
            train=str(images / "train"),
            validation=str(images / "validation"),
            test=(str(images / "test"),),
            stride=6,
            epoch_samples=48,
        ),
        optim=OptimConfig(lr=2e-3, batch=8, epochs=3),
        precision="fp32",
    )


def draw_roughly(patch: pytest.MonkeyPatch) -> None:
    """Figures of reports without PDF and with few pixels, which takes half their time, for tests that look at something else."""
    patch.setattr("analysis.figures.output.RESOLUTION", 20)
    patch.setattr("analysis.figures.output.FigureCanvasPdf.print_pdf", lambda canvas, file, metadata: None)


@pytest.fixture
def rough_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    draw_roughly(monkeypatch)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of published data and weights, or a skip."""
    root = os.environ.get("RDUN_DATA")
    if not root:
        pytest.skip("needs RDUN_DATA: a folder with t91/, set11/, bsd68/ and weights/")
    return Path(root)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Bucket]:
    from tests.buckets import served  # takes a second

    with served() as bucket:
        yield bucket


@pytest.fixture
def bucket(s3_server: Bucket) -> Bucket:
    s3_server.requests.clear()
    s3_server.faults.clear()
    return s3_server


class SharedCluster:
    """One cluster of two cores and a GPU that is none, for all tests of this process that need no cluster of their own.

    Starting and ending one takes some ten seconds. Its processes know neither a cluster or tracker of the user nor his data.
    """

    def __init__(self, cache: Path) -> None:
        self.cache, self.stack = cache, contextlib.ExitStack()
        self.found: Capacity | None = None

    def capacity(self) -> Capacity:
        from rdun.tuning import private_cluster

        if self.found is None:
            with pytest.MonkeyPatch.context() as patch:
                for name in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI", "RDUN_DATA"):
                    patch.delenv(name, raising=False)
                patch.setenv("XDG_CACHE_HOME", str(self.cache))
                self.found = self.stack.enter_context(private_cluster(cpus=2, gpus=1))
        return self.found

    def close(self) -> None:
        self.found = None
        self.stack.close()


@pytest.fixture(scope="session")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedCluster]:
    shared = SharedCluster(tmp_path_factory.mktemp("cache"))
    yield shared
    shared.close()


@pytest.fixture
def gpu_capacity(shared_cluster: SharedCluster) -> Capacity:
    """The shared cluster, with its GPU."""
    return shared_cluster.capacity()


@pytest.fixture
def capacity(gpu_capacity: Capacity) -> Capacity:
    """The two cores of the shared cluster."""
    return replace(gpu_capacity, machines=tuple(machine._replace(gpus=0.0) for machine in gpu_capacity.machines))


@pytest.fixture
def no_cluster(shared_cluster: SharedCluster) -> None:
    """For tests that start a cluster in this process: Ray can be in one only."""
    shared_cluster.close()
