"""Linear measurements, and the tasks that draw them. A new task is a file, one case in make_task and one suite line."""

from __future__ import annotations

import numpy as np
import torch

from rdun.config import BlockSensingTask, DenoisingTask, InpaintingTask, TaskConfig
from rdun.operators.base import Operator, full_precision
from rdun.operators.block import (
    BlockSensing,
    dc_gain,
    from_blocks,
    gaussian_matrix,
    linear_estimator,
    nominal_ratio,
    to_blocks,
)
from rdun.operators.block_task import GaussianBlockTask, GivenMatrixTask
from rdun.operators.denoising import Denoising, NoiseTask
from rdun.operators.inpainting import Inpainting, MaskTask, pixel_mask
from rdun.operators.task import Task, TestOperator


def make_task(config: TaskConfig, moment: np.ndarray | None, device: torch.device) -> Task:
    """The task that a config describes; `moment` as in `GaussianBlockTask`."""
    match config:
        case BlockSensingTask():
            return GaussianBlockTask(config, moment, device)
        case InpaintingTask():
            return MaskTask(config, device)
        case DenoisingTask():
            return NoiseTask(config)


__all__ = [
    "BlockSensing",
    "Denoising",
    "GaussianBlockTask",
    "GivenMatrixTask",
    "Inpainting",
    "MaskTask",
    "NoiseTask",
    "Operator",
    "Task",
    "TestOperator",
    "dc_gain",
    "from_blocks",
    "full_precision",
    "gaussian_matrix",
    "linear_estimator",
    "make_task",
    "nominal_ratio",
    "pixel_mask",
    "to_blocks",
]
