"""Block compressive sensing as a task: random matrices for training, others for testing; or one given matrix."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from rdun.config import BlockSensingTask, row_count
from rdun.operators.base import Operator
from rdun.operators.block import BlockSensing, dc_gain, gaussian_matrix, linear_estimator
from rdun.operators.task import Task, TestOperator

OPERATORS_KEPT = 512
"""Matrices that are made once; the papers draw from 250. Of more, those that were used last stay: each takes megabytes."""


class GaussianBlockTask(Task):
    """Block compressive sensing with random orthonormal matrices (see `BlockSensingTask` for the fields).

    Args:
        moment: `(N, N)` second moments X X^T of the training blocks; needed by `initial="linear"`.
        device: where the operators live, in float32.
    """

    def __init__(self, config: BlockSensingTask, moment: np.ndarray | None, device: torch.device) -> None:
        assert moment is not None or config.initial == "adjoint"
        self.config = config
        self.patch = config.block
        self.pixels = config.block**2
        # of a method, it would keep the task, and the task it, long after the trial
        self._made = lru_cache(maxsize=OPERATORS_KEPT)(partial(_made, config, moment, device))

    @property
    def most_rows(self) -> int:
        """The largest number of measurements M of a block."""
        return max(row_count(ratio, self.pixels, self.config.rows) for ratio in self.config.ratios)

    def draw(self, generator: np.random.Generator) -> Operator:
        ratio = self.config.ratios[int(generator.integers(len(self.config.ratios)))]
        return self._made(ratio, self.config.matrix_seed, int(generator.integers(self.config.matrices)))[0]

    def test_operators(self, image_shape: tuple[int, int]) -> list[TestOperator]:
        return [
            TestOperator(ratio, name, self._made(ratio, seed, index)[0].reshaped(image_shape))
            for ratio in self.config.ratios
            for name, seed, index in self._test_matrices()
        ]

    def protocol(self, ratio: float) -> dict[str, object]:
        """Block, measurements M per block, and the test matrices with their DC gain."""
        made = {name: self._made(ratio, seed, index) for name, seed, index in self._test_matrices()}
        (rows,) = {len(operator.matrix) for operator, _ in made.values()}
        return _record(self.patch, rows, {name: gain for name, (_, gain) in made.items()})

    def _test_matrices(self) -> list[tuple[str, int, int | None]]:
        if self.config.test_matrices == "seen":
            return [(f"gauss-s{self.config.matrix_seed}-train0", self.config.matrix_seed, 0)]
        return [(f"gauss-s{seed}", seed, None) for seed in self.config.test_matrix_seeds]


def _made(
    config: BlockSensingTask,
    moment: np.ndarray | None,
    device: torch.device,
    ratio: float,
    seed: int,
    index: int | None,
) -> tuple[BlockSensing, float]:
    """The operator of a matrix, and the matrix's DC gain."""
    pixels = config.block**2
    matrix = gaussian_matrix(row_count(ratio, pixels, config.rows), pixels, seed, index)
    estimator = None
    if config.initial == "linear":
        assert moment is not None
        estimator = _tensor(linear_estimator(matrix, moment, config.ridge), device)
    return BlockSensing(_tensor(matrix, device), (config.block, config.block), estimator), dc_gain(matrix)


def _tensor(array: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(array.astype(np.float32)).to(device)


class GivenMatrixTask(Task):
    """Block compressive sensing with one given matrix, in training and in test.

    Args:
        name: the matrix's name in scores.
        ratio: its nominal sampling ratio.
        matrix: A, `(M, N)` with orthonormal rows.
        estimator: Q `(N, M)` of the initial estimate; None: the adjoint.
        device: where the operator lives, in float32.
    """

    def __init__(
        self, name: str, ratio: float, matrix: np.ndarray, estimator: np.ndarray | None, device: torch.device
    ) -> None:
        self.name, self.ratio, self.matrix = name, ratio, matrix
        self.patch = round(matrix.shape[1] ** 0.5)
        initial = None if estimator is None else _tensor(estimator, device)
        self._operator = BlockSensing(_tensor(matrix, device), (self.patch, self.patch), initial)

    def draw(self, _generator: np.random.Generator) -> Operator:
        return self._operator

    def test_operators(self, image_shape: tuple[int, int]) -> list[TestOperator]:
        return [TestOperator(self.ratio, self.name, self._operator.reshaped(image_shape))]

    def protocol(self, ratio: float) -> dict[str, object]:
        return _record(self.patch, len(self.matrix), {self.name: dc_gain(self.matrix)})


def _record(block: int, rows: int, gains: Mapping[str, float]) -> dict[str, object]:
    rounded = {name: round(gain, 6) for name, gain in gains.items()}
    return {"kind": BlockSensingTask.kind, "block": block, "measurements": rows, "matrices": rounded}
