"""Block compressive sensing as a task: random matrices for training, others for testing; or one given matrix."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

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
        self.config, self.moment, self.device = config, moment, device
        self.patch = config.block
        self.pixels = config.block**2
        self._made = lru_cache(maxsize=OPERATORS_KEPT)(self._make)

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

    def _make(self, ratio: float, seed: int, index: int | None) -> tuple[BlockSensing, float]:
        """The operator of a matrix, and the matrix's DC gain."""
        matrix = gaussian_matrix(row_count(ratio, self.pixels, self.config.rows), self.pixels, seed, index)
        estimator = None
        if self.config.initial == "linear":
            assert self.moment is not None
            estimator = self._tensor(linear_estimator(matrix, self.moment, self.config.ridge))
        return BlockSensing(self._tensor(matrix), (self.patch, self.patch), estimator), dc_gain(matrix)

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array.astype(np.float32)).to(self.device)


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
        tensors = [
            None if a is None else torch.from_numpy(a.astype(np.float32)).to(device) for a in (matrix, estimator)
        ]
        assert tensors[0] is not None
        self._operator = BlockSensing(tensors[0], (self.patch, self.patch), tensors[1])

    def draw(self, _generator: np.random.Generator) -> Operator:
        return self._operator

    def test_operators(self, image_shape: tuple[int, int]) -> list[TestOperator]:
        return [TestOperator(self.ratio, self.name, self._operator.reshaped(image_shape))]

    def protocol(self, ratio: float) -> dict[str, object]:
        return _record(self.patch, len(self.matrix), {self.name: dc_gain(self.matrix)})


def _record(block: int, rows: int, gains: Mapping[str, float]) -> dict[str, object]:
    rounded = {name: round(gain, 6) for name, gain in gains.items()}
    return {"kind": BlockSensingTask.kind, "block": block, "measurements": rows, "matrices": rounded}
