"""Learning rates, moving average, deep supervision, clipped gradients and precisions, by their formulas."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rdun.config import Fixed, OptimConfig, Precision, RecursionConfig, TrialConfig, UniformRange, with_values
from rdun.data import TrainingBlocks, image_set, training_blocks
from rdun.models import Unfolding, build_model
from rdun.models.coast import CoastStage
from rdun.operators import make_task
from rdun.training import Batches, fit, learning_rate, train_step
from rdun.training.state import MovingAverage, TrainState

CPU = torch.device("cpu")


@pytest.fixture
def config(tiny: TrialConfig) -> TrialConfig:
    random = replace(tiny, recursion=RecursionConfig(train=UniformRange(low=(1,), high=(3,))))
    return with_values(random, {"task.initial": "adjoint", "task.ridge": 0.0})


@pytest.fixture
def blocks(config: TrialConfig) -> torch.Tensor:
    return torch.rand(4, 1, config.task.block, config.task.block, generator=torch.Generator().manual_seed(0))


def begun(config: TrialConfig) -> TrainState:
    network = build_model(config)
    with torch.no_grad():  # away from the identity, so that all estimates differ
        for parameter in network.parameters():
            parameter.add_(
                0.02 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel()))
            )
    return TrainState.start(config, network, CPU)


def test_deep_supervision_adds_the_mean_error_of_the_estimates_before_the_last(
    config: TrialConfig, blocks: torch.Tensor
) -> None:
    weighted = with_values(config, {"optim.deep_supervision": 0.5})
    state, counts = begun(weighted), (2, 3)
    side = config.task.block
    operator = make_task(config.task, None, CPU).test_operators((side, side))[0].operator
    y = operator.measure(blocks)
    with torch.no_grad():
        errors = [float(F.mse_loss(operator.crop(i.x), blocks)) for i in state.network.iterates(y, operator, counts)]
    assert len(errors) == 5 and len(set(errors)) == 5
    loss, error = train_step(weighted, state, operator, counts, blocks)
    assert float(error) == pytest.approx(errors[-1], rel=1e-5)
    assert float(loss) == pytest.approx(errors[-1] + 0.5 * sum(errors[:-1]) / 4, rel=1e-5)
    alone, _ = train_step(weighted, begun(weighted), operator, (1, 1), blocks)
    plain, _ = train_step(config, begun(config), operator, (1, 1), blocks)
    assert float(alone) > float(plain)


def test_the_average_starts_at_the_first_step_and_follows_by_its_decay(
    config: TrialConfig, blocks: torch.Tensor
) -> None:
    averaged = with_values(config, {"optim.ema": 0.9})
    state, side = begun(averaged), config.task.block
    operator = make_task(config.task, None, CPU).test_operators((side, side))[0].operator
    expected: dict[str, torch.Tensor] = {}
    for _ in range(5):
        train_step(averaged, state, operator, (1, 2), blocks)
        state.stepped()
        now = {name: p.detach().clone() for name, p in state.network.named_parameters()}
        expected = {n: 0.9 * expected[n] + 0.1 * p for n, p in now.items()} if expected else now
    found = dict(state.evaluated.named_parameters())
    assert all(torch.allclose(found[name], value, atol=1e-7) for name, value in expected.items())
    assert any(not torch.equal(found[name], p) for name, p in state.network.named_parameters())
    assert begun(config).evaluated is not None and begun(config).average is None


class Copies(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes what is dispatched between devices."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        places = {v.device.type for v in tree_leaves((args, kwargs, out)) if isinstance(v, torch.Tensor)}
        self.seen += [str(func)] if len(places) > 1 else []
        return out


def test_the_average_waits_for_no_device(config: TrialConfig) -> None:
    """A copy from the host would wait for all steps that a GPU has not done yet."""
    network = build_model(config).to("meta")
    average = MovingAverage(network, 0.9)
    with Copies() as copies:
        for _ in range(3):
            average.update_parameters(network)
    assert copies.seen == []
    assert int(average.n_averaged) == 3


def test_a_gradient_that_is_too_long_is_scaled_down_to_the_norm(config: TrialConfig, blocks: torch.Tensor) -> None:
    """g min(1, clip / |g|) over all parameters together; shorter ones, and all without clipping, stay as they are."""
    side = config.task.block
    operator = make_task(config.task, None, CPU).test_operators((side, side))[0].operator

    def gradient(clip: float) -> torch.Tensor:
        clipped = with_values(config, {"optim.clip": clip})
        state = begun(clipped)
        train_step(clipped, state, operator, (2, 3), blocks)
        return torch.cat([p.grad.flatten() for p in state.network.parameters() if p.grad is not None])

    plain = gradient(0.0)
    norm = float(plain.norm())
    torch.testing.assert_close(gradient(norm / 4), plain / 4)
    assert torch.equal(gradient(norm * 4), plain)


def test_the_learning_rate_by_its_formula() -> None:
    """A linear warm-up of 4 steps to the rate, then half a cosine over the 8 that are left, or the rate itself."""
    cosine = OptimConfig(lr=0.1, warmup=4, decay="cosine")
    rates = [learning_rate(cosine, step, 12) for step in range(13)]
    assert rates[:5] == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1])
    assert [rates[6], rates[8], rates[10], rates[12]] == pytest.approx([0.0853553, 0.05, 0.0146447, 0.0], abs=1e-6)
    constant = replace(cosine, decay="constant")
    assert [learning_rate(constant, step, 12) for step in range(12)] == pytest.approx([*rates[:4], *[0.1] * 8])


def blocks_of(config: TrialConfig) -> TrainingBlocks:
    return training_blocks(image_set(config.data.train), config.data, config.task.block)


def test_the_optimizer_takes_the_rate_of_its_step(config: TrialConfig) -> None:
    """The last one of each epoch of 6 steps."""
    decaying = with_values(config, {"optim.decay": "cosine", "optim.warmup": 2})
    task, state = make_task(config.task, None, CPU), begun(decaying)
    records = [*fit(decaying, task, blocks_of(config), lambda network: (0.0, 0.0), state, CPU)]
    assert [r.lr for r in records] == [learning_rate(decaying.optim, step, 18) for step in (5, 11, 17)]


def test_what_an_epoch_records(config: TrialConfig) -> None:
    """Without penalty and supervision the loss is the error: PSNR = -10 log10(loss); 6 steps of 48 blocks, 1 + 3 applications."""
    counted = replace(config, recursion=RecursionConfig(train=Fixed(counts=(1, 3))))
    task, state = make_task(config.task, None, CPU), begun(counted)
    records = [*fit(counted, task, blocks_of(config), lambda network: (0.0, 0.0), state, CPU)]
    for epoch, record in enumerate(records, start=1):
        assert (record.epoch, record.step, record.samples, record.stage_evaluations) == (
            epoch,
            6 * epoch,
            48 * epoch,
            4,
        )
        assert record.train_psnr == pytest.approx(-10 * math.log10(record.train_loss))


def test_every_block_of_an_epoch_is_trained_on(config: TrialConfig) -> None:
    blocks, order = blocks_of(config), np.random.default_rng(0).permutation(45)
    batches = [*Batches(blocks, config.task.block, CPU).epoch(order, 8)]
    assert [len(x) for x in batches] == [8] * 5 + [5]
    pixels = torch.from_numpy(blocks.pixels[order] / np.float32(255))
    assert torch.equal(torch.cat(batches).reshape(45, -1), pixels)


def test_the_average_is_validated_and_the_first_of_the_best_is_kept(config: TrialConfig) -> None:
    averaged = with_values(config, {"optim.ema": 0.8, "optim.epochs": 4})
    task, state = make_task(config.task, None, CPU), begun(averaged)
    validated: list[dict[str, torch.Tensor]] = []

    def validate(network: Unfolding) -> tuple[float, float]:
        validated.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
        return (20.0, 25.0, 25.0, 22.0)[len(validated) - 1], 0.5

    for _ in fit(averaged, task, blocks_of(config), validate, state, CPU):
        now = state.evaluated.state_dict()
        assert all(torch.equal(tensor, now[name]) for name, tensor in validated[-1].items())
        assert any(not torch.equal(tensor, now[name]) for name, tensor in state.network.state_dict().items())
    assert (state.best_epoch, state.best_psnr) == (2, 25.0)
    assert all(torch.equal(tensor, validated[1][name]) for name, tensor in state.best_weights.items())
    assert any(not torch.equal(tensor, validated[3][name]) for name, tensor in state.best_weights.items())


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("fp32", torch.float32), ("tf32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)],
)
def test_convolutions_are_trained_in_the_precision(
    config: TrialConfig, blocks: torch.Tensor, precision: Precision, dtype: torch.dtype
) -> None:
    low = replace(config, precision=precision)
    state, seen = begun(low), set[torch.dtype]()
    for stage in state.network.stages:
        assert isinstance(stage, CoastStage)
        stage.head.register_forward_hook(lambda _, given, out: seen.add(out.dtype))
    operator = make_task(config.task, None, CPU).draw(state.matrices)
    train_step(low, state, operator, (1, 2), blocks)
    assert seen == {dtype}
