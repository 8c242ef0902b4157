"""Block sensing against its formulas and the published numbers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rdun.config.rows import ROWS, row_count
from rdun.operators import (
    BlockSensing,
    dc_gain,
    from_blocks,
    gaussian_matrix,
    linear_estimator,
    nominal_ratio,
    to_blocks,
)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("r-coast", {0.01: 11, 0.04: 44, 0.05: 54, 0.1: 109, 0.2: 218, 0.25: 272, 0.3: 327, 0.4: 436, 0.5: 544}),
        ("ista-net", {0.01: 10, 0.04: 43, 0.1: 109, 0.2: 218, 0.25: 272, 0.3: 327, 0.4: 436, 0.5: 545}),
    ],
)
def test_published_row_counts(rule: str, expected: dict[float, int]) -> None:
    assert {ratio: row_count(ratio, 1089, rule) for ratio in expected} == expected


def test_row_count_refuses_what_the_table_lacks() -> None:
    for ratio, pixels in [(0.15, 1089), (0.1, 1024)]:
        with pytest.raises(ValueError, match=r"task\.ratios=.*has no entry in task\.rows='ista-net'; use"):
            row_count(ratio, pixels, "ista-net")
    assert row_count(0.001, 64, "r-coast") == 1


def test_matrix_spans_the_rows_of_the_published_recipe() -> None:
    """The reference scores used scipy.linalg.orth; networks see the projector A^T A alone, which is the same."""
    gauss = np.random.default_rng([4, 109]).standard_normal((109, 1089))
    published = scipy.linalg.orth(gauss.T).T
    ours = gaussian_matrix(109, 1089, 4)
    np.testing.assert_allclose(ours.T @ ours, published.T @ published, atol=1e-12)
    np.testing.assert_allclose(ours @ ours.T, np.eye(109), atol=1e-12)


def test_dc_gains_of_the_reference_matrices() -> None:
    """The gains of gauss-s0 ... gauss-s9 at 10 %, recorded with the reference scores to four digits."""
    expected = [0.1030, 0.0743, 0.0960, 0.0911, 0.0854, 0.1172, 0.1227, 0.0961, 0.0924, 0.1037]
    assert [round(dc_gain(gaussian_matrix(109, 1089, seed)), 4) for seed in range(10)] == expected


def test_training_matrices_differ_from_each_other_and_from_the_test_matrix() -> None:
    family = [gaussian_matrix(5, 36, 0, index) for index in (None, 0, 1)] + [gaussian_matrix(5, 36, 1, 0)]
    for i, a in enumerate(family):
        assert all(np.abs(a - b).max() > 1e-3 for b in family[:i])


def test_linear_estimator_is_least_squares() -> None:
    """Q = X Y^T (Y Y^T)^-1: no other linear map of the measurements comes closer to the blocks."""
    rng = np.random.default_rng(0)
    blocks = rng.standard_normal((36, 500)).cumsum(axis=0)
    matrix = gaussian_matrix(9, 36, 0)
    y = matrix @ blocks
    q = linear_estimator(matrix, blocks @ blocks.T)
    np.testing.assert_allclose(q, blocks @ y.T @ np.linalg.inv(y @ y.T), rtol=0, atol=1e-8)
    np.testing.assert_allclose(matrix @ q, np.eye(9), atol=1e-9)
    best = np.linalg.lstsq(y.T, blocks.T, rcond=None)[0].T
    np.testing.assert_allclose(q, best, rtol=0, atol=1e-8)


def test_ridge_shrinks_and_rescues_few_blocks() -> None:
    blocks = np.random.default_rng(0).standard_normal((36, 4))  # fewer blocks than measurements
    matrix, moment = gaussian_matrix(9, 36, 0), blocks @ blocks.T
    with pytest.raises(
        ValueError, match=r"do not span the 9 measurements; use more blocks .* or a positive task\.ridge"
    ):
        linear_estimator(matrix, moment)
    weak, strong = (linear_estimator(matrix, moment, ridge) for ridge in (1e-6, 1e-1))
    assert np.isfinite(weak).all()
    assert np.linalg.norm(strong @ matrix @ blocks) < np.linalg.norm(weak @ matrix @ blocks)


def test_the_ridge_is_relative_to_the_mean_measured_energy() -> None:
    """Of white blocks, whatever their brightness: Q = A^T / (1 + ridge)."""
    matrix = gaussian_matrix(9, 36, 0)
    for energy in (1.0, 700.0):
        np.testing.assert_allclose(linear_estimator(matrix, energy * np.eye(36), 0.25), matrix.T / 1.25, atol=1e-12)


def test_one_measurement_too_many_is_refused_whatever_the_rounding() -> None:
    """Half of these matrices of 40 blocks' 41 measurements have a Cholesky factor, made of rounding errors."""
    for seed in range(20):
        blocks = np.random.default_rng(seed).random((144, 40))
        linear_estimator(gaussian_matrix(40, 144, seed), blocks @ blocks.T)
        with pytest.raises(ValueError, match="do not span the 41 measurements"):
            linear_estimator(gaussian_matrix(41, 144, seed), blocks @ blocks.T)


@settings(deadline=None)
@given(st.integers(1, 25), st.integers(1, 25), st.integers(2, 9))
def test_blocks_and_back(height: int, width: int, block: int) -> None:
    image = torch.rand(2, 1, height, width)
    blocks = to_blocks(image, block)
    assert blocks.shape == (2, -(-height // block) * -(-width // block), block**2)
    canvas = from_blocks(blocks, block, (height, width))
    assert torch.equal(canvas[..., :height, :width], image)
    assert float(canvas.sum()) == pytest.approx(float(image.sum()), rel=1e-5)  # the padding is zero


def test_blocks_are_in_raster_order() -> None:
    image = torch.arange(24.0).reshape(1, 1, 4, 6)
    assert to_blocks(image, 2)[0].tolist()[:2] == [[0, 1, 6, 7], [2, 3, 8, 9]]
    assert to_blocks(image, 2)[0].tolist()[3] == [12, 13, 18, 19]


def test_the_padding_takes_part_in_the_first_step_only() -> None:
    """The published COAST: the first step works on the uncropped canvas, the later ones on the zero-padded image."""
    matrix = gaussian_matrix(6, 16, 0)
    operator = BlockSensing(torch.from_numpy(matrix), (3, 4), torch.from_numpy(matrix.T * 2))
    x = torch.rand((1, 1, 3, 4), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = operator.forward(x)[0, 0].numpy()
    start = 2 * matrix.T @ y
    stepped = start - 0.7 * matrix.T @ (matrix @ start - y)
    canvas = operator.initial(operator.forward(x))
    assert canvas.shape == (1, 1, 4, 4)
    first = operator.descend(canvas, operator.forward(x), 0.7)
    np.testing.assert_allclose(first[0, 0].numpy(), stepped.reshape(4, 4)[:3], atol=1e-12)
    padded = np.zeros(16)
    padded[:12] = stepped[:12]
    again = padded - 0.7 * matrix.T @ (matrix @ padded - y)
    second = operator.descend(first, operator.forward(x), 0.7)
    np.testing.assert_allclose(second[0, 0].numpy(), again.reshape(4, 4)[:3], atol=1e-12)


def test_a_matrix_is_called_by_its_nominal_ratio() -> None:
    for percent, rows in ROWS["ista-net"].items():
        assert nominal_ratio(rows, 1089) == percent / 100
    assert (nominal_ratio(16, 64), nominal_ratio(100, 1089)) == (0.25, 0.092)
