"""The contract of every operator."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rdun.operators import Operator
from tests.contracts.cases import OPERATORS, SHAPES

TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-4}
WHOLE = {name: shape for name, shape in SHAPES.items() if name != "not whole blocks"}

every_operator = pytest.mark.parametrize("name", OPERATORS)
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
whole_blocks = pytest.mark.parametrize("shape", WHOLE.values(), ids=WHOLE)
every_dtype = pytest.mark.parametrize("dtype", TOLERANCE, ids=str)

Shape = tuple[int, int]


def images(operator: Operator, dtype: torch.dtype, count: int = 3, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((count, 1, *operator.image_shape), generator=generator, dtype=dtype)


def measurements(operator: Operator, dtype: torch.dtype) -> Tensor:
    """Arbitrary values in the space of measurements, the image of no image."""
    shape = operator.forward(images(operator, dtype)).shape
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=dtype)


def check(a: Tensor, b: Tensor, dtype: torch.dtype) -> None:
    assert a.dtype == b.dtype == dtype
    assert a.shape == b.shape
    torch.testing.assert_close(a, b, rtol=0, atol=TOLERANCE[dtype])


def adjoint_gap(operator: Operator, dtype: torch.dtype) -> float:
    """|<A x, y> - <x, A^T y>|, per square root of the number of pixels."""
    x, y = images(operator, dtype), measurements(operator, dtype)
    gap = float((operator.forward(x) * y).sum() - (x * operator.adjoint(y)).sum())
    return abs(gap) / math.sqrt(x.numel())


@every_operator
@every_shape
@every_dtype
def test_adjoint_identity(name: str, shape: Shape, dtype: torch.dtype) -> None:
    assert adjoint_gap(OPERATORS[name](shape, dtype), dtype) <= TOLERANCE[dtype]


@every_operator
@settings(max_examples=15, deadline=None)
@given(height=st.integers(1, 30), width=st.integers(1, 30))
def test_adjoint_identity_at_any_size(name: str, height: int, width: int) -> None:
    assert adjoint_gap(OPERATORS[name]((height, width), torch.float64), torch.float64) <= 1e-10


@every_operator
@every_shape
@every_dtype
def test_forward_is_linear(name: str, shape: Shape, dtype: torch.dtype) -> None:
    operator = OPERATORS[name](shape, dtype)
    x, z = images(operator, dtype), images(operator, dtype, seed=2)
    check(operator.forward(2.5 * x - z), 2.5 * operator.forward(x) - operator.forward(z), dtype)


@every_operator
@every_shape
@every_dtype
def test_descend_is_a_gradient_step(name: str, shape: Shape, dtype: torch.dtype) -> None:
    operator = OPERATORS[name](shape, dtype)
    x, y = images(operator, dtype), measurements(operator, dtype)
    expected = x - 0.7 * operator.adjoint(operator.forward(x) - y)
    check(operator.descend(x, y, 0.7), expected, dtype)
    check(operator.descend(x, y, torch.tensor(0.7, dtype=dtype)), expected, dtype)
    x.requires_grad_()
    loss = 0.5 * (operator.forward(x) - y).square().sum()
    (gradient,) = torch.autograd.grad(loss, x)
    check(operator.descend(x, y, 1.0), x - gradient, dtype)


@every_operator
@every_shape
def test_canvas_and_crop(name: str, shape: Shape) -> None:
    operator = OPERATORS[name](shape, torch.float64)
    x = images(operator, torch.float64)
    canvas = operator.initial(operator.forward(x))
    assert operator.crop(canvas).shape == x.shape
    assert operator.crop(x) is x or torch.equal(operator.crop(x), x)
    assert operator.descend(canvas, operator.forward(x), 0.5).shape == x.shape


@every_operator
@every_shape
def test_the_initial_estimate_agrees_with_the_measurements(name: str, shape: Shape) -> None:
    """A Q = I (A A^T = I for the adjoint start), so the first gradient step changes nothing: on the canvas, at any size."""
    operator = OPERATORS[name](shape, torch.float64)
    y = operator.forward(images(operator, torch.float64))
    start = operator.initial(y)
    check(operator.descend(start, y, 1.0), operator.crop(start), torch.float64)


@every_operator
@whole_blocks
@every_dtype
def test_rows_are_orthonormal(name: str, shape: Shape, dtype: torch.dtype) -> None:
    operator = OPERATORS[name](shape, dtype)
    y = operator.forward(images(operator, dtype))
    check(operator.forward(operator.adjoint(y)), y, dtype)


@every_operator
@every_shape
@every_dtype
def test_dtype_is_kept_under_autocast(name: str, shape: Shape, dtype: torch.dtype) -> None:
    operator = OPERATORS[name](shape, dtype)
    x, y = images(operator, dtype), measurements(operator, dtype)
    plain = [operator.forward(x), operator.adjoint(y), operator.initial(y), operator.descend(x, y, 0.5)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = [operator.forward(x), operator.adjoint(y), operator.initial(y), operator.descend(x, y, 0.5)]
        assert (
            operator.descend(x.bfloat16(), y, 0.5).dtype == dtype
        )  # an estimate that comes from a CNN in low precision
    for a, b in zip(plain, mixed, strict=True):
        assert torch.equal(a, b)
        assert a.dtype == b.dtype == dtype


@every_operator
@every_shape
def test_images_of_a_batch_do_not_meet(name: str, shape: Shape) -> None:
    operator = OPERATORS[name](shape, torch.float64)
    x, y = images(operator, torch.float64), measurements(operator, torch.float64)
    check(operator.forward(x)[:1], operator.forward(x[:1]), torch.float64)
    check(operator.measure(x)[:1], operator.measure(x[:1]), torch.float64)
    check(operator.adjoint(y)[:1], operator.adjoint(y[:1]), torch.float64)
    check(operator.initial(y)[:1], operator.initial(y[:1]), torch.float64)
    check(operator.descend(x, y, 0.3)[:1], operator.descend(x[:1], y[:1], 0.3), torch.float64)


@every_operator
@every_dtype
def test_measuring_twice_gives_the_same(name: str, dtype: torch.dtype) -> None:
    operator = OPERATORS[name]((16, 24), dtype)
    x = images(operator, dtype)
    y = operator.measure(x)
    assert y.shape == operator.forward(x).shape
    assert y.dtype == dtype
    assert torch.equal(y, operator.measure(x))


@every_operator
def test_ratio(name: str) -> None:
    assert 0 < OPERATORS[name]((16, 24), torch.float32).ratio <= 1
