"""What the contract suites run over: one line per operator, task, model, schedule and modulation. `test_registry` finds gaps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from rdun.config import (
    BlockSensingTask,
    CoastConfig,
    DenoisingTask,
    DpdnnConfig,
    Fixed,
    InpaintingTask,
    IstaNetConfig,
    IstaNetPlusConfig,
    ModelConfig,
    ModulationConfig,
    NoModulation,
    RatioScale,
    Rfmu,
    Schedule,
    TaskConfig,
    UniformRange,
)
from rdun.operators import (
    BlockSensing,
    Denoising,
    Inpainting,
    Operator,
    gaussian_matrix,
    linear_estimator,
    pixel_mask,
)

BLOCK = 8
SHAPES = {"one block": (8, 8), "whole blocks": (16, 24), "not whole blocks": (13, 19)}


def moment(block: int = BLOCK) -> np.ndarray:
    """Second moments of smooth random blocks."""
    rng = np.random.default_rng(1)
    blocks = np.cumsum(np.cumsum(rng.standard_normal((400, block, block)), axis=1), axis=2).reshape(400, -1)
    return np.asarray(blocks.T @ blocks)


def _sensing(shape: tuple[int, int], dtype: torch.dtype, *, linear: bool) -> BlockSensing:
    matrix = gaussian_matrix(20, BLOCK**2, 3)
    estimator = torch.from_numpy(linear_estimator(matrix, moment())).to(dtype) if linear else None
    return BlockSensing(torch.from_numpy(matrix).to(dtype), shape, estimator)


OPERATORS: dict[str, Callable[[tuple[int, int], torch.dtype], Operator]] = {
    "block": lambda shape, dtype: _sensing(shape, dtype, linear=False),
    "block, linear start": lambda shape, dtype: _sensing(shape, dtype, linear=True),
    "inpainting": lambda shape, _: Inpainting(torch.from_numpy(pixel_mask(0.4, shape, 5))),
    "denoising": lambda shape, _: Denoising(shape, 0.1, 7),
}

TASKS: dict[str, TaskConfig] = {
    "block, unseen": BlockSensingTask(ratios=(0.1, 0.5), block=BLOCK, matrices=3, test_matrix_seeds=(0, 1)),
    "block, seen": BlockSensingTask(ratios=(0.25,), block=BLOCK, matrices=2, test_matrices="seen"),
    "block, linear": BlockSensingTask(ratios=(0.25,), block=BLOCK, matrices=2, initial="linear"),
    "inpainting": InpaintingTask(ratios=(0.2, 0.5), block=BLOCK, masks=3, test_mask_seeds=(0, 1)),
    "denoising": DenoisingTask(sigma=15.0, block=BLOCK, test_noise_seeds=(0, 1)),
}

LAYERS = 2
MODELS: dict[str, ModelConfig] = {
    "coast": CoastConfig(layers=LAYERS, channels=8),
    "dpdnn": DpdnnConfig(layers=LAYERS, channels=8),
    "ista_net": IstaNetConfig(layers=LAYERS, channels=8),
    "ista_net_plus": IstaNetPlusConfig(layers=LAYERS, channels=8),
}

SCHEDULES: dict[str, Schedule] = {
    "one count": Fixed(counts=(2,)),
    "a count per layer": Fixed(counts=(3, 2)),
    "one range": UniformRange(low=(1,), high=(3,)),
    "a range per layer": UniformRange(low=(2, 1), high=(2, 3)),
}

MODULATIONS: dict[str, ModulationConfig] = {
    "none": NoModulation(),
    "ratio": RatioScale(),
    "rfmu": Rfmu(),
    "rfmu without ratio": Rfmu(inputs=("total", "current")),
}
