"""Training as a generator of epoch records. Saving, reporting and stopping are the consumer's."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import torch

from rdun.config import TrialConfig, check_warmup
from rdun.data import TrainingBlocks
from rdun.models import Unfolding
from rdun.operators import Task
from rdun.results import EpochRecord
from rdun.training.batches import Batches
from rdun.training.divergence import Diverged, ValidationDiverged
from rdun.training.graphs import graphed_step
from rdun.training.state import TrainState
from rdun.training.steps import draw_steps, steps_per_epoch, train_step

Validate = Callable[[Unfolding], tuple[float, float]]
GRAY = 10.0
"""A little less than the mean PSNR (dB) of photographs whose pixels are all set to one middle gray."""


def fit(
    config: TrialConfig, task: Task, blocks: TrainingBlocks, validate: Validate, state: TrainState, device: torch.device
) -> Iterator[EpochRecord]:
    """Trains from `state` to the last epoch; yields after each epoch, when `state` may be saved.

    One step draws an operator from the task and recursion counts from the schedule, and minimises the mean squared error of the
    last estimate plus the stages' penalties with Adam. The CNN runs in the config's precision, the measurements in float32.

    Args:
        validate: the network's mean validation PSNR (dB) and SSIM.

    Raises:
        ValueError: a warm-up that is longer than the training.
        Diverged: a loss that is not finite, or a parameter at the end of an epoch; `ValidationDiverged`: the validation PSNR is
            not a number, or training and validation have become worse than gray images.
    """
    per_epoch = steps_per_epoch(config, blocks)
    check_warmup(config.optim, per_epoch * config.optim.epochs)
    if state.epoch == config.optim.epochs:  # a GPU would be given blocks and graphs for nothing
        return
    batches = Batches(blocks, task.patch, device)
    graphed = graphed_step(config, state, task, device)
    for epoch in range(state.epoch + 1, config.optim.epochs + 1):
        start = time.perf_counter()
        losses, errors, evaluations = [], [], 0
        state.network.train()
        for operator, counts, x in draw_steps(config, task, blocks, batches, state):
            if graphed and len(x) == graphed.batch:
                loss, error = graphed(operator, counts, x)
            else:
                loss, error = train_step(config, state, operator, counts, x)
            state.stepped()
            losses.append(loss)
            errors.append(error)
            evaluations += sum(counts)
        mean_loss, mean_error = (float(torch.stack(values).double().mean()) for values in (losses, errors))
        seconds = time.perf_counter() - start
        if not math.isfinite(mean_loss) or not _finite(state.network):
            raise Diverged(f"epoch {epoch}: the mean training loss is {mean_loss}")
        psnr, ssim = validate(state.evaluated)
        if math.isnan(psnr):
            raise ValidationDiverged(
                f"epoch {epoch}: training is finite, but the network with its test counts {config.test_counts} gives values that "
                "are not; lower optim.lr or set recursion.test"
            )
        before = max((record.train_psnr for record in state.records), default=-math.inf)
        if mean_error > 1 and psnr < GRAY < before:  # pixels are in [0, 1]
            raise ValidationDiverged(
                f"epoch {epoch}: the mean squared error of training is {mean_error:.3g} and the validation PSNR {psnr:.1f} dB, "
                f"worse than a gray image, after {before:.1f} dB in training; lower optim.lr, or set a smaller optim.clip"
            )
        record = EpochRecord(
            epoch=epoch,
            step=epoch * per_epoch,
            samples=epoch * blocks.epoch_samples,
            seconds=(state.records[-1].seconds if state.records else 0.0) + seconds,
            timestamp=time.time_ns() // 1_000_000,
            lr=state.optimizer.param_groups[0]["lr"],
            train_loss=mean_loss,
            train_psnr=-10 * math.log10(mean_error) if mean_error else math.inf,
            validation_psnr=psnr,
            validation_ssim=ssim,
            stage_evaluations=evaluations / per_epoch,
        )
        state.add(record)
        yield record


def _finite(network: Unfolding) -> bool:
    return bool(torch.stack([torch.isfinite(p).all() for p in network.parameters()]).all())
