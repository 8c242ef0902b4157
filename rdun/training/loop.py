"""Training as a generator of epoch records. Saving, reporting and stopping are the consumer's."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from rdun.config import OptimConfig, TrialConfig
from rdun.data import TrainingBlocks
from rdun.models import Unfolding, autocast, convolutions, draw_counts
from rdun.operators import Operator, Task
from rdun.results import EpochRecord
from rdun.training.batches import Batches
from rdun.training.divergence import Diverged, diagnose
from rdun.training.graphs import graphed_step
from rdun.training.state import TrainState

Validate = Callable[[Unfolding], tuple[float, float]]


def fit(
    config: TrialConfig, task: Task, blocks: TrainingBlocks, validate: Validate, state: TrainState, device: torch.device
) -> Iterator[EpochRecord]:
    """Trains from `state` to the last epoch; yields after each epoch, when `state` may be saved.

    One step draws an operator from the task and recursion counts from the schedule, and minimises the mean squared error of the
    last estimate plus the stages' penalties with Adam. The CNN runs in the config's precision, the measurements in float32.

    Args:
        validate: the network's mean validation PSNR (dB) and SSIM.

    Raises:
        Diverged: a loss that is not finite.
    """
    batches = Batches(blocks, task.patch, device)
    graphed = graphed_step(config, state, task, device)
    per_epoch = math.ceil(blocks.epoch_samples / config.optim.batch)
    for epoch in range(state.epoch + 1, config.optim.epochs + 1):
        start = time.perf_counter()
        order = blocks.epoch_order(config.seed, epoch)
        losses, errors, evaluations = [], [], 0
        state.network.train()
        for index, x in enumerate(batches.epoch(order, config.optim.batch)):
            step = (epoch - 1) * per_epoch + index
            lr = learning_rate(config.optim, step, per_epoch * config.optim.epochs)
            for group in state.optimizer.param_groups:
                group["lr"] = lr
            counts = draw_counts(config.recursion.train, config.model.layers, state.recursions)
            operator = task.draw(state.matrices)
            if graphed and len(x) == graphed.batch:
                loss, error = graphed(operator, counts, x)
            else:
                loss, error = train_step(config, state, operator, counts, x)
            losses.append(loss)
            errors.append(error)
            evaluations += sum(counts)
        mean_loss, mean_error = (float(torch.stack(values).double().mean()) for values in (losses, errors))
        seconds = time.perf_counter() - start
        if not math.isfinite(mean_loss):
            raise Diverged(f"epoch {epoch}: the training loss is {mean_loss}; the network's parameters are not usable")
        psnr, ssim = validate(state.network)
        record = EpochRecord(
            epoch=epoch,
            step=epoch * per_epoch,
            samples=epoch * blocks.epoch_samples,
            seconds=(state.records[-1].seconds if state.records else 0.0) + seconds,
            timestamp=time.time_ns() // 1_000_000,
            lr=lr,
            train_loss=mean_loss,
            train_psnr=-10 * math.log10(mean_error),
            validation_psnr=psnr,
            validation_ssim=ssim,
            stage_evaluations=evaluations / per_epoch,
        )
        state.add(record)
        yield record


def train_step(
    config: TrialConfig, state: TrainState, operator: Operator, counts: tuple[int, ...], x: Tensor
) -> tuple[Tensor, Tensor]:
    """One optimizer step on blocks `(B, 1, b, b)`; returns loss and mean squared error, detached."""
    with convolutions(x.device, tf32=config.precision == "tf32", benchmark=True):
        return _train_step(config, state, operator, counts, x)


def _train_step(
    config: TrialConfig, state: TrainState, operator: Operator, counts: tuple[int, ...], x: Tensor
) -> tuple[Tensor, Tensor]:
    y = operator.measure(x)
    with autocast(config.precision, x.device):
        output = state.network(y, operator, counts)
    error = F.mse_loss(output.x.float(), x)
    loss = error + output.penalty
    if x.device.type == "cpu" and not math.isfinite(float(loss.detach())):  # on a GPU this would wait for every step
        raise Diverged(diagnose(state.network, y, operator, counts))
    state.optimizer.zero_grad(set_to_none=True)
    state.scaler.scale(loss).backward()
    state.scaler.step(state.optimizer)
    state.scaler.update()
    return loss.detach(), error.detach()


def learning_rate(optim: OptimConfig, step: int, steps: int) -> float:
    """The rate of step 0, 1, ...: linear warm-up to `lr`, then constant or a half cosine to zero at `steps`."""
    if step < optim.warmup:
        return optim.lr * (step + 1) / optim.warmup
    if optim.decay == "constant":
        return optim.lr
    progress = (step - optim.warmup) / max(1, steps - optim.warmup)
    return optim.lr * 0.5 * (1 + math.cos(math.pi * progress))
