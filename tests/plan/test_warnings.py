"""Warnings: too few seeds, changes without effect; and what a plan is beside the last one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rdun.config import TrialConfig, with_values
from rdun.models import build_model, code_of
from rdun.plan import (
    Plan,
    changes_since,
    code_warnings,
    make_plan,
    no_effect_warnings,
    search_code_warnings,
    unequal_costs,
)
from rdun.results import ClaimRecord, SearchRecord, SearchTrial, Store
from rdun.significance import seeds_needed, seeds_warning, smallest_exact_p
from rdun.study import Arm, Study
from rdun.weights import save_model
from tests.plan.conftest import Past


@pytest.mark.parametrize(("comparisons", "needed"), [(1, 6), (2, 7), (4, 8), (20, 10)])
def test_seeds_that_an_exact_test_needs(comparisons: int, needed: int) -> None:
    assert seeds_needed(comparisons) == needed
    assert comparisons * smallest_exact_p(needed) < 0.05 <= comparisons * smallest_exact_p(needed - 1)
    assert seeds_warning(needed, comparisons) == ""
    assert f"{needed} seeds can" in seeds_warning(needed - 1, comparisons)


def test_one_seed_decides_nothing() -> None:
    assert "1 seed gives no interval" in seeds_warning(1, 1)
    assert seeds_warning(1, 0) == ""
    assert "p is at least 0.0625)" in seeds_warning(5, 1)
    assert "p is at least 0.25 with Holm's correction for 4 comparisons)" in seeds_warning(5, 4)


def test_weights_of_another_network_are_refused_before_anything_is_trained(
    tiny: TrialConfig, store: Store, tmp_path: Path
) -> None:
    save_model(build_model(tiny), tiny, tmp_path / "w.safetensors")
    fitting = with_values(tiny, {"weights": str(tmp_path / "w.safetensors")})
    assert len(make_plan(pair(fitting, {"optim.lr": 1e-4}), store, "fp32").trials) == 6
    for epochs in (0, 3):
        with pytest.raises(ValueError, match=r"w\.safetensors' do not fit the network of model and recursion"):
            make_plan(pair(fitting, {"model.layers": 1, "optim.epochs": epochs}), store, "fp32")


def pair(base: TrialConfig, changes: Mapping[str, object]) -> Study:
    arms = (
        Arm(name="base", configs=(base,)),
        Arm(name="arm", configs=(with_values(base, changes),), compare_to="base"),
    )
    return Study(name="s", title="", question="", method="", expectation="", scale="", arms=arms)


ONE_RATIO = {"recursion.modulation": {"kind": "rfmu", "inputs": ["ratio"], "start": "identity"}}


@pytest.mark.parametrize(
    ("base", "changes", "field"),
    [
        (ONE_RATIO, {"recursion.modulation.beyond": "clamp"}, "recursion.modulation.beyond"),
        ({"model": {"kind": "ista_net_plus", "layers": 2, "channels": 4}}, {"model.deblock": False}, None),
    ],
)
def test_a_change_without_effect(
    tiny: TrialConfig, base: dict[str, object], changes: dict[str, object], field: str | None
) -> None:
    start = with_values(tiny, base)
    if field is None:
        with pytest.raises(ValueError, match="same training"):
            pair(start, changes)
        return
    (line,) = no_effect_warnings(pair(start, changes))
    assert line.startswith(f"arm 'arm' changes {field} and has the parameters")


@pytest.mark.parametrize(
    ("base", "changes"),
    [
        ({}, {"model.channels": 8}),
        ({}, {"model.start": "default"}),  # other weights at the start
        ({}, {"optim.lr": 0.1}),  # no field of the network
        ({}, {"recursion.train": {"kind": "uniform_range", "low": [1], "high": [2]}}),
        (
            {"recursion.modulation": {"kind": "rfmu", "inputs": ["total"], "start": "identity"}},
            {"recursion.modulation.inputs": ["current"]},  # equal until the first step: the start hides it
        ),
        ({"model": {"kind": "ista_net_plus", "layers": 2, "channels": 4}}, {"model.symmetry": 0.5}),  # the penalty only
        (
            {"recursion.modulation": {"kind": "rfmu", "inputs": ["total"]}, "recursion.sweep": [4]},
            {"recursion.modulation.beyond": "clamp"},  # read beyond the counts of training only
        ),
    ],
)
def test_changes_with_an_effect_are_not_warned_of(
    tiny: TrialConfig, base: dict[str, object], changes: dict[str, object]
) -> None:
    assert no_effect_warnings(pair(with_values(tiny, base), changes)) == []


def test_too_few_blocks_for_a_linear_estimate_are_no_plan(tiny: TrialConfig, tmp_path: Path) -> None:
    """36 measurements: the estimate needs as many blocks, or a ridge."""
    few = with_values(tiny, {"data.fraction": 0.01})
    with pytest.raises(
        ValueError, match=r"data\.fraction=0\.01 leaves 18 training blocks, which do not span the 36 meas.*"
    ):
        make_plan(pair(with_values(few, {"task.ridge": 0.0}), {"model.channels": 8}), Store(tmp_path), "fp32")
    assert make_plan(pair(few, {"model.channels": 8}), Store(tmp_path), "fp32").trials


def test_new_kept_and_orphaned_trials(plan: Plan, store: Store) -> None:
    first, *rest = (trial.fingerprint for trial in plan.trials)
    gone = replace(plan.record.cells[0], arm="its old name", fingerprints=["0123456789abcdef", "fedcba9876543210"])
    before = replace(plan.record, cells=[gone, *plan.record.cells[1:]])
    store.trial("0123456789abcdef").write("scores.csv", b"x" * 1000)
    changes = changes_since(before, plan, store)
    assert changes.added == {first: ("unrolled", 0)}
    assert set(changes.kept) == set(rest)
    assert changes.orphaned == {"0123456789abcdef": ("its old name", 0)}
    assert changes.orphaned_bytes == pytest.approx(1000, abs=10_000)


def test_trials_in_the_precision_of_another_machine_are_told_apart(tiny: TrialConfig, tmp_path: Path) -> None:
    study, store = pair(replace(tiny, precision="auto"), {"model.channels": 8}), Store(tmp_path)
    there = make_plan(study, store, "bf16")
    for trial in there.trials:
        store.trial(trial.fingerprint).write("scores.csv", b"")
    here = make_plan(study, store, "fp32")
    assert changes_since(there.record, here, store).precision == "bf16"
    assert changes_since(there.record, there, store).precision is None
    other = make_plan(pair(with_values(tiny, {"optim.lr": 0.5}), {"model.channels": 8}), store, "fp32")
    assert changes_since(there.record, other, store).precision is None


def test_unequal_costs_have_a_line_each(plan: Plan) -> None:
    """Arms are compared with their base and with what claims compare them with; equal costs have no line."""
    base, arm = (replace(a, parameters=400, macs=8, steps=5, samples=5) for a in plan.record.arms)
    arms = [base, replace(arm, parameters=100, samples=10)]
    assert unequal_costs(replace(plan.record, arms=arms)) == [
        "Unequal parameters in 1 of 1 comparisons: recursive ×0.25 of unrolled",
        "Unequal samples in 1 of 1 comparisons: recursive ×2 of unrolled",
    ]
    more = [replace(arms[1], name=f"arm {n}", parameters=100 * n, samples=5) for n in (1, 2, 3, 4)]
    assert unequal_costs(replace(plan.record, arms=[base, *more], claims=[])) == [
        "Unequal parameters in 3 of 4 comparisons (×0.25 to ×0.75): arm 1 ×0.25 of unrolled; arm 2 ×0.5 of unrolled; and 1 more"
    ]
    alone = [replace(arm, compare_to=None) for arm in (base, *more)]
    claim = ClaimRecord(text="", arm="arm 1", versus="arm 2", metric="psnr", at_least=0.0)
    assert unequal_costs(replace(plan.record, arms=alone, claims=[claim])) == [
        "Unequal parameters in 1 of 1 comparisons: arm 1 ×0.5 of arm 2"
    ]


def test_trials_of_other_code_are_warned_of(plan: Plan, store: Store, past: Past) -> None:
    """They count as done: a change of the code may compute the same. Trials of before there were hashes say nothing."""
    for trial in plan.trials:
        past(trial.config)
    again = make_plan(plan.study, store, "fp32")
    assert again.counts()["complete"] == 4 and code_warnings(again, store) == []
    here, gone = code_of("coast"), "0123456789abcdef"
    known = ((gone,), (here,), ("",), (gone, here))  # the last one was begun by other code and went on by ours
    for trial, codes in zip(plan.trials, known, strict=True):
        run = store.trial(trial.fingerprint).run()
        assert run is not None
        attempts = tuple(replace(run.attempts[0], code=code) for code in codes)
        store.trial(trial.fingerprint).write_run(replace(run, attempts=attempts))
    (line,) = code_warnings(again, store)
    assert line.startswith(
        f"2 of the trials that count as done or go on, such as {plan.trials[0].fingerprint}, were trained"
    )
    assert "model.kind='coast'" in line and "--runs" in line
    assert code_warnings(plan, store) == []  # none of these was there when it was made


def test_a_search_that_goes_on_is_warned_of_other_code(plan: Plan, store: Store, past: Past) -> None:
    """Of all that its sampler learns from, baselines included; a setting that was never begun says nothing."""
    for trial in plan.trials[:3]:
        past(trial.config)
    prints = [trial.fingerprint for trial in plan.trials]
    texts: dict[str, Any] = dict.fromkeys(
        ("name", "title", "question", "method", "expectation", "scale", "sampler"), ""
    )
    trials = [
        SearchTrial(number=n, values={}, fingerprints=[own], state="complete", objectives=[], quantities={})
        for n, own in enumerate((prints[0], prints[1], prints[3]))
    ]
    record = SearchRecord(
        **texts,
        space={},
        objectives=[],
        constraints=[],
        seed=0,
        seeds=[0],
        wanted=4,
        trials=trials,
        baselines={"b": prints[2:3]},
    )
    assert search_code_warnings(record, store) == []
    for own in prints[1:3]:
        run = store.trial(own).run()
        assert run is not None
        store.trial(own).write_run(replace(run, attempts=tuple(replace(a, code="0" * 16) for a in run.attempts)))
    (line,) = search_code_warnings(record, store)
    assert line.startswith(
        f"2 of the trials that count as done or go on, such as {prints[1]}, were trained by other code"
    )
