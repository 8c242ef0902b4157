"""The contract of every task."""

from __future__ import annotations

import gc
import json
import weakref

import numpy as np
import pytest
import torch

from rdun.config import with_values
from rdun.operators import Task, make_task
from tests.contracts.cases import BLOCK, TASKS, moment

every_task = pytest.mark.parametrize("name", TASKS)


def task_of(name: str) -> Task:
    return make_task(TASKS[name], moment(), torch.device("cpu"))


def image(side: int = BLOCK) -> torch.Tensor:
    return torch.rand((1, 1, side, side), generator=torch.Generator().manual_seed(0))


@every_task
def test_drawn_operators_fit_the_training_images(name: str) -> None:
    task, generator = task_of(name), np.random.default_rng(0)
    for _ in range(5):
        operator = task.draw(generator)
        assert operator.image_shape == (task.patch, task.patch) == (BLOCK, BLOCK)
        assert operator.descend(operator.initial(operator.measure(image())), operator.measure(image()), 0.5).shape == (
            1,
            1,
            8,
            8,
        )


@every_task
def test_draws_depend_on_the_generator_alone(name: str) -> None:
    def sequence(task: Task, seed: int) -> list[torch.Tensor]:
        generator = np.random.default_rng(seed)
        return [task.draw(generator).measure(image()) for _ in range(8)]

    def equal(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
        return all(p.shape == q.shape and torch.equal(p, q) for p, q in zip(a, b, strict=True))

    task = task_of(name)
    assert equal(sequence(task, 0), sequence(task, 0))
    assert equal(sequence(task, 0), sequence(task_of(name), 0))
    assert not equal(sequence(task, 0), sequence(task, 1))


@every_task
@pytest.mark.parametrize("shape", [(8, 8), (16, 24), (13, 19)], ids=str)
def test_test_operators_are_fixed_and_named(name: str, shape: tuple[int, int]) -> None:
    first, second = task_of(name).test_operators(shape), task_of(name).test_operators(shape)
    labels = [(t.ratio, t.matrix) for t in first]
    assert labels == [(t.ratio, t.matrix) for t in second]
    assert len(set(labels)) == len(labels) > 0
    x = torch.rand((1, 1, *shape), generator=torch.Generator().manual_seed(1))
    for a, b in zip(first, second, strict=True):
        assert a.operator.image_shape == shape
        assert torch.equal(a.operator.measure(x), b.operator.measure(x))
        assert a.operator.ratio == pytest.approx(a.ratio, abs=0.5 / BLOCK**2 + 1e-9)
    measured = [(t.ratio, t.operator.measure(x)) for t in first]
    for i, (ratio, y) in enumerate(measured):
        assert not any(ratio == r and torch.equal(y, z) for r, z in measured[:i])


@every_task
def test_unseen_means_unseen(name: str) -> None:
    """No test operator gives the measurements of a training operator, but for the task that says so."""
    task, generator = task_of(name), np.random.default_rng(3)
    trained = [task.draw(generator).measure(image()) for _ in range(50)]
    for test in task.test_operators((BLOCK, BLOCK)):
        y = test.operator.measure(image())
        seen = any(y.shape == other.shape and torch.equal(y, other) for other in trained)
        assert seen == (name == "block, seen")


@every_task
def test_records_are_json(name: str) -> None:
    task = task_of(name)
    for ratio in TASKS[name].ratios:
        assert json.loads(json.dumps(task.protocol(ratio)))["kind"] == TASKS[name].kind


@every_task
def test_a_task_goes_with_its_trial(name: str) -> None:
    """With all its matrices, at once: the processes that run trials live on, and look for cycles of references once in many."""
    gc.disable()
    try:
        task = task_of(name)
        task.draw(np.random.default_rng(0))
        task.test_operators((BLOCK, BLOCK))
        gone = weakref.ref(task)
        del task
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("block, unseen", {"block": 9}),
        ("block, unseen", {"test_matrix_seeds": (0, 2)}),
        ("block, unseen", {"test_matrices": "seen"}),
        ("inpainting", {"block": 9}),
        ("inpainting", {"test_mask_seeds": (0, 2)}),
        ("denoising", {"block": 9}),
        ("denoising", {"sigma": 50.0}),
        ("denoising", {"test_noise_seeds": (0, 2)}),
    ],
    ids=str,
)
def test_records_tell_apart_what_is_measured_otherwise(name: str, change: dict[str, object]) -> None:
    """Tables refuse to mix scores by them."""
    config = with_values(TASKS[name], change)
    changed = make_task(config, moment(), torch.device("cpu"))
    records = [task_of(name).protocol(ratio) for ratio in TASKS[name].ratios]
    assert all(changed.protocol(ratio) not in records for ratio in config.ratios)
    assert all(a != b for i, a in enumerate(records) for b in records[:i])


@every_task
def test_tested_otherwise(name: str) -> None:
    """Other seeds give other test operators, so that scores are not compared; none leave the task as it is."""
    task = TASKS[name]
    assert task.with_tests((), ()) == task
    assert len(task_of(name).test_operators((BLOCK, BLOCK))) == len(task.ratios) * task.tests
    other = task.with_tests((), (5, 7))
    assert other.test_fields() != task.test_fields()
    names = [test.matrix for test in make_task(other, moment(), torch.device("cpu")).test_operators((BLOCK, BLOCK))]
    assert [matrix.rpartition("-s")[2] for matrix in names] == ["5", "7"] * len(task.ratios)


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.ratios != (1.0,)])
def test_tested_at_other_ratios(name: str) -> None:
    other = TASKS[name].with_tests((0.5, 0.75), ())
    tests = make_task(other, moment(), torch.device("cpu")).test_operators((BLOCK, BLOCK))
    assert {test.ratio for test in tests} == {0.5, 0.75}


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.ratios == (1.0,)])
def test_what_measures_every_pixel_has_no_other_ratio(name: str) -> None:
    with pytest.raises(
        ValueError, match=r"task.ratios=\(0.5,\) is not possible; a denoising network measures every pixel"
    ):
        TASKS[name].with_tests((0.5,), ())
