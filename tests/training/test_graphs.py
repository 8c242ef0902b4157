"""Training steps from CUDA graphs against plain ones, from the same start, over random counts, ratios and matrices."""

from __future__ import annotations

import pytest
import torch

from rdun.config import (
    BlockSensingTask,
    CoastConfig,
    DpdnnConfig,
    IstaNetConfig,
    IstaNetPlusConfig,
    ModelConfig,
    NoModulation,
    OptimConfig,
    RatioScale,
    RecursionConfig,
    Rfmu,
    TrialConfig,
    UniformRange,
)
from rdun.models import build_model, draw_counts
from rdun.operators import GaussianBlockTask, make_task
from rdun.streams import stream
from rdun.training import GraphedStep, TrainState, train_step

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

TASK = BlockSensingTask(ratios=(0.1, 0.5), matrices=2)
STEPS = 6


@pytest.mark.parametrize("modulation", [NoModulation(), RatioScale(), Rfmu()], ids=lambda m: str(m.kind))
@pytest.mark.parametrize(
    "model",
    [CoastConfig(layers=3), IstaNetPlusConfig(layers=3), IstaNetConfig(layers=3), DpdnnConfig(layers=1, channels=16)],
    ids=lambda m: str(m.kind),
)
def test_graphs_give_the_steps_of_plain_training(
    model: ModelConfig, modulation: NoModulation | RatioScale | Rfmu
) -> None:
    config = TrialConfig(
        task=TASK,
        model=model,
        recursion=RecursionConfig(train=UniformRange(low=(1,), high=(3,)), modulation=modulation),
        optim=OptimConfig(batch=16),
        precision="fp32",
    )
    plain, graphs = (_losses(config, graphs) for graphs in (False, True))
    assert plain[0] == pytest.approx(graphs[0], rel=1e-5)
    assert torch.allclose(plain[1], graphs[1], atol=1e-4), (
        (plain[1] - graphs[1]).abs().max()
    )  # Adam's steps are 1e-4 each
    assert plain[0][-1] != plain[0][0]


def _losses(config: TrialConfig, graphs: bool) -> tuple[list[float], torch.Tensor]:
    """The losses of some steps and all parameters after them; one batch is smaller, as the last of an epoch is."""
    device = torch.device("cuda")
    task = make_task(config.task, None, device)
    assert isinstance(task, GaussianBlockTask)
    state = TrainState.start(config, build_model(config).to(device).train(), device)
    graphed = GraphedStep(config, state, task, device) if graphs else None
    generator, found = stream(0, "images"), []
    for step in range(STEPS):
        size = 5 if step == 2 else config.optim.batch
        x = torch.from_numpy(generator.random((size, 1, 33, 33), dtype="float32")).to(device)
        operator = task.draw(state.matrices)
        counts = draw_counts(config.recursion.train, config.model.layers, state.recursions)
        if graphed and size == config.optim.batch:
            loss, _ = graphed(operator, counts, x)
        else:
            loss, _ = train_step(config, state, operator, counts, x)
        found.append(float(loss))
    return found, torch.cat([p.detach().flatten() for p in state.network.parameters()]).cpu()
