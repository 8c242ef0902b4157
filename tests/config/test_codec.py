from __future__ import annotations

from typing import Any

import pytest

from rdun.config import (
    CoastConfig,
    Fixed,
    IstaNetPlusConfig,
    RecursionConfig,
    Rfmu,
    TrialConfig,
    UniformRange,
    from_dict,
    parse_value,
    to_dict,
    with_values,
)

EXAMPLES = [
    TrialConfig(),
    TrialConfig(model=IstaNetPlusConfig(layers=3, symmetry=0.0), precision="bf16", seed=7),
    TrialConfig(
        model=CoastConfig(layers=2),
        recursion=RecursionConfig(
            train=UniformRange(low=(1, 2), high=(3, 4)), test=Fixed(counts=(5,)), modulation=Rfmu()
        ),
    ),
]


@pytest.mark.parametrize("config", EXAMPLES)
def test_round_trip(config: TrialConfig) -> None:
    assert from_dict(TrialConfig, to_dict(config)) == config
    assert from_dict(TrialConfig, to_dict(config, omit_defaults=True)) == config


def test_with_values_changes_leaves_groups_and_union_members() -> None:
    config = with_values(
        TrialConfig(),
        {
            "model.layers": 5,
            "recursion.train": UniformRange(high=(4,)),
            "recursion.modulation": {"kind": "rfmu", "inputs": ["total"]},
            "optim.lr": 1,
        },
    )
    assert config.model == CoastConfig(layers=5)
    assert config.test_counts == (4, 4, 4, 4, 4)
    assert config.recursion.modulation == Rfmu(inputs=("total",))
    assert config.optim.lr == 1.0


def test_changes_are_checked_together_not_one_by_one() -> None:
    start = with_values(TrialConfig(), {"model.layers": 2, "recursion.train": Fixed(counts=(1, 2))})
    changed = with_values(start, {"model.layers": 3, "recursion.train.counts": (1, 2, 3)})
    assert changed.test_counts == (1, 2, 3)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"optim.lrr": 1e-3}, ["optim.lrr", "did you mean 'optim.lr'"]),
        ({"optm.lr": 1e-3}, ["optm", "did you mean 'optim'"]),
        ({"optim.lr": "fast"}, ["optim.lr='fast'", "a number"]),
        ({"optim.batch": 2.5}, ["optim.batch=2.5", "whole number"]),
        ({"model.layers": 0}, ["model.layers=0", "at least 1"]),
        ({"model.layers": 10**9}, ["model.layers=1000000000", "at most 1,000"]),
        ({"model.channels": 5000}, ["model.channels=5000", "at most 4,096"]),
        ({"model.layers": True}, ["model.layers=True", "whole number"]),
        ({"task.ratios": (1.5,)}, ["task.ratios=1.5", "0.25"]),
        ({"task.ratios": ()}, ["task.ratios=()", "at least one"]),
        ({"task.ratios": (0.15, 0.5), "task.rows": "ista-net"}, ["task.ratios=0.15", "task.rows='r-coast'"]),
        ({"task.block": 12, "task.rows": "ista-net"}, ["144 pixels per block", "33x33 blocks"]),
        ({"data.fraction": 0.0}, ["data.fraction=0.0", "0.03"]),
        (
            {"data.test": ("one/images", "two/images/")},
            ["data.test=('one/images', 'two/images/')", "a last name of its own"],
        ),
        ({"data.validation_ratios": (0.1, 0.1)}, ["data.validation_ratios=(0.1, 0.1)", "each ratio once"]),
        ({"recursion.train": {"kind": "fixed", "counts": [10**9]}}, ["counts=(1000000000,)", "at most 10,000"]),
        ({"recursion.sweep": (10**9,)}, ["recursion.sweep=(1000000000,)", "at most 10,000"]),
        ({"model": {"kind": "ista_net", "symmetry": float("inf")}}, ["model.symmetry=inf", "a positive weight"]),
        ({"optim.lr": 10**400}, ["optim.lr has 401 digits", "a smaller one"]),
        ({"model": {"kind": ["coast"]}}, ["model.kind=['coast']", "choose one of coast"]),
        ({"precision": "fp17"}, ["precision='fp17'", "did you mean 'fp16'"]),
        ({"model": {"kind": "cost"}}, ["model.kind='cost'", "did you mean 'coast'"]),
        ({"recursion.train.counts": (1, 2)}, ["recursion.train.counts=(1, 2)", "model.layers=20"]),
        ({"recursion.train": UniformRange(low=(1,), high=(2, 3))}, ["recursion.train.high=(2, 3)", "model.layers=20"]),
        ({"seed.x": 1}, ["seed.x", "no fields"]),
        ({"seed": -1}, ["seed=-1", "0 or more"]),
        ({"data.validation_ratios": (0.15,)}, ["data.validation_ratios=[0.15]", "task.ratios=(0.1, 0.2"]),
    ],
)
def test_bad_changes_name_field_value_and_remedy(changes: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(ValueError, match=r"\S") as error:
        with_values(TrialConfig(), changes)
    for part in parts:
        assert part in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("model", [IstaNetPlusConfig(layers=4), {"kind": "ista_net_plus", "layers": 4}])
def test_a_group_is_replaced_before_fields_of_it_are_set(model: Any) -> None:
    """In whatever order they are named, and without a change of what was given."""
    for changes in ({"model.layers": 2, "model": model}, {"model": model, "model.layers": 2}):
        assert with_values(TrialConfig(), changes).model == IstaNetPlusConfig(layers=2)
    assert with_values(TrialConfig(), {"model": model}).model == IstaNetPlusConfig(layers=4)


def test_a_field_of_another_kind_says_which_kind_has_it() -> None:
    message = (
        r"field .recursion.train.high., as recursion.train is .fixed.; set recursion.train to uniform_range beside it"
    )
    with pytest.raises(ValueError, match=message):
        with_values(TrialConfig(), {"recursion.train.high": (4,)})
    with pytest.raises(ValueError, match=message):
        parse_value(TrialConfig(), "recursion.train.high", "4")


def test_uniform_range_needs_low_at_or_below_high() -> None:
    with pytest.raises(ValueError, match=r"recursion low=\(3,\)"):
        UniformRange(low=(3,), high=(2,))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("optim.lr", "3e-4", 3e-4),
        ("optim.epochs", "7", 7),
        ("task.ratios", "0.1, 0.25", [0.1, 0.25]),
        ("data.augment", "False", False),
        ("data.epoch_samples", "none", None),
        ("data.epoch_samples", "64", 64),
        ("recursion.modulation", "rfmu", {"kind": "rfmu"}),
        ("model.start", "identity", "identity"),
    ],
)
def test_parse_value(name: str, text: str, value: Any) -> None:
    assert parse_value(TrialConfig(), name, text) == value
    with_values(TrialConfig(), {name: parse_value(TrialConfig(), name, text)})


def test_parse_value_names_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"optim\.epochs='many' is not a whole number"):
        parse_value(TrialConfig(), "optim.epochs", "many")
    with pytest.raises(ValueError, match=r"unknown field 'optim\.epoch'; did you mean 'optim\.epochs'"):
        parse_value(TrialConfig(), "optim.epoch", "1")
