"""Inpainting and denoising."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rdun.config import DenoisingTask, InpaintingTask
from rdun.evaluation import Reconstructor
from rdun.operators import Denoising, Inpainting, make_task, pixel_mask

CPU = torch.device("cpu")


@pytest.mark.parametrize(("ratio", "expected"), [(0.3, 90), (1.0, 300), (0.0001, 1)])
def test_masks_have_exactly_their_ratio(ratio: float, expected: int) -> None:
    mask = pixel_mask(ratio, (15, 20), 0)
    assert mask.shape == (15, 20)
    assert mask.sum() == expected


def test_masks_differ_by_seed_index_and_shape() -> None:
    masks = [
        pixel_mask(0.3, (9, 9), 0),
        pixel_mask(0.3, (9, 9), 1),
        pixel_mask(0.3, (9, 9), 0, 0),
        pixel_mask(0.3, (9, 9), 0, 1),
    ]
    for i, a in enumerate(masks):
        assert not any(np.array_equal(a, b) for b in masks[:i])
    assert np.array_equal(pixel_mask(0.3, (9, 9), 0), masks[0])


def test_inpainting_keeps_observed_pixels_and_leaves_the_others_alone() -> None:
    mask = torch.from_numpy(pixel_mask(0.5, (6, 7), 0))
    operator, original, x = Inpainting(mask), torch.rand(1, 1, 6, 7), torch.rand(1, 1, 6, 7)
    stepped = operator.descend(x, operator.measure(original), 1.0)
    torch.testing.assert_close(stepped[0, 0][mask], original[0, 0][mask])
    assert torch.equal(stepped[0, 0][~mask], x[0, 0][~mask])


def test_masks_are_drawn_equally_often() -> None:
    task, generator = (
        make_task(InpaintingTask(ratios=(0.2, 0.6), block=8, masks=3), None, CPU),
        np.random.default_rng(0),
    )
    seen: dict[bytes, int] = {}
    for _ in range(1200):
        operator = task.draw(generator)
        assert isinstance(operator, Inpainting)
        key = operator.mask.numpy().tobytes()
        seen[key] = seen.get(key, 0) + 1
    assert len(seen) == 6
    assert all(140 < count < 260 for count in seen.values())


def test_training_masks_are_those_of_their_seed() -> None:
    task = make_task(InpaintingTask(ratios=(0.5,), block=8, masks=1, mask_seed=5), None, CPU)
    operator = task.draw(np.random.default_rng(0))
    assert isinstance(operator, Inpainting)
    assert np.array_equal(operator.mask.numpy(), pixel_mask(0.5, (8, 8), 5, 0))


def test_a_training_mask_is_made_once() -> None:
    """Each is brought to the device, which a GPU waits for."""
    task, generator = (
        make_task(InpaintingTask(ratios=(0.2, 0.6), block=8, masks=3), None, CPU),
        np.random.default_rng(0),
    )
    assert len({id(operator) for operator in [task.draw(generator) for _ in range(100)]}) == 6


def test_noise_has_its_level_and_is_new_in_every_batch() -> None:
    task, generator = make_task(DenoisingTask(sigma=25, block=33), None, CPU), np.random.default_rng(0)
    x = torch.full((64, 1, 33, 33), 0.5)
    first, second = (task.draw(generator).measure(x) - x for _ in range(2))
    for noise in (first, second):
        assert float(noise.std()) * 255 == pytest.approx(25, rel=0.02)
        assert abs(float(noise.mean())) * 255 < 0.5
    assert abs(float((first * second).mean())) < 1e-3
    assert abs(float((first[0] * first[1]).mean())) < 1e-2


def test_denoising_measures_everything() -> None:
    operator = Denoising((4, 5), 0.1, 0)
    y = operator.measure(torch.zeros(1, 1, 4, 5))
    assert operator.ratio == 1.0
    assert torch.equal(operator.initial(y), y)


def test_noise_differs_from_block_to_block_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The initial estimate of a black image is its noise, clipped: no two of 100 blocks are equal, whatever the chunks."""
    task = make_task(DenoisingTask(sigma=15.0, block=8), None, CPU)
    reconstruct = Reconstructor(None, (1,), deblock=False)
    (test,) = reconstruct.operators(task, (80, 80))
    whole = reconstruct(test.operator, torch.zeros(1, 1, 80, 80))
    blocks = whole.reshape(10, 8, 10, 8).transpose(1, 2).reshape(100, 64)
    assert len(torch.unique(blocks, dim=0)) == 100
    monkeypatch.setattr("rdun.evaluation.reconstruct.CHUNK", 7)
    assert torch.equal(reconstruct(test.operator, torch.zeros(1, 1, 80, 80)), whole)
