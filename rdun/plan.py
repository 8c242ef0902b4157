"""A study turned into trials: identities, costs and what is already done. Nothing starts before all of it is valid."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from rdun.config import BlockSensingTask, DataConfig, Precision, TrialConfig, canonical, to_dict
from rdun.data import count_blocks, epoch_samples, image_set, read_luminance, trial_fingerprint
from rdun.results import ArmRecord, CellRecord, ClaimRecord, Folder, PlanRecord, Store, TrialDirectory
from rdun.study import Arm, Study

SPACE_PER_TRIAL = 4_000_000
"""Bytes of records and pictures that a trial leaves, generously."""
STATES = ("complete", "resumable", "failed", "new")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training run of the plan.

    Attributes:
        state: "complete" (reused), "resumable" (a checkpoint is there), "failed" (tried again), or "new".
    """

    fingerprint: str
    config: TrialConfig
    state: str
    arms: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A study, its record as it is saved, and its distinct trials."""

    study: Study
    record: PlanRecord
    trials: tuple[Trial, ...]

    def missing(self) -> list[Trial]:
        """The trials that have to run; failed ones are tried again."""
        return [trial for trial in self.trials if trial.state != "complete"]

    def refreshed(self, store: Store) -> Plan:
        """The same plan with the trials' states as they are now."""
        return replace(self, trials=tuple(replace(t, state=state_of(store.trial(t.fingerprint))) for t in self.trials))

    def counts(self) -> dict[str, int]:
        """Trials by state."""
        found = Counter(trial.state for trial in self.trials)
        return {state: found[state] for state in STATES}


def make_plan(study: Study, store: Store, precision: Precision) -> Plan:
    """Checks a study against its data and lists its trials.

    Args:
        precision: what "auto" stands for on the machines that will train.

    Raises:
        ValueError: data that is missing or unusable, a fraction that leaves no block, ...
    """
    configs: dict[str, TrialConfig] = {}
    arms: dict[str, list[str]] = {}
    cells = []
    for arm, seed, trials in study.cells():
        prints = []
        for config in trials:
            resolved = replace(config, precision=precision) if config.precision == "auto" else config
            check_data(resolved.data, resolved.task.block)
            key = trial_fingerprint(resolved)
            configs[key] = resolved
            arms.setdefault(key, []).append(arm.name)
            prints.append(key)
        cells.append(CellRecord(arm=arm.name, seed=seed, fingerprints=prints))
    record = PlanRecord(
        name=study.name,
        title=study.title,
        question=study.question,
        method=study.method,
        expectation=study.expectation,
        scale=study.scale,
        seeds=list(study.seeds),
        arms=[_arm_record(arm) for arm in study.arms],
        cells=cells,
        claims=[
            ClaimRecord(text=c.text, arm=c.arm, versus=c.versus, metric=c.metric, at_least=c.at_least)
            for c in study.claims
        ],
        as_published=study.as_published,
    )
    _check_distinct(cells)
    found = tuple(
        Trial(fingerprint=key, config=config, state=state_of(store.trial(key)), arms=tuple(dict.fromkeys(arms[key])))
        for key, config in configs.items()
    )
    return Plan(study=study, record=record, trials=found)


def _check_distinct(cells: list[CellRecord]) -> None:
    """Arms that differ in no field that is read would be the same trials under two names."""
    seen: dict[tuple[str, ...], str] = {}
    for cell in cells:
        other = seen.setdefault(tuple(cell.fingerprints), cell.arm)
        if other != cell.arm:
            raise ValueError(
                f"arm {cell.arm!r} trains exactly what arm {other!r} trains (equal fingerprints); "
                "change a field that has an effect, or drop one of them"
            )


def state_of(folder: TrialDirectory) -> str:
    """Where a trial stands, as one of STATES."""
    run = folder.run()
    if run is None:
        return "new"
    if run.status in ("complete", "failed"):
        return run.status
    return "resumable" if folder.exists("checkpoint.pt") else "new"


@cache
def check_data(data: DataConfig, block: int) -> int:
    """Reads every image once; the number of training blocks available.

    Raises:
        ValueError: a set that is missing, an image that cannot be read or is too small.
    """
    for name in (data.validation, *data.test):
        for path in image_set(name).paths:
            if min(read_luminance(path, "bt601").shape) < 7:
                raise ValueError(f"{path} is smaller than the 7x7 window of SSIM; remove or replace it")
    return count_blocks(image_set(data.train), data, block)


def _arm_record(arm: Arm) -> ArmRecord:
    from rdun.models import mean_evaluations

    first = arm.configs[0]
    parameters, macs = cost(first)
    return ArmRecord(
        name=arm.name,
        compare_to=arm.compare_to,
        factors=dict(arm.factors),
        configs=[to_dict(config) for config in arm.configs],
        parameters=parameters,
        macs=macs,
        steps=steps(first),
        samples=samples(first),
        stage_evaluations_train=mean_evaluations(first.recursion.train, first.model.layers),
        stage_evaluations_test=sum(first.test_counts),
        layout=layout(first),
        published=dict(arm.published),
    )


def steps(config: TrialConfig) -> int:
    """Optimizer steps of a training."""
    samples = epoch_samples(config.data, _available(config))
    return math.ceil(samples / config.optim.batch) * config.optim.epochs


def samples(config: TrialConfig) -> int:
    """Training blocks seen by a training, repeated ones as often as they are."""
    return epoch_samples(config.data, _available(config)) * config.optim.epochs


def _available(config: TrialConfig) -> int:
    """Blocks of the training set; not counted where nothing depends on them."""
    whole = config.data.epoch_samples is not None and config.data.fraction == 1
    return 1 if whole else check_data(config.data, config.task.block)


QUANTITIES: dict[str, Callable[[TrialConfig], float]] = {
    "parameters": lambda config: cost(config)[0],
    "macs": lambda config: cost(config)[1],
    "steps": steps,
    "samples": samples,
    "stage_evaluations": lambda config: sum(config.test_counts),
}
"""What a setting costs, by name: for settings of equal cost (`rdun.arms.solve`)."""


def layout(config: TrialConfig) -> str:
    """Layers and recursions as text: "5x4", or "3 layers: 1-2-4" where the counts differ."""
    counts = config.test_counts
    if len(set(counts)) == 1:
        return f"{len(counts)}x{counts[0]}"
    return f"{len(counts)} layers: {'-'.join(map(str, counts))}"


def cost(config: TrialConfig) -> tuple[int, int]:
    """Parameters, and multiply-accumulates of one block's reconstruction at the test counts and the highest ratio.

    Counted by torch's own counter (convolutions and matrix products) on one black block, once for each network and task.
    """
    normal = canonical(config)
    return _counted(TrialConfig(task=normal.task, model=normal.model, recursion=replace(normal.recursion, sweep=())))


@cache
def _counted(config: TrialConfig) -> tuple[int, int]:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from rdun.models import build_model
    from rdun.operators import make_task

    network, side = build_model(config).eval(), config.task.block
    plain = replace(config.task, initial="adjoint") if isinstance(config.task, BlockSensingTask) else config.task
    test = max(make_task(plain, None, torch.device("cpu")).test_operators((side, side)), key=lambda t: t.ratio)
    counter = FlopCounterMode(display=False)
    y = test.operator.forward(torch.zeros(1, 1, side, side))
    with counter:
        network(y, test.operator, config.test_counts)
    return network.parameter_count(), counter.get_total_flops() // 2


def check_checkpoints(plan: Plan, store: Store) -> None:
    """Reads every checkpoint that the plan will continue from.

    Raises:
        ValueError: one is damaged; the message names it and what to do.
    """
    folders = [store.trial(trial.fingerprint) for trial in plan.missing()]
    waiting = [folder for folder in folders if folder.exists("checkpoint.pt")]
    if not waiting:
        return
    import torch

    from rdun.training import read_checkpoint

    for folder in waiting:
        read_checkpoint(folder, torch.device("cpu"))


def check_store(plan: Plan, folder: str) -> None:
    """Makes sure that the folder of the runs can be written and has room for the plan.

    Raises:
        ValueError: it cannot, or has not.
    """
    probe = Folder(folder)
    try:
        probe.write("write-test", b"")
        probe.remove("write-test")
    except OSError as error:
        raise ValueError(f"--runs {folder!r} cannot be written ({error}); choose another folder") from None
    if not probe.is_local:
        return
    sizes = {arm.name: SPACE_PER_TRIAL + 28 * arm.parameters for arm in plan.record.arms}  # Adam state, best and last
    need = sum(sizes[trial.arms[0]] for trial in plan.missing())
    free = shutil.disk_usage(folder).free
    if free < need:
        raise ValueError(
            f"--runs {folder!r} has {free / 1e6:.0f} MB free, the study needs about {need / 1e6:.0f} MB; make room or choose "
            "another folder"
        )
