"""Block compressive sensing: each block of an image is measured by the same orthonormal Gaussian matrix."""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from rdun.config.rows import ROWS
from rdun.operators.base import Operator, full_precision


def nominal_ratio(rows: int, pixels: int) -> float:
    """What M measurements of N pixels are called: by the ISTA-Net authors' table (10 of 1089: 0.01), else M/N to three digits."""
    named = {m: percent / 100 for percent, m in ROWS["ista-net"].items()} if pixels == 1089 else {}
    return named.get(rows, round(rows / pixels, 3))


def gaussian_matrix(rows: int, pixels: int, seed: int, index: int | None = None) -> np.ndarray:
    """An `(M, N)` matrix with orthonormal rows that span the rows of an i.i.d. standard Gaussian matrix.

    The Gaussian entries come from `default_rng([seed, M])` (the test family `gauss-sK`), or, for the training family, from
    `default_rng([seed, M, index + 1])`. Networks with a projector P = A^T A see the row space only, so any orthonormal
    basis of it is the same measurement; this one is the QR basis with positive diagonal, which is unique.
    """
    entropy = [seed, rows] if index is None else [seed, rows, index + 1]
    gauss = np.random.default_rng(entropy).standard_normal((rows, pixels))
    basis, triangle = np.linalg.qr(gauss.T)
    return np.ascontiguousarray((basis * np.sign(np.diag(triangle))).T)


def dc_gain(matrix: np.ndarray) -> float:
    """||A 1||^2 / N: how much of a constant block is measured (expected: M/N). Shallow networks' scores follow it."""
    return float(np.sum(matrix.sum(axis=1) ** 2) / matrix.shape[1])


def linear_estimator(matrix: np.ndarray, moment: np.ndarray, ridge: float = 0.0) -> np.ndarray:
    """Q `(N, M)` of the linear least-squares estimate x0 = Q y (ISTA-Net, CVPR 2018).

    Q = C A^T (A C A^T + ridge tr(A C A^T)/M I)^-1 with the uncentred second moments C = X X^T of the training blocks;
    with ridge = 0 this is X Y^T (Y Y^T)^-1.

    Raises:
        ValueError: too few distinct training blocks for an unregularised estimate.
    """
    cross = moment @ matrix.T
    gram = matrix @ cross
    gram += ridge * np.trace(gram) / len(gram) * np.eye(len(gram))
    values = np.linalg.eigvalsh(gram)
    if values[0] <= len(gram) * np.finfo(gram.dtype).eps * values[-1]:  # rounding may let a factorisation through
        raise ValueError(
            f"task.initial='linear' with task.ridge={ridge} is not defined: the training blocks do not span the "
            f"{len(gram)} measurements; use more blocks (data.fraction) or a positive task.ridge such as 1e-6"
        )
    factor = np.linalg.cholesky(gram)
    half = np.linalg.solve(factor, cross.T)
    return np.ascontiguousarray(np.linalg.solve(factor.T, half).T)


def to_blocks(image: Tensor, block: int) -> Tensor:
    """`(N, 1, H, W)` -> `(N, B, block^2)`, raster order, zero-padded at the bottom and right to whole blocks."""
    n, _, height, width = image.shape
    pad_h, pad_w = -height % block, -width % block
    if pad_h or pad_w:
        image = F.pad(image, (0, pad_w, 0, pad_h))
    rows, columns = (height + pad_h) // block, (width + pad_w) // block
    tiles = image.reshape(n, rows, block, columns, block).transpose(2, 3)
    return tiles.reshape(n, rows * columns, block * block)


def from_blocks(blocks: Tensor, block: int, shape: tuple[int, int]) -> Tensor:
    """The inverse of `to_blocks`, on the canvas of whole blocks that holds an image of `shape`."""
    rows, columns = -(-shape[0] // block), -(-shape[1] // block)
    tiles = blocks.reshape(-1, rows, columns, block, block).transpose(2, 3)
    return tiles.reshape(-1, 1, rows * block, columns * block)


class BlockSensing(Operator):
    """y_b = A x_b for every block b of an image; measurements are `(N, B, M)`.

    Args:
        matrix: A, `(M, N)` with orthonormal rows.
        image_shape: (H, W) of the images; blocks at the border are padded with zeros.
        estimator: Q `(N, M)` of the initial estimate x0 = Q y; None: x0 = A^T y.
    """

    def __init__(self, matrix: Tensor, image_shape: tuple[int, int], estimator: Tensor | None = None) -> None:
        self.matrix = matrix
        self.estimator = matrix.T if estimator is None else estimator
        self.image_shape = image_shape
        self.block = round(matrix.shape[1] ** 0.5)
        self.ratio = matrix.shape[0] / matrix.shape[1]

    def forward(self, x: Tensor) -> Tensor:
        with full_precision(x):
            return to_blocks(x.to(self.matrix.dtype), self.block) @ self.matrix.T

    def adjoint(self, y: Tensor) -> Tensor:
        with full_precision(y):
            return self.crop(from_blocks(y @ self.matrix, self.block, self.image_shape))

    def initial(self, y: Tensor) -> Tensor:
        with full_precision(y):
            return from_blocks(y @ self.estimator.T, self.block, self.image_shape)

    def descend(self, x: Tensor, y: Tensor, step: Tensor | float) -> Tensor:
        """The gradient step; the padding takes part in it where `x` is still on the canvas, as in the published COAST."""
        with full_precision(x):
            blocks = to_blocks(x.to(self.matrix.dtype), self.block)
            gradient = (blocks @ self.matrix.T - y) @ self.matrix
            return self.crop(from_blocks(blocks - step * gradient, self.block, self.image_shape))

    def reshaped(self, image_shape: tuple[int, int]) -> BlockSensing:
        """The same measurement of images of another size."""
        return BlockSensing(self.matrix, image_shape, self.estimator)
