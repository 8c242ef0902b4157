"""Every study of this folder can be made and says what it asks; the paper's studies train what the paper trains."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rdun.config import CoastConfig, Fixed, IstaNetPlusConfig, TrialConfig, UniformRange, with_values
from rdun.plan import cost
from rdun.study import Arm, Claim, Study
from studies.loading import load_study, study_names
from studies.planning import most_tests

ONE_SCALE = ("quickstart", "published_weights", "samples_to_quality", "smaller", "table1_fast")
PAPER = [name for name in study_names() if name not in ONE_SCALE]
SCALES = ("pocket", "full")
LONGER = {"training_length": 38_400}
"""Blocks that a training sees at the pocket scale, of studies whose question needs more of them."""


def arms_of(name: str, scale: str = "full") -> dict[str, tuple[TrialConfig, ...]]:
    return {arm.name: arm.configs for arm in load_study(name, scale).arms}


@pytest.mark.parametrize("name", study_names())
def test_study_is_complete(name: str) -> None:
    for study in [load_study(name)] if name in ONE_SCALE else [load_study(name, scale) for scale in SCALES]:
        assert isinstance(study, Study)
        assert study.name.replace("-", "_").removesuffix("_full").removesuffix("_pocket") == name
        assert study.question.endswith("?")
        assert study.method
        assert study.expectation
        assert study.scale


@pytest.mark.parametrize("name", PAPER)
def test_the_pocket_scale_needs_no_data_and_no_patience(name: str) -> None:
    """The default scale; bundled photographs, one or two thousand small steps, and it says that it is small."""
    study = load_study(name)
    assert study == load_study(name, "pocket")
    assert not study.as_published
    assert "pocket scale" in study.scale
    steps = max(c.data.epoch_samples // c.optim.batch * c.optim.epochs for a in study.arms for c in a.configs)  # type: ignore[operator]
    assert f" {steps:,} steps of 8 blocks " in study.scale
    for arm in study.arms:
        for config in arm.configs:
            assert config.data.train == "photographs-train"
            assert config.weights is None
            assert config.data.epoch_samples
            assert config.data.epoch_samples * config.optim.epochs <= LONGER.get(name, 16_000)
            assert config.model.channels == 8


def test_one_scale_only() -> None:
    with pytest.raises(ValueError, match="'quickstart' has one scale only"):
        load_study("quickstart", "full")


def test_table1_trains_the_published_networks() -> None:
    study, arms = load_study("table1", "full"), arms_of("table1")
    assert study.as_published
    counts = {name: cost(configs[0])[0] for name, configs in arms.items() if name.endswith("100 %")}
    assert counts == {
        "COAST base, 100 %": 1_122_024,
        "COAST recursive, 100 %": 281_674,
        "ISTA-Net+ base, 100 %": 336_978,
        "ISTA-Net+ recursive, 100 %": 114_630,
    }
    for name, configs in arms.items():
        ratios = [ratio for config in configs for ratio in config.task.ratios]
        assert ratios == [0.1, 0.2, 0.3, 0.4, 0.5]
        assert len(configs) == (1 if name.startswith("COAST") else 5)
        assert {c.optim.epochs for c in configs} == {400 if name.startswith("COAST") else 200}
        assert {(c.optim.lr, c.optim.batch, c.optim.decay) for c in configs} == {(1e-4, 64, "constant")}
        assert {(c.data.train, c.data.validation, c.data.test) for c in configs} == {("t91", "set11", ("bsd68",))}
        few = {(c.data.fraction, c.data.epoch_samples) for c in configs}
        assert few == {(0.03, 88_011) if "3 %" in name else (1.0, None)}


def test_table2_shares_its_trials_with_table1() -> None:
    table1, table2 = arms_of("table1"), arms_of("table2")
    for name, configs in table2.items():
        assert set(configs) <= set(table1[f"{name}, 100 %"])


def test_rfmu_arms_differ_in_the_modulation_alone() -> None:
    for scale in SCALES:
        arms = [configs[0] for configs in arms_of("rfmu", scale).values()]
        assert len({a.recursion.modulation for a in arms}) == len(arms) == 6
        assert len({(a.task, a.model, a.recursion.train, a.data, a.optim) for a in arms}) == 1


def test_equal_evaluations_are_equal() -> None:
    for scale, evaluations in (("full", 20), ("pocket", 8)):
        arms = [configs[0] for configs in arms_of("equal_evaluations", scale).values()]
        assert {sum(a.test_counts) for a in arms} == {evaluations}


def test_random_ranges_are_tested_alike() -> None:
    for scale in SCALES:
        arms = [configs[0] for configs in arms_of("random_ranges", scale).values()]
        assert {a.test_counts for a in arms} == {(4,) * arms[0].model.layers}
        assert sum(isinstance(a.recursion.train, UniformRange) for a in arms) == len(arms) - 1


def test_lengths_of_training_differ_by_four_and_share_trials_with_the_ranges() -> None:
    for scale in SCALES:
        arms = arms_of("training_length", scale)
        samples = [(c.data.epoch_samples or 1) * c.optim.epochs for (c,) in arms.values()]
        assert sorted(samples) == [min(samples)] * 2 + [4 * min(samples)] * 2
    arms, ranges = arms_of("training_length", "pocket"), arms_of("random_ranges", "pocket")
    assert arms["1 to 4, 1200 steps"] == ranges["1 to 4"] and arms["fixed 4, 1200 steps"] == ranges["fixed 4"]


def test_recursions_per_layer_go_to_eight() -> None:
    arms = [configs[0] for configs in arms_of("recursions_per_layer").values()]
    drawn, fixed = ([a for a in arms if isinstance(a.recursion.train, kind)] for kind in (UniformRange, Fixed))
    assert [a.test_counts for a in drawn] == [(r,) * 5 for r in range(1, 9)]
    assert [a.test_counts for a in fixed] == [(4,) * 5, (8,) * 5]
    assert len({cost(a)[0] for a in arms}) == 1


def test_training_sizes_take_equal_steps() -> None:
    for scale in SCALES:
        arms = [configs[0] for configs in arms_of("training_size", scale).values()]
        assert {a.data.fraction for a in arms} == {0.01, 0.03, 0.1, 0.3, 1.0}
        assert len({(a.data.epoch_samples, a.optim) for a in arms}) == 1


def test_dpdnn_splits_six_iterations() -> None:
    arms = [configs[0] for configs in arms_of("dpdnn_sharing").values()]
    assert [a.test_counts for a in arms] == [(6,), (3, 3), (2, 2, 2), (1,) * 6]
    assert all(isinstance(a.recursion.train, Fixed) for a in arms)
    assert cost(arms[0])[0] == 1_363_661


def test_quickstart_compares_at_equal_stage_evaluations() -> None:
    study = load_study("quickstart")
    assert {sum(arm.configs[0].test_counts) for arm in study.arms} == {4}
    assert {arm.configs[0].task.ratios for arm in study.arms} == {(0.25,)}
    assert len(study.seeds) >= 2
    assert {arm.factors["system"] for arm in study.arms} == {"COAST", "ISTA-Net+"}
    assert {arm.factors["variant"] for arm in study.arms} == {
        "unrolled",
        "recursive",
        "recursive, random",
        "recursive, random, RFMU",
    }
    assert len({arm.factors["data"] for arm in study.arms}) == 2
    assert all(arm.configs[0].task.initial == "linear" for arm in study.arms)
    models = [arm.configs[0].model for arm in study.arms]
    assert all(isinstance(m, CoastConfig | IstaNetPlusConfig) and m.start == "identity" for m in models)
    budgets = {(a.configs[0].optim, a.configs[0].data.epoch_samples, a.configs[0].task) for a in study.arms}
    assert len(budgets) == 1


def test_a_claim_is_a_test_on_every_set_that_it_is_about() -> None:
    """Holm's correction counts them all, and so does the warning of too few seeds."""
    base = with_values(TrialConfig(), {"data.test": ("set11", "bsd68")})
    arms = (
        Arm(name="base", configs=(base,)),
        Arm(name="arm", configs=(with_values(base, {"optim.lr": 1e-3}),), compare_to="base"),
    )
    kinds: list[dict[str, Any]] = [{}, {"at_least": 0.1}, {"dataset": "bsd68"}, {"metric": "gap"}]
    claims = tuple(Claim(text="t", arm="arm", versus="base", **kind) for kind in kinds)
    study = Study(
        name="s", title="", question="", method="", expectation="", scale="", arms=arms, claims=claims, seeds=(0, 1)
    )
    assert most_tests(study) == 2 + 2 + 1 + 1


def test_weights_that_are_only_tested_need_no_seeds() -> None:
    base = Arm(name="base", configs=(TrialConfig(),))
    named = {n: with_values(TrialConfig(), {"optim.epochs": 0, "weights": n}) for n in ("one", "other")}
    one, other = (Arm(name=n, configs=(config,)) for n, config in named.items())
    claims = (Claim(text="", arm="one", versus="other"), Claim(text="", arm="one", versus="base"))
    arms = (base, one, replace(other, compare_to="one"))
    study = Study(
        name="s", title="", question="", method="", expectation="", scale="", arms=arms, claims=claims, seeds=(0,)
    )
    assert most_tests(study) == len(TrialConfig().data.test)
    assert most_tests(replace(study, claims=claims[:1])) == 0
