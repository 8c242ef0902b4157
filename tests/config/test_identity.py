from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import pytest

from rdun.config import (
    BlockSensingTask,
    CoastConfig,
    DataConfig,
    DenoisingTask,
    Fixed,
    InpaintingTask,
    OptimConfig,
    RatioScale,
    RecursionConfig,
    Rfmu,
    Schedule,
    TrialConfig,
    UniformRange,
    canonical,
    fingerprint,
    from_dict,
    to_dict,
    with_values,
)
from rdun.config.checks import hints
from tests.contracts.cases import MODELS

HASHES = {"t91": "a" * 16, "set11": "b" * 16, "bsd68": "c" * 16, "elsewhere": "a" * 16}
BASE = TrialConfig(precision="fp32")


def recursive(train: Schedule, test: Fixed | None = None) -> TrialConfig:
    return replace(BASE, model=CoastConfig(layers=2), recursion=RecursionConfig(train=train, test=test))


def test_gold() -> None:
    """Moves only when the meaning of a config moves; then NUMERICS is raised."""
    assert fingerprint(BASE, HASHES) == "a3a093317335d6d4"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (recursive(Fixed(counts=(4,))), recursive(Fixed(counts=(4, 4)))),
        (recursive(Fixed(counts=(4,))), recursive(UniformRange(low=(4,), high=(4,)))),
        (recursive(Fixed(counts=(4,))), recursive(Fixed(counts=(4,)), test=Fixed(counts=(4, 4)))),
        (recursive(UniformRange(low=(1,), high=(4, 4))), recursive(UniformRange(low=(1, 1), high=(4,)))),
    ],
)
def test_same_training_same_identity(one: TrialConfig, other: TrialConfig) -> None:
    assert canonical(one) == canonical(other)
    assert fingerprint(one, HASHES) == fingerprint(other, HASHES)


def test_a_curriculum_grows_from_the_lowest_counts() -> None:
    """Those of Fixed(4) are 1, those of UniformRange(4, 4) are 4: there it changes nothing."""
    half = {"recursion.curriculum": 0.5}
    fixed, flat = recursive(Fixed(counts=(4,))), recursive(UniformRange(low=(4,), high=(4,)))
    assert fingerprint(with_values(flat, half), HASHES) == fingerprint(flat, HASHES) == fingerprint(fixed, HASHES)
    assert fingerprint(with_values(fixed, half), HASHES) != fingerprint(fixed, HASHES)


def test_a_folder_of_test_images_counts_with_its_last_name() -> None:
    hashes = HASHES | dict.fromkeys(("here/photos", "there/photos", "photos2"), "e" * 16)
    prints = {
        name: fingerprint(replace(BASE, data=DataConfig(test=(name,))), hashes, hashes.keys() - HASHES.keys())
        for name in ("here/photos", "there/photos", "photos2")
    }
    assert prints["here/photos"] == prints["there/photos"] != prints["photos2"]
    named = replace(BASE, data=DataConfig(test=("here/photos",)))
    changed = hashes | {"here/photos": "f" * 16}
    assert fingerprint(named, changed, ["here/photos"]) != prints["here/photos"]


def test_fields_that_nothing_reads_do_not_count() -> None:
    ridge = with_values(BASE, {"task.ridge": 0.1})  # no linear estimate here
    assert fingerprint(ridge, HASHES) == fingerprint(BASE, HASHES)
    seen = with_values(BASE, {"task.test_matrices": "seen"})
    assert fingerprint(with_values(seen, {"task.test_matrix_seeds": (5,)}), HASHES) == fingerprint(seen, HASHES)
    linear = with_values(BASE, {"task.initial": "linear"})
    assert fingerprint(with_values(linear, {"task.ridge": 0.1}), HASHES) != fingerprint(linear, HASHES)


def test_what_weights_take_the_place_of_does_not_count() -> None:
    hashes = HASHES | {"w": "f" * 16}
    rfmu = with_values(BASE, {"weights": "w", "recursion.modulation": {"kind": "rfmu"}})
    start = {"model.start": "identity", "recursion.modulation.start": "identity"}
    assert fingerprint(with_values(rfmu, start), hashes) == fingerprint(rfmu, hashes)
    new = replace(rfmu, weights=None)
    assert fingerprint(with_values(new, start), hashes) != fingerprint(new, hashes)


def test_validating_at_every_ratio_is_the_default() -> None:
    everything = with_values(BASE, {"data.validation_ratios": tuple(reversed(BASE.task.ratios))})
    assert fingerprint(everything, HASHES) == fingerprint(BASE, HASHES)
    one = with_values(BASE, {"data.validation_ratios": BASE.task.ratios[:1]})
    assert fingerprint(one, HASHES) != fingerprint(BASE, HASHES)


def test_whole_numbers_in_float_fields_are_the_same_number() -> None:
    one = replace(BASE, optim=replace(BASE.optim, lr=1))
    assert fingerprint(one, HASHES) == fingerprint(from_dict(TrialConfig, to_dict(one)), HASHES)


def test_content_counts_not_the_name_of_a_folder() -> None:
    moved = replace(BASE, data=DataConfig(train="elsewhere"))
    assert fingerprint(moved, HASHES) == fingerprint(BASE, HASHES)
    assert fingerprint(BASE, HASHES | {"t91": "d" * 16}) != fingerprint(BASE, HASHES)


@pytest.mark.parametrize(
    "change",
    [
        {"optim.lr": 2e-4},
        {"seed": 1},
        {"precision": "bf16"},
        {"model.channels": 16},
        {"recursion.test": {"counts": [2]}},
        {"task.matrix_seed": 3},
        {"data.fraction": 0.5},
    ],
)
def test_whatever_moves_numbers_moves_the_identity(change: dict[str, object]) -> None:
    assert fingerprint(with_values(BASE, change), HASHES) != fingerprint(BASE, HASHES)


def test_precision_must_be_resolved() -> None:
    with pytest.raises(AssertionError):
        fingerprint(replace(BASE, precision="auto"), HASHES)


ALL_READ = TrialConfig(
    task=BlockSensingTask(ratios=(0.1, 0.5), initial="linear", ridge=0.1),
    model=CoastConfig(layers=2),
    recursion=RecursionConfig(
        train=UniformRange(), test=Fixed(counts=(2,)), modulation=Rfmu(), sweep=(5,), curriculum=0.5
    ),
    data=DataConfig(validation_ratios=(0.1,), epoch_samples=640),
    optim=OptimConfig(warmup=5, ema=0.9, deep_supervision=0.3, clip=0.1),
    precision="fp32",
)
"""A trial that reads every field of its parts."""
OTHERS: dict[str, object] = {
    "precision": "bf16",
    "weights": "elsewhere",
    "task.ratios": (0.1, 0.4),
    "task.rows": "ista-net",
    "data.train": "bsd68",
    "data.validation": "bsd68",
    "data.test": ("t91",),
    "data.validation_ratios": (0.5,),
}


def leaves(config: Any, above: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Dotted name, type and value of every field that holds no config itself."""
    cls: Any = type(config)
    for name, hint in hints(cls).items():
        value = getattr(config, name)
        if dataclasses.is_dataclass(value):
            yield from leaves(value, f"{above}{name}.")
        else:
            yield above + name, hint, value


def other(hint: Any, value: Any) -> Any:
    """Another possible value."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return value / 2
        case str():
            return next(name for name in get_args(hint) if name != value)
        case (str(), *rest):
            return rest
        case _:
            return [other(float, each) for each in value]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        *({"model": model} for model in MODELS.values()),
        {"recursion.train": Fixed(counts=(3,))},
        {"recursion.modulation": RatioScale()},
        {"task": InpaintingTask(), "data.validation_ratios": ()},
        {"task": DenoisingTask(), "data.validation_ratios": ()},
    ],
    ids=lambda changes: next((part.kind for part in changes.values()), "all"),
)
def test_every_field_that_is_read_moves_the_identity(changes: dict[str, object]) -> None:
    """Else the results of one setting would be taken for those of another."""
    config = with_values(ALL_READ, changes)
    before, same = fingerprint(config, HASHES), []
    for name, hint, value in leaves(config):
        if value == ():
            continue
        changed = with_values(config, {name: OTHERS[name] if name in OTHERS else other(hint, value)})
        same += [name] if fingerprint(changed, HASHES) == before else []
    assert same == []


def test_one_layer_that_recurs_has_estimates_to_supervise() -> None:
    one = with_values(BASE, {"model.layers": 1})
    weight = {"optim.deep_supervision": 0.5}
    assert fingerprint(with_values(one, weight), HASHES) == fingerprint(one, HASHES)
    twice = with_values(one, {"recursion.train": Fixed(counts=(2,))})
    assert fingerprint(with_values(twice, weight), HASHES) != fingerprint(twice, HASHES)
