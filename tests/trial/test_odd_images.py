"""Images that would end a trial after its training: what is too small is refused before, what is black is scored."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rdun.config import TrialConfig, with_values
from rdun.plan.checks import check_data
from rdun.results import EpochRecord, TrialDirectory, picture_names
from rdun.trial import run_trial
from tests.conftest import photograph


def folder_of(path: Path, pixels: np.ndarray) -> str:
    path.mkdir()
    Image.fromarray(pixels).save(path / "odd.png")
    return str(path)


@pytest.mark.parametrize("field", ["data.validation", "data.test"])
def test_images_that_hold_no_block_are_refused_before_training(tiny: TrialConfig, tmp_path: Path, field: str) -> None:
    """Blocks of validation and test images are scored at the end."""
    config = with_values(tiny, {field: folder_of(tmp_path / "low", np.zeros((9, 30), np.uint8))})
    trained: list[EpochRecord] = []
    with pytest.raises(
        ValueError, match=r"odd\.png is 30x9 pixels, smaller than one 12x12 block; remove or replace it"
    ):
        run_trial(config, str(tmp_path / "trial"), trained.append)
    assert not trained
    with pytest.raises(ValueError, match=r"odd\.png is 30x9 pixels, smaller than one 12x12 block"):
        check_data(config.data, config.task.block)


def test_a_black_image_is_scored(tiny: TrialConfig, tmp_path: Path) -> None:
    """Nothing is measured of it, so that no residual is relative to the measurements."""
    config = with_values(tiny, {"data.test": folder_of(tmp_path / "black", np.zeros((30, 40), np.uint8))})
    assert run_trial(config, str(tmp_path / "trial")).status == "complete"
    traces = TrialDirectory(tmp_path / "trial").traces()
    assert traces
    assert all(math.isnan(trace.residual) for trace in traces)


def test_a_black_image_is_not_validated_on(tiny: TrialConfig, tmp_path: Path) -> None:
    """ISTA-Nets recover it exactly: with a mean of infinity, the first epoch was the best."""
    config = with_values(tiny, {"data.validation": folder_of(tmp_path / "black", np.zeros((30, 40), np.uint8))})
    trained: list[EpochRecord] = []
    with pytest.raises(ValueError, match=r"odd\.png is black, so that data\.validation tells no epoch from another"):
        run_trial(config, str(tmp_path / "trial"), trained.append)
    assert not trained
    with pytest.raises(ValueError, match=r"odd\.png is black"):
        check_data(config.data, config.task.block)


def test_pictures_of_images_that_differ_in_their_endings_are_kept_apart(tiny: TrialConfig, tmp_path: Path) -> None:
    pixels = {name: photograph(seed, (30, 40)) for seed, name in enumerate(("a.png", "a.bmp", "b.png"))}
    (tmp_path / "set").mkdir()
    for name, gray in pixels.items():
        Image.fromarray(gray).save(tmp_path / "set" / name)
    run_trial(with_values(tiny, {"data.test": str(tmp_path / "set")}), str(tmp_path / "trial"))
    kept = tmp_path / "trial" / "reconstructions" / "set"
    assert len([*kept.iterdir()]) == 3 * len(pixels)
    for name, gray in pixels.items():
        assert np.array_equal(np.asarray(Image.open(kept / f"{name}-original.png")), gray)
    assert {s.image for s in TrialDirectory(tmp_path / "trial").scores() if s.unit == "image"} == pixels.keys()


def test_pictures_are_called_as_their_images() -> None:
    assert picture_names(["b.png", "a.c.png"]) == {"b.png": "b", "a.c.png": "a.c"}
    for apart in (["a.png", "a.bmp", "a.png.bmp"], ["A.png", "a.bmp"]):  # the latter on disks that take them for one
        assert picture_names(apart) == dict(zip(apart, apart, strict=True))
