"""Numbers that no refactoring may move: outputs of every system at its published size, a training, matrices, masks, noise, draws.

Where a change of numerics is meant, raise `rdun.config.NUMERICS` and record anew: `python -m tests.gold.test_numbers`.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from PIL import Image

from rdun.config import (
    NUMERICS,
    CoastConfig,
    DpdnnConfig,
    Fixed,
    IstaNetConfig,
    IstaNetPlusConfig,
    OptimConfig,
    RatioScale,
    RecursionConfig,
    Rfmu,
    TrialConfig,
    UniformRange,
    with_values,
)
from rdun.models import build_model, draw_counts
from rdun.operators import BlockSensing, Denoising, dc_gain, gaussian_matrix, pixel_mask
from rdun.results import TrialDirectory
from rdun.streams import seed_for, stream
from rdun.trial import run_trial
from tests.conftest import photograph, tiny_trial

GOLD = Path(__file__).parent / "numbers.json"

RANDOM = UniformRange(low=(1,), high=(3,))
SYSTEMS = {
    "ISTA-Net": TrialConfig(model=IstaNetConfig()),
    "ISTA-Net+": TrialConfig(model=IstaNetPlusConfig()),
    "R-ISTA-Net+ 3x3": TrialConfig(
        model=IstaNetPlusConfig(layers=3),
        recursion=RecursionConfig(train=RANDOM, modulation=Rfmu(inputs=("total", "current"))),
    ),
    "COAST 20x1": TrialConfig(recursion=RecursionConfig(modulation=RatioScale())),
    "R-COAST 5x3": TrialConfig(
        model=CoastConfig(layers=5), recursion=RecursionConfig(train=RANDOM, modulation=Rfmu()), seed=1970
    ),
    "DPDNN 1x6": TrialConfig(model=DpdnnConfig(), recursion=RecursionConfig(train=Fixed(counts=(6,)))),
}


def system_numbers(config: TrialConfig) -> list[float]:
    """Mean and spread of the output, two pixels, the penalty and the gradient's norm after one pass over a smooth image."""
    ramp = torch.linspace(0, 3, 33)
    image = (0.5 + 0.25 * torch.sin(ramp)[:, None] * torch.cos(2 * ramp)[None, :] + 0.2 * (ramp[:, None] > 1.5))[
        None, None
    ]
    operator = BlockSensing(torch.from_numpy(gaussian_matrix(272, 1089, 0).astype(np.float32)), (33, 33))
    network = build_model(config).train()
    out = network(operator.measure(image), operator, config.test_counts)
    ((out.x - image).square().mean() + out.penalty).backward()
    gradient = sum(float(p.grad.double().square().sum()) for p in network.parameters() if p.grad is not None) ** 0.5
    x = out.x.detach().double()
    return [float(v) for v in (x.mean(), x.std(), x[0, 0, 0, 0], x[0, 0, 16, 20], out.penalty.detach())] + [gradient]


def training_numbers(folder: Path) -> list[float]:
    """Losses and validation of a short training, and the mean scores of its best weights: all that a trial is made of."""
    for number, name in enumerate(("train", "validation", "test")):
        (folder / name).mkdir()
        Image.fromarray(photograph(number, (60, 70))).save(folder / name / "x.png")
    config = with_values(
        tiny_trial(folder),
        {
            "task.ratios": (0.1, 0.25),
            "task.matrices": 3,
            "task.ridge": 1e-2,
            "recursion": RecursionConfig(train=RANDOM, modulation=Rfmu(start="identity"), curriculum=0.5),
            "data.fraction": 0.3,
            "data.epoch_samples": 100,
            "optim": OptimConfig(
                lr=5e-3, batch=16, epochs=3, warmup=3, decay="cosine", ema=0.7, deep_supervision=0.2, clip=0.05
            ),
            "seed": 7,
        },
    )
    run_trial(config, str(folder / "trial"))
    trial, means = TrialDirectory(folder / "trial"), dict[tuple[str, ...], list[float]]()
    for s in trial.scores():
        if s.checkpoint == "best" and s.recursions:
            means.setdefault((s.split, s.unit, s.metric), []).append(s.value)
    epochs = [v for r in trial.epochs() for v in (r.train_loss, r.validation_psnr, r.validation_ssim)]
    return [*epochs, *(float(np.mean(values)) for _, values in sorted(means.items()))]


def source_numbers() -> dict[str, list[float]]:
    """The first values of every source of chance."""
    matrix, trained = gaussian_matrix(109, 1089, 0), gaussian_matrix(109, 1089, 0, 3)
    noise = Denoising((2, 3), 0.1, seed_for(0, "test noise")).measure(torch.zeros(1, 1, 2, 3))
    recursions = stream(0, "recursions")
    return {
        "test matrix": [*matrix[0, :3].tolist(), *matrix[-1, -3:].tolist(), dc_gain(matrix)],
        "training matrix": trained[0, :3].tolist(),
        "test mask": np.flatnonzero(pixel_mask(0.1, (9, 10), 0)).astype(float).tolist(),
        "training mask": np.flatnonzero(pixel_mask(0.1, (9, 10), 0, 4)).astype(float).tolist(),
        "noise": noise.double().flatten().tolist(),
        "recursions": [
            float(sum(r * 10**i for i, r in enumerate(draw_counts(RANDOM, 5, recursions)))) for _ in range(4)
        ],
        "initialisation": [float(seed_for(0, "initialisation") % 10**9)],
    }


@pytest.fixture(scope="module")
def gold() -> dict[str, list[float]]:
    record = json.loads(GOLD.read_text())
    assert record["numerics"] == NUMERICS, "the numbers were recorded for other numerics: record them anew"
    values: dict[str, list[float]] = record["values"]
    return values


@pytest.mark.parametrize("name", SYSTEMS)
def test_systems(name: str, gold: dict[str, list[float]]) -> None:
    assert system_numbers(SYSTEMS[name]) == pytest.approx(gold[name], rel=2e-4, abs=2e-6)


def test_training(gold: dict[str, list[float]], tmp_path: Path) -> None:
    assert training_numbers(tmp_path) == pytest.approx(gold["training"], rel=2e-5)


def test_sources(gold: dict[str, list[float]]) -> None:
    for name, values in source_numbers().items():
        assert values == pytest.approx(gold[name], rel=1e-9, abs=1e-9), name


if __name__ == "__main__":
    recorded = {name: system_numbers(config) for name, config in SYSTEMS.items()} | source_numbers()
    with TemporaryDirectory() as folder:
        recorded["training"] = training_numbers(Path(folder))
    GOLD.write_text(json.dumps({"numerics": NUMERICS, "values": recorded}, indent=1) + "\n")
