"""What the roofline of a training step counts."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from benchmarks.roofline import Counted, Rates, kind_of, rows


def test_a_convolution_counts_two_operations_per_multiply_accumulate_three_times_with_its_gradients() -> None:
    x, w = torch.randn(2, 4, 8, 8, requires_grad=True), torch.randn(6, 4, 3, 3, requires_grad=True)
    with Counted() as counted:
        F.conv2d(x, w, padding=1).backward(torch.ones(2, 6, 8, 8))  # type: ignore[no-untyped-call]
    assert counted.operations == {"convolutions": 3 * 2 * (2 * 64 * 4 * 6 * 9)}


def test_bytes_are_read_and_written_views_are_free_and_repeated_values_are_there_once() -> None:
    x, scale = torch.zeros(10, 100), torch.zeros(10, 1)
    with Counted() as counted:
        x.view(100, 10).t()
        torch.empty(50)
        torch.mul(x, scale.expand(10, 100))
    assert counted.bytes == {"element-wise and sums": 4 * (1000 + 10 + 1000)}
    assert not counted.operations


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mkldnn_convolution", "convolutions"),
        ("convolution_backward", "convolutions"),
        ("addmm", "matrix products"),
        ("_fused_adam_", "optimizer"),
        ("threshold_backward", "element-wise and sums"),
    ],
)
def test_kinds(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_the_least_time_is_that_of_what_is_scarcer_and_the_step_is_their_sum() -> None:
    counted, rates = Counted(), Rates(operations=100.0, bytes=10.0)
    counted.operations["convolutions"], counted.bytes["convolutions"] = 400.0, 20.0
    counted.bytes["element-wise and sums"] = 30.0
    found = {
        row.kind: row
        for row in rows(
            9.0,
            {"convolutions": 5.0, "element-wise and sums": 3.0, "optimizer": 0.0, "matrix products": 0.0},
            counted,
            rates,
        )
    }
    assert (found["convolutions"].least, found["element-wise and sums"].least) == (4.0, 3.0)
    assert (found["the whole step"].seconds, found["the whole step"].least) == (9.0, 7.0)
