"""Parameter counts of the published networks: exact."""

from __future__ import annotations

import pytest

from rdun.config import (
    CoastConfig,
    DpdnnConfig,
    Fixed,
    IstaNetConfig,
    IstaNetPlusConfig,
    ModelConfig,
    RatioScale,
    RecursionConfig,
    Rfmu,
    TrialConfig,
    UniformRange,
)
from rdun.models import build_model

ONCE = RecursionConfig(train=Fixed(counts=(1,)))
UP_TO_FOUR = UniformRange(low=(1,), high=(4,))
RATIO = RatioScale()
WITHOUT_RATIO = Rfmu(inputs=("total", "current"))


@pytest.mark.parametrize(
    ("model", "recursion", "expected"),
    [
        (IstaNetConfig(), ONCE, 171_090),
        (IstaNetPlusConfig(), ONCE, 336_978),
        (
            IstaNetPlusConfig(layers=3),
            RecursionConfig(train=UniformRange(low=(1,), high=(3,)), modulation=WITHOUT_RATIO),
            114_630,
        ),
        (CoastConfig(), RecursionConfig(train=Fixed(counts=(1,)), modulation=RATIO), 1_122_024),
        (CoastConfig(layers=5), RecursionConfig(train=UP_TO_FOUR, modulation=Rfmu()), 281_674),
        (CoastConfig(layers=5), RecursionConfig(train=UP_TO_FOUR, modulation=RATIO), 280_554),
        (CoastConfig(layers=5), RecursionConfig(train=UP_TO_FOUR, modulation=WITHOUT_RATIO), 281_642),
        (CoastConfig(layers=5), RecursionConfig(train=UP_TO_FOUR), 280_490),
        (CoastConfig(layers=5, channels=16), RecursionConfig(train=UP_TO_FOUR, modulation=Rfmu()), 71_466),
        (DpdnnConfig(), RecursionConfig(train=Fixed(counts=(6,))), 1_363_661),
        (DpdnnConfig(layers=2), RecursionConfig(train=Fixed(counts=(3,))), 2_727_310),
    ],
    ids=[
        "ISTA-Net",
        "ISTA-Net+",
        "R-ISTA-Net+ 3x3",
        "COAST 20x1",
        "R-COAST 5x4",
        "COAST 5x4 without RFMU",
        "R-COAST 5x4 without ratio",
        "COAST 5x4 unscaled",
        "R-COAST 5x4 narrow",
        "DPDNN 1x6",
        "DPDNN 2x3",
    ],
)
def test_parameters(model: ModelConfig, recursion: RecursionConfig, expected: int) -> None:
    assert build_model(TrialConfig(model=model, recursion=recursion)).parameter_count() == expected
