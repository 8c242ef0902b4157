"""The contract of every model, with every schedule, modulation and operator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from rdun.config import DpdnnConfig, Fixed, IstaNetConfig, RecursionConfig, Rfmu, TrialConfig
from rdun.models import Stage, Unfolding, build_model, draw_counts, strips
from rdun.operators import Operator
from tests.contracts.cases import LAYERS, MODELS, MODULATIONS, OPERATORS, SCHEDULES

every_model = pytest.mark.parametrize("model", MODELS)
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES)
every_modulation = pytest.mark.parametrize("modulation", MODULATIONS)
every_operator = pytest.mark.parametrize("operator", OPERATORS)

COUNTS = (3, 2)


def trial(model: str, schedule: str = "a count per layer", modulation: str = "rfmu", seed: int = 0) -> TrialConfig:
    recursion = RecursionConfig(train=SCHEDULES[schedule], modulation=MODULATIONS[modulation])
    return TrialConfig(model=MODELS[model], recursion=recursion, seed=seed)


def scene(
    operator: str = "block", shape: tuple[int, int] = (16, 16), count: int = 2
) -> tuple[Tensor, Tensor, Operator]:
    """Smooth images, their measurements and the operator."""
    made = OPERATORS[operator](shape, torch.float32)
    noise = torch.rand((count, 1, *shape), generator=torch.Generator().manual_seed(0))
    x = torch.nn.functional.avg_pool2d(noise, 3, stride=1, padding=1)
    return x, made.measure(x), made


@every_model
@every_schedule
@every_modulation
def test_training_step(model: str, schedule: str, modulation: str) -> None:
    """Shapes, finite values, and a gradient for every parameter; with one schedule also with bfloat16 convolutions.

    The operators take turns, so that each meets every model, schedule and modulation.
    """
    turn = list(SCHEDULES).index(schedule) + list(MODULATIONS).index(modulation)
    operator = list(OPERATORS)[turn % len(OPERATORS)]
    network = build_model(trial(model, schedule, modulation)).train()
    x, y, made = scene(operator)
    drawn = draw_counts(SCHEDULES[schedule], LAYERS, np.random.default_rng(0))
    assert network(y, made, drawn).x.shape == x.shape
    for mixed in (False, True)[: 2 if schedule == next(iter(SCHEDULES)) else 1]:
        network.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            output = network(y, made, COUNTS)
        loss = (output.x.float() - x).square().mean() + output.penalty
        loss.backward()
        assert torch.isfinite(loss)
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.abs().max() > 0, name


@every_model
@every_operator
@pytest.mark.parametrize("shape", [(8, 8), (13, 19), (5, 3)], ids=str)
def test_any_image_size(model: str, operator: str, shape: tuple[int, int]) -> None:
    network = build_model(trial(model)).eval()
    x, y, made = scene(operator, shape)
    out = network(y, made, COUNTS).x
    assert out.shape == x.shape
    assert torch.isfinite(out).all()


@every_model
@every_modulation
def test_counts_are_honoured(model: str, modulation: str) -> None:
    network = build_model(trial(model, modulation=modulation)).eval()
    _, y, made = scene()
    for counts in [(1, 1), (3, 2), (1, 4)]:
        iterates = list(network.iterates(y, made, counts))
        assert [i.stage for i in iterates] == [0] * counts[0] + [1] * counts[1]
        assert torch.equal(iterates[-1].x, network(y, made, counts).x)
    assert not torch.equal(network(y, made, (1, 2)).x, network(y, made, (2, 1)).x)


@every_model
@every_modulation
def test_recursion_is_repetition_with_shared_weights(model: str, modulation: str) -> None:
    network = build_model(trial(model, modulation=modulation)).eval()
    first, second = (stage for stage in network.stages if isinstance(stage, Stage))
    spread = Unfolding([first, first, first, second, second], network.modulation).eval()
    _, y, made = scene()
    assert torch.equal(network(y, made, COUNTS).x, spread(y, made, (1,) * 5).x)
    assert spread.parameter_count() == network.parameter_count()


@every_model
def test_penalty_only_in_training(model: str) -> None:
    network = build_model(trial(model))
    _, y, made = scene()
    with torch.no_grad():
        training, testing = network.train()(y, made, COUNTS), network.eval()(y, made, COUNTS)
    assert torch.equal(training.x, testing.x)
    assert float(testing.penalty) == 0
    assert (float(training.penalty) > 0) == model.startswith("ista_net")
    assert sum(i.penalty is not None for i in network.train().iterates(y, made, COUNTS)) in (0, sum(COUNTS))


@every_model
def test_nothing_is_left_to_chance_and_nothing_is_kept(model: str) -> None:
    """In training, two passes are equal: a stage draws no numbers, and what it computes does not depend on passes before."""
    network = build_model(trial(model)).train()
    _, y, made = scene()
    first, again = network(y, made, COUNTS), network(y, made, COUNTS)
    assert torch.equal(first.x, again.x) and torch.equal(first.penalty, again.penalty)


@every_model
@every_modulation
def test_the_seed_decides(model: str, modulation: str) -> None:
    before = torch.get_rng_state()
    first, again, other = (build_model(trial(model, modulation=modulation, seed=s)).state_dict() for s in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("model", [name for name, config in MODELS.items() if not isinstance(config, IstaNetConfig)])
@every_modulation
@every_operator
def test_identity_start_returns_the_initial_estimate(model: str, modulation: str, operator: str) -> None:
    config = trial(model, modulation=modulation)
    assert not isinstance(config.model, IstaNetConfig)
    network = build_model(replace(config, model=replace(config.model, start="identity"))).eval()
    _, y, made = scene(operator)
    torch.testing.assert_close(network(y, made, COUNTS).x, made.crop(made.initial(y)), rtol=0, atol=1e-5)


@every_model
@every_modulation
def test_evaluation_needs_no_graph_and_repeats(model: str, modulation: str) -> None:
    network = build_model(trial(model, modulation=modulation)).eval()
    _, y, made = scene(count=3)
    plain = network(y, made, COUNTS).x
    with torch.inference_mode():
        assert torch.equal(network(y, made, COUNTS).x, plain)
    torch.testing.assert_close(network(y[1:2], made, COUNTS).x, plain[1:2], rtol=0, atol=1e-5)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    torch.testing.assert_close(network(y, made, COUNTS).x, plain, rtol=0, atol=1e-5)


@every_model
@every_modulation
def test_scales_are_one_table_per_pass(model: str, modulation: str) -> None:
    network = build_model(trial(model, modulation=modulation))
    stage = network.stages[0]
    assert isinstance(stage, Stage)
    scales = network.modulation(0.25, COUNTS)
    assert (scales is None) == (modulation == "none")
    if scales is not None:
        assert scales.shape == (sum(COUNTS), stage.slots, MODELS[model].channels)


@every_model
def test_steps_have_one_row_per_application(model: str) -> None:
    for stage in build_model(trial(model)).stages:
        assert isinstance(stage, Stage)
        for count in (1, 2, 7):
            assert len(stage.steps(count)) == count
            assert torch.equal(
                stage.steps(count), stage.steps(9)[:count]
            )  # steps from CUDA graphs ask for the highest count


def test_dpdnn_gives_each_recursion_its_own_steps_and_repeats_the_last() -> None:
    config = TrialConfig(
        model=DpdnnConfig(channels=4), recursion=RecursionConfig(train=Fixed(counts=(3,)), modulation=Rfmu())
    )
    (stage,) = build_model(config).stages
    assert isinstance(stage, Stage)
    assert stage.steps(3).shape == (3, 2)
    with torch.no_grad():
        next(p for p in stage.parameters() if p.shape == (3, 2))[:, 0] = torch.tensor([0.1, 0.2, 0.3])
    assert stage.steps(5)[:, 0].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.3, 0.3])


@every_model
@pytest.mark.parametrize("mixed", [False, True])
def test_recomputation(model: str, mixed: bool) -> None:
    """The same output, penalty and gradients to the last bit; what is kept grows by estimates only."""
    network = build_model(trial(model)).train()
    x, y, made = scene()

    def run(counts: tuple[int, int], *, recompute: bool) -> tuple[list[Tensor], int]:
        kept = 0

        def count(tensor: Tensor) -> Tensor:
            nonlocal kept
            kept += tensor.nbytes
            return tensor

        network.recompute = recompute
        network.zero_grad()
        with (
            torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor),
            torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed),
        ):
            output = network(y, made, counts)
        forward = kept
        ((output.x.float() - x).square().mean() + output.penalty).backward()
        return [output.x, output.penalty, *(p.grad for p in network.parameters() if p.grad is not None)], forward

    (plain, all_kept), (again, few_kept) = run(COUNTS, recompute=False), run(COUNTS, recompute=True)
    for a, b in zip(plain, again, strict=True):
        assert torch.equal(a, b)
    _, more = run((COUNTS[0] + 2, COUNTS[1]), recompute=True)
    assert few_kept < all_kept / 2
    assert (more - few_kept) < all_kept / sum(COUNTS) / 4


class Largest(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Numbers in the largest result of any operation."""

    most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor):
            self.most = max(self.most, out.numel())
        return out


@pytest.mark.parametrize("model", [name for name in MODELS if not isinstance(MODELS[name], DpdnnConfig)])
def test_large_images_in_strips(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same reconstruction, and no result of a layer larger than a strip's, however long the image is."""
    network, shape = build_model(trial(model)).eval(), (96, 24)
    _, y, made = scene(shape=shape)
    with torch.no_grad():
        whole = network(y, made, COUNTS).x
        limit = 2 * MODELS[model].channels * shape[1] * 40
        monkeypatch.setattr(strips, "FEATURES", limit)
        with Largest() as largest:  # type: ignore[no-untyped-call]
            parts = network(y, made, COUNTS).x
    assert torch.allclose(whole, parts, atol=1e-6)
    assert largest.most <= limit < 2 * MODELS[model].channels * shape[0] * shape[1]
