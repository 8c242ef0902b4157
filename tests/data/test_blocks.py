from __future__ import annotations

import hashlib
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rdun.config import DataConfig
from rdun.data import (
    all_blocks,
    count_blocks,
    dihedral,
    epoch_samples,
    grid_blocks,
    image_set,
    read_luminance,
    training_blocks,
)
from rdun.data.blocks import subset_size

CONFIG = DataConfig(stride=6)


def rows(blocks: np.ndarray) -> set[bytes]:
    return {row.tobytes() for row in blocks}


def test_grid_blocks_are_full_crops_in_raster_order() -> None:
    image = np.arange(7 * 9, dtype=np.uint8).reshape(7, 9)
    blocks = grid_blocks(image, 2, 4)
    assert blocks.shape == (2 * 3, 16)
    assert (blocks[4].reshape(4, 4) == image[2:6, 2:6]).all()


def test_dihedral_gives_the_eight_symmetries() -> None:
    image = np.arange(6, dtype=np.uint8).reshape(2, 3)
    views = dihedral(image)
    assert len({(v.shape, v.tobytes()) for v in views}) == 8
    assert (views[0] == image).all()


@pytest.mark.parametrize("augment", [True, False])
@pytest.mark.parametrize("stride", [5, 12])
def test_count_agrees_with_cutting(images: Path, augment: bool, stride: int) -> None:
    config, found = DataConfig(stride=stride, augment=augment), image_set(str(images / "train"))
    assert count_blocks(found, config, 12) == sum(map(len, all_blocks(found, stride, 12, augment)))


def test_subsets_are_prefixes_of_one_order(images: Path) -> None:
    found = image_set(str(images / "train"))
    full = training_blocks(found, CONFIG, 12)
    for fraction in (0.03, 0.1, 0.5):
        part = training_blocks(found, replace(CONFIG, fraction=fraction), 12)
        assert len(part.pixels) == int(fraction * full.available)
        assert (part.pixels == full.pixels[: len(part.pixels)]).all()
    other = training_blocks(found, replace(CONFIG, subset_seed=1), 12)
    assert (other.pixels != full.pixels).any()
    assert rows(other.pixels) == rows(full.pixels)


@pytest.mark.parametrize("fraction", [0.03, 1.0])
def test_no_more_blocks_are_held_than_are_used(images: Path, fraction: float) -> None:
    """A larger set than T91 has millions, of which a study of small subsets needs few."""
    found, config = image_set(str(images / "train")), DataConfig(stride=1, fraction=fraction)
    tracemalloc.start()
    kept = training_blocks(found, config, 12).pixels.nbytes
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < kept + 8 * 3 * count_blocks(found, config, 12) + 2_000_000  # numbers of the order; one image


def test_an_epoch_repeats_the_subset_evenly(images: Path) -> None:
    blocks = training_blocks(image_set(str(images / "train")), replace(CONFIG, fraction=0.1, epoch_samples=500), 12)
    order = blocks.epoch_order(seed=0, epoch=1)
    counts = np.bincount(order, minlength=len(blocks.pixels))
    assert len(order) == 500
    assert counts.max() - counts.min() == 1
    assert (order == blocks.epoch_order(seed=0, epoch=1)).all()
    assert (order != blocks.epoch_order(seed=0, epoch=2)).any()
    assert (order != blocks.epoch_order(seed=1, epoch=1)).any()


def test_an_epoch_is_shuffled_and_its_remainder_is_drawn_anew(images: Path) -> None:
    blocks = training_blocks(image_set(str(images / "train")), replace(CONFIG, fraction=0.2), 12)
    n = len(blocks.pixels)
    first, second = (replace(blocks, epoch_samples=n).epoch_order(0, epoch) for epoch in (1, 2))
    assert sorted(first) == sorted(second) == list(range(n))
    for order in (first, second):
        assert (order == np.arange(n)).mean() < 0.1
    assert (first == second).mean() < 0.1
    half = replace(blocks, epoch_samples=n // 2)
    chosen = [set(half.epoch_order(0, epoch)) for epoch in (1, 2, 3, 4)]
    assert len(set[int]().union(*chosen)) > 0.8 * n


def test_training_blocks_have_matlabs_luminance(tmp_path: Path) -> None:
    path = tmp_path / "colours.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    (blocks,) = all_blocks(image_set(str(path)), 64, 64, augment=False)
    assert np.array_equal(blocks[0], read_luminance(path, "matlab").ravel())
    assert not np.array_equal(blocks[0], read_luminance(path, "bt601").ravel())


def test_the_moments_are_those_of_the_subset(images: Path) -> None:
    blocks = training_blocks(image_set(str(images / "train")), replace(CONFIG, fraction=0.2), 12)
    values = (blocks.pixels / 255.0).astype(np.float32).astype(np.float64)
    assert np.allclose(blocks.moment, values.T @ values, rtol=1e-12)


def test_a_fraction_that_leaves_nothing_is_refused(images: Path) -> None:
    with pytest.raises(ValueError, match=r"data\.fraction=0\.0001 of \d+ blocks leaves none"):
        training_blocks(image_set(str(images / "train")), replace(CONFIG, fraction=0.0001), 12)


def test_an_image_smaller_than_a_block_is_named(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 40), dtype=np.uint8)).save(tmp_path / "flat.png")
    with pytest.raises(ValueError, match=r"flat\.png is 40x8 pixels, smaller than one 12x12 block"):
        count_blocks(image_set(str(tmp_path)), CONFIG, 12)


def test_t91_gives_the_published_blocks(data_root: Path) -> None:
    """88,912 blocks whose content hash was proven against the published initialisation matrices."""
    blocks = np.concatenate([*all_blocks(image_set("t91"), 20, 33, augment=True)])
    assert blocks.shape == (88_912, 1089)
    digest = hashlib.sha256(b"".join(sorted(row.tobytes() for row in blocks))).hexdigest()
    assert digest == "1712a5876981ee7b4c1e0d0e877e333093dec4cb5294246b0a71aef8c15a833d"
    assert data_root.is_dir()


def test_three_percent_of_t91_is_repeated_33_times() -> None:
    config = DataConfig(fraction=0.03, epoch_samples=88_011)
    assert subset_size(config, 88_912) * 33 == epoch_samples(config, 88_912) == 88_011


@pytest.mark.parametrize("fraction", [0.03, 0.34, 0.6, 1.0])
def test_every_fraction_takes_the_same_number_of_steps(fraction: float) -> None:
    assert epoch_samples(DataConfig(fraction=fraction), 88_912) == 88_912
