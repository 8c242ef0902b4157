"""Training steps from CUDA graphs against plain ones, from the same start, over random counts, ratios and matrices."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor

from rdun.config import (
    BlockSensingTask,
    CoastConfig,
    DpdnnConfig,
    IstaNetConfig,
    IstaNetPlusConfig,
    ModelConfig,
    NoModulation,
    OptimConfig,
    Precision,
    RatioScale,
    RecursionConfig,
    Rfmu,
    TrialConfig,
    UniformRange,
    with_values,
)
from rdun.data import TrainingBlocks, image_set, training_blocks
from rdun.models import MODELS as BUILDERS
from rdun.models import build_model, draw_counts
from rdun.models.coast import CoastStage
from rdun.operators import GaussianBlockTask, Operator, Task, make_task
from rdun.results import Folder
from rdun.streams import stream
from rdun.training import GraphedStep, TrainState, fit, train_step
from rdun.training.graphs import graphed_step
from tests.training.recorded import record_graphs

TASK = BlockSensingTask(ratios=(0.1, 0.5), block=12, matrices=2)
STEPS = 6
SEED = 1
"""Draws the ratios in turns, so that steps with few measurements follow some with many."""
MODELS = [
    CoastConfig(layers=3, channels=8),
    IstaNetPlusConfig(layers=3, channels=8),
    IstaNetConfig(layers=3, channels=8),
    DpdnnConfig(layers=1, channels=8),
]
TOLERANCE: dict[Precision, float] = {"fp32": 1e-5, "tf32": 3e-3, "bf16": 3e-2}
"""Of a loss, relative."""


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """A GPU where there is one, and a processor that records operations in place of graphs."""
    if request.param == "cpu":
        record_graphs(monkeypatch)
    elif not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    return torch.device(request.param)


@pytest.mark.parametrize("modulation", [NoModulation(), RatioScale(), Rfmu()], ids=lambda m: str(m.kind))
@pytest.mark.parametrize("model", MODELS, ids=lambda m: str(m.kind))
def test_graphs_give_the_steps_of_plain_training(
    model: ModelConfig, modulation: NoModulation | RatioScale | Rfmu, device: torch.device
) -> None:
    config = _config(model, modulation)
    plain, graphs = (_losses(config, device, graphs=graphs) for graphs in (False, True))
    assert plain[0] == pytest.approx(graphs[0], rel=TOLERANCE["fp32"])
    assert torch.allclose(plain[1], graphs[1], atol=1e-4), (
        (plain[1] - graphs[1]).abs().max()
    )  # Adam's steps are 1e-4 each
    assert plain[0][-1] != plain[0][0]


def test_gradients_of_graphs_are_clipped(device: torch.device) -> None:
    """Anew at each step: what a clipped one leaves in the tensors that graphs add to is not in the next."""
    config = _config(CoastConfig(layers=3, channels=8), Rfmu())
    for clip, expected in ((1e-6, 1e-6), (0.0, None)):
        clipped = replace(config, optim=replace(config.optim, clip=clip))
        task = make_task(config.task, None, device)
        assert isinstance(task, GaussianBlockTask)
        state = TrainState.start(clipped, build_model(clipped).place(device).train(), device)
        step, x = GraphedStep(clipped, state, task, device), torch.ones(4, 1, 12, 12, device=device)
        for _ in range(2):
            step(task.draw(state.matrices), (1, 2, 3), x)
            norm = float(torch.cat([g.flatten() for g in step.gradients]).norm())
            assert norm == pytest.approx(expected, rel=1e-3) if expected else norm > 1e-4


class _KnowsTheRatio(CoastStage):
    """A stage that takes longer steps where more is measured."""

    def forward(
        self, x: Tensor, y: Tensor, operator: Operator, step: Tensor, scale: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        return super().forward(x, y, operator, step * (1 + operator.ratio), scale)


class _StartsAnew(CoastStage):
    """A stage that adds the initial estimate to its own."""

    def forward(
        self, x: Tensor, y: Tensor, operator: Operator, step: Tensor, scale: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        return super().forward(x + operator.initial(y), y, operator, step, scale)


@pytest.mark.parametrize("stage", [_KnowsTheRatio, _StartsAnew])
def test_what_a_graph_would_hold_for_ever_is_trained_without(
    stage: type[CoastStage], device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage that reads the ratio was trained on a GPU as if it were always the highest."""
    monkeypatch.setitem(BUILDERS, "coast", lambda config, counts: [stage(config) for _ in counts])
    monkeypatch.setattr("rdun.training.graphs.GraphedStep", lambda c, s, t, _: GraphedStep(c, s, t, device))
    config = _config(CoastConfig(layers=3, channels=8), Rfmu())
    task = make_task(config.task, None, device)
    state = TrainState.start(config, build_model(config).place(device), device)
    assert graphed_step(config, state, task, torch.device("cuda")) is None
    x = torch.zeros(4, 1, 12, 12, device=device)
    train_step(config, state, task.draw(state.matrices), (1, 2, 3), x)


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
@pytest.mark.parametrize("model", MODELS, ids=lambda m: str(m.kind))
def test_graphs_round_as_plain_training_does(model: ModelConfig, precision: Precision, device: torch.device) -> None:
    config = replace(_config(model, Rfmu()), precision=precision)
    plain, graphs = (_losses(config, device, graphs=graphs)[0] for graphs in (False, True))
    assert plain == pytest.approx(graphs, rel=TOLERANCE[precision])


def _config(model: ModelConfig, modulation: NoModulation | RatioScale | Rfmu) -> TrialConfig:
    return TrialConfig(
        task=TASK,
        model=model,
        recursion=RecursionConfig(train=UniformRange(low=(1,), high=(3,)), modulation=modulation),
        optim=OptimConfig(batch=4),
        precision="fp32",
        seed=SEED,
    )


def _losses(config: TrialConfig, device: torch.device, *, graphs: bool) -> tuple[list[float], torch.Tensor]:
    """The losses of some steps and all parameters after them; one batch is smaller, as the last of an epoch is."""
    task = make_task(config.task, None, device)
    assert isinstance(task, GaussianBlockTask)
    state = TrainState.start(config, build_model(config).place(device).train(), device)
    graphed = GraphedStep(config, state, task, device) if graphs else None
    generator, found, rows = stream(0, "images"), [], list[int]()
    for step in range(STEPS):
        size = 3 if step == 2 else config.optim.batch
        x = torch.from_numpy(generator.random((size, 1, 12, 12), dtype="float32")).to(device)
        operator = task.draw(state.matrices)
        rows.append(operator.measure(x).shape[-1])
        counts = draw_counts(config.recursion.train, config.model.layers, state.recursions)
        if graphed and size == config.optim.batch:
            loss, _ = graphed(operator, counts, x)
        else:
            loss, _ = train_step(config, state, operator, counts, x)
        found.append(float(loss))
    assert any(after < before for before, after in pairwise(rows))
    return found, torch.cat([p.detach().flatten() for p in state.network.parameters()]).cpu()


class Training:
    """Epochs of the tiny trial with growing and random counts, a moving average, a warm-up and a smaller last batch."""

    def __init__(self, tiny: TrialConfig, device: torch.device) -> None:
        recipe = {"optim.ema": 0.9, "optim.warmup": 4, "optim.decay": "cosine", "recursion.curriculum": 0.5}
        counts = {"recursion.train": UniformRange(low=(1,), high=(3,)), "recursion.modulation": Rfmu()}
        self.config = with_values(tiny, {**counts, **recipe, "data.epoch_samples": 45})
        self.device = device
        self.blocks: TrainingBlocks = training_blocks(image_set(tiny.data.train), self.config.data, 12)
        self.task: Task = make_task(self.config.task, self.blocks.moment, device)

    def start(self) -> TrainState:
        return TrainState.start(self.config, build_model(self.config).place(self.device), self.device)

    def run(self, state: TrainState, epochs: int) -> TrainState:
        for record in fit(self.config, self.task, self.blocks, lambda network: (0.0, 0.0), state, self.device):
            if record.epoch == epochs:
                break
        return state


@pytest.fixture
def training(tiny: TrialConfig, device: torch.device, monkeypatch: pytest.MonkeyPatch) -> Training:
    """With graphs on a processor too."""
    monkeypatch.setattr("rdun.training.loop.graphed_step", GraphedStep)
    return Training(tiny, device)


def _weights(state: TrainState) -> torch.Tensor:
    both = [*state.network.parameters(), *state.evaluated.parameters()]
    return torch.cat([p.detach().flatten() for p in both]).cpu()


def test_whole_epochs_from_graphs_are_those_of_plain_steps(training: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = training.run(training.start(), 3)
    monkeypatch.setattr("rdun.training.loop.graphed_step", lambda *_: None)
    plain = training.run(training.start(), 3)
    assert [r.train_loss for r in graphs.records] == pytest.approx([r.train_loss for r in plain.records], rel=1e-4)
    assert torch.allclose(_weights(graphs), _weights(plain), atol=2e-3)  # the rate is 2e-3, and 18 steps are taken
    assert not torch.equal(_weights(graphs), _weights(training.start()))


def test_a_training_from_graphs_that_is_resumed_is_the_uninterrupted_one(training: Training, tmp_path: Path) -> None:
    whole = training.run(training.start(), 3)
    training.run(first := training.start(), 1)
    first.save(Folder(tmp_path))
    second = training.start()
    second.load(Folder(tmp_path), training.device)
    training.run(second, 3)
    losses = [[record.train_loss for record in state.records] for state in (whole, second)]
    if training.device.type == "cpu":
        assert losses[0] == losses[1]
        assert torch.equal(_weights(whole), _weights(second))
    else:  # cuDNN may choose another algorithm, which sums in another order
        assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert all(map(math.isfinite, losses[0]))


def test_nothing_is_prepared_for_a_training_that_is_done(training: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU captured graphs for weights that are only tested, and for a trial that goes on with its tests."""
    state = training.run(training.start(), 3)
    for name in ("Batches", "graphed_step"):
        monkeypatch.setattr(f"rdun.training.loop.{name}", lambda *_: pytest.fail("prepared"))
    assert training.run(state, 3).epoch == 3
