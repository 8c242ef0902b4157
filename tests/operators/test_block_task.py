"""Block sensing tasks."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch

from rdun.config import BlockSensingTask
from rdun.operators import BlockSensing, GivenMatrixTask, dc_gain, gaussian_matrix, linear_estimator, make_task
from tests.contracts.cases import moment

CPU = torch.device("cpu")


def matrix_of(operator: object) -> np.ndarray:
    assert isinstance(operator, BlockSensing)
    return operator.matrix.numpy()


def test_every_ratio_and_matrix_is_drawn_equally_often() -> None:
    task = make_task(BlockSensingTask(ratios=(0.1, 0.3), block=8, matrices=3), None, CPU)
    generator, seen = np.random.default_rng(0), dict[bytes, int]()
    for _ in range(1200):
        key = matrix_of(task.draw(generator)).tobytes()
        seen[key] = seen.get(key, 0) + 1
    assert len(seen) == 6
    assert all(140 < count < 260 for count in seen.values())


def test_of_many_matrices_only_some_are_kept() -> None:
    """With a new matrix for nearly every batch, training would end for lack of memory after hours."""
    task = make_task(BlockSensingTask(ratios=(0.25,), block=2, matrices=10**6), None, CPU)
    generator, alive = np.random.default_rng(0), weakref.WeakSet[object]()
    for _ in range(700):
        alive.add(task.draw(generator))
    assert len(alive) <= 512


def test_test_matrices_are_the_named_seeds() -> None:
    task = make_task(BlockSensingTask(ratios=(0.25,), block=8, test_matrix_seeds=(0, 3)), None, CPU)
    tests = task.test_operators((16, 8))
    assert [t.matrix for t in tests] == ["gauss-s0", "gauss-s3"]
    np.testing.assert_allclose(matrix_of(tests[1].operator), gaussian_matrix(16, 64, 3), atol=1e-6)


def test_seen_matrix_is_the_first_of_training() -> None:
    task = make_task(BlockSensingTask(ratios=(0.25,), block=8, matrices=1, test_matrices="seen"), None, CPU)
    drawn = task.draw(np.random.default_rng(0))
    (test,) = task.test_operators((8, 8))
    assert np.array_equal(matrix_of(test.operator), matrix_of(drawn))


def test_linear_start_uses_the_moment_of_the_training_blocks() -> None:
    task = make_task(BlockSensingTask(ratios=(0.25,), block=8, initial="linear", ridge=1e-3), moment(), CPU)
    (test,) = task.test_operators((8, 8))
    assert isinstance(test.operator, BlockSensing)
    expected = linear_estimator(gaussian_matrix(16, 64, 0), moment(), 1e-3)
    np.testing.assert_allclose(test.operator.estimator.numpy(), expected, atol=1e-4)


def test_given_matrix_is_used_everywhere() -> None:
    matrix = gaussian_matrix(16, 64, 9)
    estimator = linear_estimator(matrix, moment())
    task = GivenMatrixTask("mine", 0.25, matrix, estimator, CPU)
    drawn, (test,) = task.draw(np.random.default_rng(0)), task.test_operators((13, 10))
    assert (test.ratio, test.matrix, test.operator.image_shape) == (0.25, "mine", (13, 10))
    assert drawn.image_shape == (8, 8) == (task.patch, task.patch)
    for operator in (drawn, test.operator):
        np.testing.assert_allclose(matrix_of(operator), matrix, atol=1e-6)
        y = operator.forward(torch.rand(1, 1, *operator.image_shape))
        torch.testing.assert_close(operator.descend(operator.initial(y), y, 1.0), operator.crop(operator.initial(y)))
    record = task.protocol(0.25)
    assert list(record["matrices"]) == ["mine"]  # type: ignore[call-overload]
    assert record["measurements"] == len(matrix)


def test_every_matrix_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of the test matrices are asked for with every table of scores, and made them anew each time."""
    made: list[int] = []

    def counted(rows: int, pixels: int, seed: int, index: int | None = None) -> np.ndarray:
        made.append(seed)
        return gaussian_matrix(rows, pixels, seed, index)

    monkeypatch.setattr("rdun.operators.block_task.gaussian_matrix", counted)
    task = make_task(BlockSensingTask(ratios=(0.25, 0.5), block=8, test_matrix_seeds=(0, 3)), None, CPU)
    records = [task.protocol(ratio) for _ in range(3) for ratio in (0.25, 0.5)]
    task.test_operators((16, 8))
    assert made == [0, 3, 0, 3]
    for record, rows in zip(records, (16, 32) * 3, strict=True):
        gains = {f"gauss-s{seed}": round(dc_gain(gaussian_matrix(rows, 64, seed)), 6) for seed in (0, 3)}
        assert record["measurements"] == rows and record["matrices"] == gains


def test_training_matrices_are_those_of_their_seed() -> None:
    task = make_task(BlockSensingTask(ratios=(0.25,), block=8, matrices=1, matrix_seed=5), None, CPU)
    drawn = matrix_of(task.draw(np.random.default_rng(0)))
    np.testing.assert_allclose(drawn, gaussian_matrix(16, 64, 5, 0), atol=1e-6)
