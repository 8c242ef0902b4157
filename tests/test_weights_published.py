"""The authors' published weights on their test sets: needs weights/, set11/, bsd68/ and t91/ in RDUN_DATA."""

from __future__ import annotations

import csv
import hashlib
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from rdun.config import DataConfig, TrialConfig
from rdun.data import DATA_VARIABLE, image_set, training_blocks
from rdun.evaluation import load_pictures
from rdun.models import Unfolding
from rdun.operators import linear_estimator
from rdun.weights import known_files, load_published, read_estimator, read_sampling_matrix
from rdun.weights.evaluate import Measurement, scored

ROOT = Path(os.environ.get(DATA_VARIABLE, "/nonexistent"))
GOLD = Path(__file__).parent / "gold"
ROWS_SHA256 = "1712a5876981ee7b4c1e0d0e877e333093dec4cb5294246b0a71aef8c15a833d"
"""Of the rows of the 88,912 x 1089 uint8 array, sorted as byte strings and concatenated."""

pytestmark = pytest.mark.skipif(
    not (ROOT / "weights").is_dir(),
    reason=f"{DATA_VARIABLE} names no folder that holds weights/ (the authors' files are not ours to ship)",
)


@cache
def network_of(file: str) -> tuple[Unfolding, TrialConfig]:
    return load_published(ROOT / "weights" / file)


def mat(kind: str, percent: int) -> Path:
    return ROOT / "weights" / (f"phi_0_{percent}_1089.mat" if kind == "phi" else f"Initialization_Matrix_{percent}.mat")


@pytest.mark.parametrize(
    ("file", "parameters", "counts"),
    [
        ("r_coast_5x4.pkl", 281_674, (4,) * 5),
        ("coast_5x4_no_rfmu.pkl", 280_554, (4,) * 5),
        ("coast_5x1.pkl", 280_554, (1,) * 5),
        ("ista_net_plus_9_ratio10.pkl", 336_978, (1,) * 9),
        ("ista_net_plus_9_ratio30.pkl", 336_978, (1,) * 9),
        ("ista_net_9_ratio10.pkl", 171_090, (1,) * 9),
    ],
)
def test_published_files_are_recognised(file: str, parameters: int, counts: tuple[int, ...]) -> None:
    network, config = network_of(file)
    assert network.parameter_count() == parameters
    assert config.test_counts == counts
    assert not network.training


def test_every_known_file_is_described() -> None:
    assert len(known_files()) == 7
    network, _ = network_of("r_coast_5x4.pkl")
    steps = [float(p.detach()) for name, p in network.named_parameters() if name.endswith(".step")]
    assert steps == pytest.approx([2.98, 3.24, 2.17, 1.92, 1.69], abs=0.006)


@pytest.mark.parametrize("percent", [10, 30])
def test_published_matrices(percent: int) -> None:
    matrix = read_sampling_matrix(mat("phi", percent))
    assert matrix.shape == (round(1089 * percent / 100), 1089)
    assert read_estimator(mat("estimator", percent), matrix).shape == matrix.T.shape
    other = read_sampling_matrix(mat("phi", 40 - percent))
    with pytest.raises(ValueError, match="take the file of its ratio"):
        read_estimator(mat("estimator", percent), other)


def test_the_linear_estimate_of_the_training_blocks_is_the_published_one() -> None:
    """The 88,912 blocks of T91 are the published training set: their Q equals the authors', to rounding."""
    blocks = training_blocks(image_set("t91"), DataConfig(), 33)
    assert blocks.pixels.shape == (88_912, 1089)
    in_order = blocks.pixels[np.lexsort(blocks.pixels.T[::-1])]
    assert hashlib.sha256(in_order.tobytes()).hexdigest() == ROWS_SHA256
    moment = blocks.moment
    for percent in (10, 30):
        matrix = read_sampling_matrix(mat("phi", percent))
        published = read_estimator(mat("estimator", percent), matrix)
        ours = linear_estimator(matrix, moment)
        assert np.linalg.norm(ours - published) <= 1e-9 * np.linalg.norm(published)


def rows(name: str) -> list[dict[str, str]]:
    with (GOLD / name).open(newline="") as file:
        return list(csv.DictReader(file))


def measured(row: dict[str, str], images: list[str] | None = None) -> tuple[float, float]:
    """Our mean PSNR and SSIM for a row."""
    ratio, matrix = float(row["ratio"]), row["matrix"]
    percent = round(100 * ratio)
    if matrix == "phi_0":
        measurement = Measurement(matrix=mat("phi", percent), estimator=mat("estimator", percent))
    else:
        measurement = Measurement(ratios=(ratio,), seeds=(int(matrix.removeprefix("gauss-s")),))
    network, config = network_of(row["file"])
    pictures = [p for p in load_pictures(image_set(row["dataset"])) if images is None or p.name in images]
    task = measurement.task(config, torch.device("cpu"))
    tested = scored(network, config, task, pictures, dataset=row["dataset"], recursions=int(row["recursions"]))
    found = [score for *_, own in tested for score in own]
    assert len(found) == 2 * len(pictures) > 0
    psnr, ssim = (float(np.mean([s.value for s in found if s.metric == m])) for m in ("psnr", "ssim"))
    return psnr, ssim


@pytest.mark.parametrize(
    ("file", "ratio", "matrix"), [("coast_5x1.pkl", 0.1, "gauss-s0"), ("ista_net_plus_9_ratio30.pkl", 0.3, "phi_0")]
)
def test_set11_scores_agree_with_the_reference(file: str, ratio: float, matrix: str) -> None:
    (row,) = (
        r
        for r in rows("published_weights.csv")
        if (r["file"], r["dataset"], float(r["ratio"]), r["matrix"]) == (file, "set11", ratio, matrix)
    )
    psnr, ssim = measured(row)
    assert psnr == pytest.approx(float(row["psnr"]), abs=0.01)
    assert ssim == pytest.approx(float(row["ssim"]), abs=0.0005)


@pytest.mark.parametrize("row", rows("published_weights_images.csv"), ids=lambda row: row["image"])
def test_bsd68_images_agree_with_the_reference(row: dict[str, str]) -> None:
    psnr, ssim = measured(row, [row["image"]])
    assert psnr == pytest.approx(float(row["psnr"]), abs=0.01)
    assert ssim == pytest.approx(float(row["ssim"]), abs=0.0005)
