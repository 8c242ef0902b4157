"""Measured times and memory of trainings, from past runs and probes, and what makes them comparable."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from rdun.config import Fixed, OptimConfig, RecursionConfig, TrialConfig, canonical, digest, to_dict, without_start
from rdun.plan.reconstructed import Reconstructed
from rdun.results import Folder

PROBES = "probes.json"


class Keys(NamedTuple):
    """Three hashes: trainings with equal `network` cost the same per step; with equal `stage`, the same per stage application;
    networks with equal `tested`, per pixel and stage application of a reconstruction."""

    network: str
    stage: str
    tested: str


def keys(config: TrialConfig) -> Keys:
    """The keys of a trial: model, task, schedule, modulation, batch and precision; not its seed, start, rate, images or epochs.

    Of a moving average and of deep supervision counts only that there are any: their strength costs nothing.
    """
    return _keys(replace(config, seed=0))


@lru_cache(maxsize=16_384)
def _keys(config: TrialConfig) -> Keys:
    normal = without_start(canonical(config))
    network = TrialConfig(
        task=normal.task,
        model=normal.model,
        recursion=RecursionConfig(train=normal.recursion.train, modulation=normal.recursion.modulation),
        optim=_costing(normal.optim),
        precision=normal.precision,
    )
    return _digests(network)


def _costing(optim: OptimConfig) -> OptimConfig:
    """What makes a step slower or larger."""
    supervised = 1.0 if optim.deep_supervision else 0.0
    return OptimConfig(batch=optim.batch, ema=0.5 if optim.ema else 0.0, deep_supervision=supervised)


@lru_cache(maxsize=4096)
def _digests(network: TrialConfig) -> Keys:
    stage = replace(
        network,
        model=replace(network.model, layers=1),
        recursion=RecursionConfig(train=Fixed(counts=(1,)), modulation=network.recursion.modulation),
    )
    task = network.task
    tested = [to_dict(stage.model), to_dict(stage.recursion), task.kind, task.block]  # of no precision: always float32
    return Keys(digest(to_dict(network)), digest(to_dict(stage)), digest(tested))


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What one training took on one kind of machine.

    Attributes:
        source: "past runs" or "probe".
        network, stage, tested: the keys of its config.
        device, threads, recompute: as in `Machine`.
        step: seconds per optimizer step; None: nothing was trained.
        evaluations: mean stage applications per step, as drawn.
        epoch: seconds per epoch besides its steps (validation, checkpoint); None: unknown.
        scoring: seconds per trial besides its epochs (set-up, test scores); None: unknown.
        reconstructed: in these; None: images of it are gone.
        memory_mib: of the process: its peak in a probe, the highest sample in a past run.
        gpu_memory_mib: the most that PyTorch took of the GPU; 0: unknown, or no GPU.
    """

    source: str
    network: str
    stage: str
    tested: str
    device: str
    threads: int
    step: float | None
    evaluations: float
    epoch: float | None
    scoring: float | None
    reconstructed: Reconstructed | None
    memory_mib: float
    gpu_memory_mib: float
    recompute: bool = False

    @property
    def place(self) -> tuple[str, int, bool]:
        """On what it was measured."""
        return self.device, self.threads, self.recompute


def read_probes(runs: Folder) -> list[Measurement]:
    """The probes that a folder of runs remembers, of all kinds of machines.

    Raises:
        ValueError: the file is damaged.
    """
    return _decoded(runs, runs.read_if_there(PROBES))


def _decoded(runs: Folder, content: bytes | None) -> list[Measurement]:
    try:
        return [
            Measurement(**v | {"reconstructed": Reconstructed(*v["reconstructed"])})
            for v in json.loads(content or "[]")
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{runs.path}/{PROBES} cannot be read ({error}); delete it and probe again") from None


def add_probes(runs: Folder, found: Iterable[Measurement]) -> None:
    """Remembers probes; a newer one takes the place of the same training's, or test's, on the same kind of machine."""
    while True:
        before = runs.read_if_there(PROBES)
        kept = {(m.network, m.step is None, m.place): m for m in [*_decoded(runs, before), *found]}
        content = json.dumps([asdict(m) for m in kept.values()], indent=2) + "\n"
        if runs.swap(PROBES, content.encode(), before):
            return
