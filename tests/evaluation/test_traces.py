"""What a trace says of each stage application, against its formulas."""

from __future__ import annotations

import pytest
import torch

from rdun.config import BlockSensingTask, CoastConfig, RecursionConfig, Rfmu, TrialConfig, UniformRange
from rdun.evaluation import Picture, Reconstructor, psnr, trace_images
from rdun.models import Stage, build_model
from rdun.operators import make_task
from tests.conftest import photograph

CPU = torch.device("cpu")


def test_each_row_is_of_its_application() -> None:
    """PSNR, ||A x - y|| / ||y||, step and scales after every application, of layers with steps of their own."""
    config = TrialConfig(
        task=BlockSensingTask(ratios=(0.25,), block=8),
        model=CoastConfig(layers=2, channels=4),
        recursion=RecursionConfig(train=UniformRange(low=(1,), high=(2,)), modulation=Rfmu()),
    )
    network, task, counts = build_model(config).eval(), make_task(config.task, None, CPU), (2, 1)
    with torch.no_grad():
        for stage, step in zip(network.stages, (0.5, 0.8), strict=True):
            assert isinstance(stage, Stage)
            next(p for p in stage.parameters() if p.dim() == 0).fill_(step)
    picture = Picture("x", photograph(0, (16, 21)))
    operator = task.test_operators(picture.shape)[0].operator
    y = operator.measure(picture.tensor(CPU))
    found = [*trace_images(Reconstructor(network, counts, deblock=True), task, [picture], "set", CPU)]
    with torch.no_grad():
        estimates = [operator.crop(operator.initial(y)), *(i.x for i in network.iterates(y, operator, counts))]
        scales = network.modulation(operator.ratio, counts)
    assert scales is not None
    for row, x in zip(found, estimates, strict=True):
        assert row.psnr == pytest.approx(psnr(255 * x.clamp(0, 1)[0, 0].numpy(), picture.pixels), abs=1e-4)
        assert row.residual == pytest.approx(float((operator.forward(x) - y).norm() / y.norm()), rel=1e-4)
    assert [row.layer for row in found] == [0, 1, 1, 2]
    assert [row.step for row in found[1:]] == pytest.approx([0.5, 0.5, 0.8])
    assert [row.scale_mean for row in found[1:]] == pytest.approx([float(s.abs().mean()) for s in scales])
    assert [row.scale_max for row in found[1:]] == pytest.approx([float(s.abs().max()) for s in scales])
    assert len({row.scale_mean for row in found[1:]}) == 3
