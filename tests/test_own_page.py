"""What docs/own.md tells to write works as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

import rdun.config.models
from rdun.config import Rfmu
from rdun.models import Unfolding, make_modulation
from rdun.operators import Denoising
from studies.loading import load_study

PAGE = Path(__file__).parents[1] / "docs" / "own.md"


@pytest.fixture
def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)


def test_the_study_file(blocks: list[str], tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(blocks[0])
    study = load_study(str(tmp_path / "mine.py"))
    assert [arm.compare_to for arm in study.arms] == [None, "unrolled"]
    assert study.arms[0].configs[0].data.train == str(tmp_path / "images" / "train")


def test_the_stage(blocks: list[str]) -> None:
    place: dict[str, Any] = dict(vars(rdun.config.models))
    exec(blocks[1], place)
    exec(blocks[2].replace("from rdun.config import GatedConfig\n", ""), place)
    stages = place["gated_stages"](place["GatedConfig"](layers=2, channels=4), (2, 2))
    network = Unfolding(stages, make_modulation(Rfmu(), 4, stages[0].slots, 4))
    operator = Denoising((12, 16), 0.1, 7)
    y = torch.rand(1, 1, 12, 16)
    assert network(y, operator, (2, 1)).x.shape == (1, 1, 12, 16)
    with pytest.raises(ValueError, match=r"GatedConfig\.layers='2' should be a whole number"):
        place["GatedConfig"](layers="2")
