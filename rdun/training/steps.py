"""The optimizer steps of an epoch: what each is given, in an order that the seed fixes, and one step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from rdun.config import OptimConfig, TrialConfig
from rdun.data import TrainingBlocks
from rdun.models import autocast, convolutions, draw_counts, grown
from rdun.operators import Operator, Task
from rdun.training.batches import Batches
from rdun.training.divergence import Diverged
from rdun.training.state import TrainState


class Step(NamedTuple):
    """What one step trains on: the learning rate is set already."""

    operator: Operator
    counts: tuple[int, ...]
    x: Tensor


def steps_per_epoch(config: TrialConfig, blocks: TrainingBlocks) -> int:
    """Optimizer steps of an epoch; the last batch may be smaller."""
    return math.ceil(blocks.epoch_samples / config.optim.batch)


def draw_steps(
    config: TrialConfig, task: Task, blocks: TrainingBlocks, batches: Batches, state: TrainState
) -> Iterator[Step]:
    """The steps of the epoch after those that `state` has finished; draws from its streams."""
    epoch, per_epoch = state.epoch + 1, steps_per_epoch(config, blocks)
    order = blocks.epoch_order(config.seed, epoch)
    for index, x in enumerate(batches.epoch(order, config.optim.batch)):
        step, steps = (epoch - 1) * per_epoch + index, per_epoch * config.optim.epochs
        lr = learning_rate(config.optim, step, steps)
        for group in state.optimizer.param_groups:
            group["lr"] = lr
        schedule = grown(config.recursion, config.model.layers, step / steps)
        counts = draw_counts(schedule, config.model.layers, state.recursions)
        yield Step(task.draw(state.matrices), counts, x)


def train_step(
    config: TrialConfig, state: TrainState, operator: Operator, counts: tuple[int, ...], x: Tensor
) -> tuple[Tensor, Tensor]:
    """One optimizer step on blocks `(B, 1, b, b)`; returns loss and mean squared error, detached.

    Raises:
        Diverged: a loss that is not finite, on a CPU; the network is as it was before the step.
    """
    with convolutions(x.device, tf32=config.precision == "tf32", benchmark=True):
        return _train_step(config, state, operator, counts, x)


def _train_step(
    config: TrialConfig, state: TrainState, operator: Operator, counts: tuple[int, ...], x: Tensor
) -> tuple[Tensor, Tensor]:
    y = operator.measure(x)
    weight = config.optim.deep_supervision
    with autocast(config.precision, x.device):
        output = state.network(y, operator, counts, earlier=weight > 0)
    error = F.mse_loss(output.x.float(), x)
    loss = error + output.penalty
    if output.earlier:
        loss = loss + weight * torch.stack([F.mse_loss(estimate.float(), x) for estimate in output.earlier]).mean()
    if x.device.type == "cpu" and not math.isfinite(float(loss.detach())):  # on a GPU this would wait for every step
        raise Diverged(f"the training loss is {float(loss.detach())}")
    state.optimizer.zero_grad(set_to_none=True)
    state.scaler.scale(loss).backward()
    state.step(config.optim.clip)
    return loss.detach(), error.detach()


def learning_rate(optim: OptimConfig, step: int, steps: int) -> float:
    """The rate of step 0, 1, ...: linear warm-up to `lr`, then constant or a half cosine to zero at `steps`."""
    if step < optim.warmup:
        return optim.lr * (step + 1) / optim.warmup
    if optim.decay == "constant":
        return optim.lr
    progress = (step - optim.warmup) / max(1, steps - optim.warmup)
    return optim.lr * 0.5 * (1 + math.cos(math.pi * progress))
