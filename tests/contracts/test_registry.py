"""Everything that can be plugged in has a line in `cases`, so that the suites run over it."""

from __future__ import annotations

import inspect
from typing import get_args

import torch

from rdun.config import Fixed, ModelConfig, ModulationConfig, RecursionConfig, Schedule, TaskConfig, TrialConfig
from rdun.models import MODELS, Modulation, Stage, build_model
from rdun.operators import GivenMatrixTask, Operator, Task, make_task
from tests.contracts import cases


def concrete(base: type) -> set[type]:
    """All public subclasses defined in rdun that can be instantiated."""
    found: set[type] = set()
    children: list[type] = base.__subclasses__()
    for child in children:
        if child.__module__.startswith("rdun.") and not child.__name__.startswith("_"):
            found |= concrete(child) if inspect.isabstract(child) else {child} | concrete(child)
    return found


def test_every_config_is_a_case() -> None:
    assert {type(c) for c in cases.MODELS.values()} == set(get_args(ModelConfig))
    assert {type(c) for c in cases.TASKS.values()} == set(get_args(TaskConfig))
    assert {type(c) for c in cases.SCHEDULES.values()} == set(get_args(Schedule))
    assert {type(c) for c in cases.MODULATIONS.values()} == set(get_args(ModulationConfig))


def test_every_model_config_has_a_builder() -> None:
    assert set(MODELS) == {c.kind for c in get_args(ModelConfig)}


def test_every_operator_class_is_a_case() -> None:
    assert {type(make((8, 8), torch.float32)) for make in cases.OPERATORS.values()} == concrete(Operator)


def test_every_task_class_comes_from_a_config() -> None:
    made = {type(make_task(c, cases.moment(), torch.device("cpu"))) for c in cases.TASKS.values()}
    assert made | {GivenMatrixTask} == concrete(
        Task
    )  # the given matrix has its own test, tests/operators/test_block_task.py


def test_every_stage_and_modulation_class_is_built_by_a_case() -> None:
    networks = [
        build_model(
            TrialConfig(model=model, recursion=RecursionConfig(train=Fixed(counts=(1,)), modulation=modulation))
        )
        for model in cases.MODELS.values()
        for modulation in cases.MODULATIONS.values()
    ]
    assert {type(stage) for network in networks for stage in network.stages} == concrete(Stage)
    assert {type(network.modulation) for network in networks} == concrete(Modulation)
