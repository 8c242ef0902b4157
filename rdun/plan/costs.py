"""What a setting costs: parameters, multiply-accumulates, optimizer steps, samples; known before any training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from rdun.config import BlockSensingTask, TaskConfig, TrialConfig, canonical
from rdun.data import epoch_samples
from rdun.plan.checks import check_data

if TYPE_CHECKING:
    from rdun.operators import Operator


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

    Counted by torch's own formulas (for convolutions and matrix products) on one black block, once for each network and task.
    """
    normal = canonical(config)
    recursion = replace(normal.recursion, sweep=())
    return _counted(TrialConfig(task=one_measurement(normal.task), model=normal.model, recursion=recursion))


def one_measurement(task: TaskConfig) -> TaskConfig:
    """The task with what a single measurement needs: one ratio, the highest, and one matrix; making matrices takes the time."""
    if not isinstance(task, BlockSensingTask):
        return task
    seeds = task.test_matrix_seeds[:1]
    return replace(task, initial="adjoint", ratios=(max(task.ratios),), matrices=1, test_matrix_seeds=seeds)


@cache
def _counted(config: TrialConfig) -> tuple[int, int]:
    import torch

    from rdun.models import build_model
    from rdun.plan.operations import Operations

    network, side = build_model(config).eval(), config.task.block
    with threadpool_limits(1):  # one block; on a busy machine, threads that wait for one another take seconds
        operator = _operator(config.task)
        y = operator.forward(torch.zeros(1, 1, side, side))
        with Operations() as counted:
            network(y, operator, config.test_counts)
    return network.parameter_count(), counted.total // 2


@cache
def _operator(task: TaskConfig) -> Operator:
    """The test operator of highest ratio, for one block."""
    import torch

    from rdun.operators import make_task

    tests = make_task(task, None, torch.device("cpu")).test_operators((task.block, task.block))
    return max(tests, key=lambda test: test.ratio).operator
