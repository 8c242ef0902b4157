from __future__ import annotations

from dataclasses import replace

import pytest

from rdun.config import (
    CoastConfig,
    DataConfig,
    Fixed,
    RecursionConfig,
    Schedule,
    TrialConfig,
    UniformRange,
    canonical,
    fingerprint,
    from_dict,
    to_dict,
    with_values,
)

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
