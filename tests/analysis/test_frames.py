"""Frames: files to rows, gaps with their reasons, names of arms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from analysis.frames import load_study
from analysis.frames.families import label_arms
from analysis.frames.measures import (
    AVERAGE,
    cell_means,
    initial_scores,
    missing_seeds,
    network_scores,
    per_image,
    timing_cells,
)
from rdun.results import ArmRecord, Folder, PlanRecord, Store
from tests.analysis.conftest import load
from tests.analysis.synthetic import Truth, image_level, write_study


def test_a_complete_study_has_no_gaps(whole: tuple[Path, Store]) -> None:
    frames = load(whole)
    assert (frames.complete, frames.planned, len(frames.gaps)) == (24, 24, 0)
    assert set(frames.scores["arm"]) == set(frames.arms)
    assert len(frames.epochs) == 24 * 4
    assert frames.families() == ["10 %", "100 %"]
    assert frames.treatments()[0] == "unrolled"


def test_values_are_those_of_the_files(whole: tuple[Path, Store]) -> None:
    frames = load(whole)
    folder, store = whole
    cell = PlanRecord.load(Folder(folder)).cells[0]
    written = [s for s in store.trial(cell.fingerprints[0]).scores() if s.split == "test" and s.unit == "image"]
    expected = {
        s.image: s.value for s in written if s.recursions == 6 and s.checkpoint == "best" and s.metric == "psnr"
    }
    rows = network_scores(frames)
    rows = rows[(rows["arm"] == cell.arm) & (rows["seed"] == cell.seed) & (rows["metric"] == "psnr")]
    assert dict(zip(rows["image"], rows["value"], strict=True)) == expected  # every digit
    initial = initial_scores(frames)
    assert initial.loc[initial["image"] == "moon.png", "value"].max() == image_level("moon.png")


def test_gaps_carry_their_reasons(holed: tuple[Path, Store]) -> None:
    frames = load(holed)
    reasons = {(g["arm"], g["seed"]): (g["status"], g["reason"]) for g in frames.gaps.to_dict("records")}
    assert reasons == {
        ("COAST, recursive, 10 %", 1): ("failed", "out of memory: tried to allocate 2 GiB"),
        ("COAST, recursive, random, 100 %", 2): ("running", ""),
        ("COAST, recursive, 100 %", 0): ("not run", "not run"),
    }
    assert missing_seeds(frames, "COAST, recursive, 10 %", AVERAGE, [0, 2]) == [
        (1, "failed: out of memory: tried to allocate 2 GiB")
    ]


def test_a_seed_without_a_planned_trial_is_a_gap(whole: tuple[Path, Store]) -> None:
    folder, store = whole
    plan = PlanRecord.load(Folder(folder))
    frames = load_study(replace(plan, seeds=[*plan.seeds, 7]), store)
    assert set(frames.gaps["seed"]) == {7}
    assert set(frames.gaps["reason"]) == {"no trial is planned for this seed"}


def test_damaged_files_become_gaps_and_leave_the_others(tmp_path: Path) -> None:
    truth = Truth(systems=("COAST",), sizes={"100 %": 1.0}, images=("a.png",), seeds=(0,), pictures=False)
    folder, store = write_study(tmp_path, truth)
    first, second, third, fourth = (c.fingerprints[0] for c in PlanRecord.load(Folder(folder)).cells)
    store.trial(first).write_text("run.json", "{not json")
    text = store.trial(second).read("scores.csv").decode()
    store.trial(second).write_text("scores.csv", text.replace(",0123456789abcdef", "x,0123456789abcdef", 1))
    store.trial(third).write_text("scores.csv", "a,b\n1,2\n")
    frames = load((folder, store))
    reasons = dict(zip(frames.trials["fingerprint"], frames.trials["reason"], strict=True))
    assert reasons[first].startswith("run.json cannot be read")
    assert reasons[second].startswith("scores.csv: ")
    assert reasons[third].startswith("scores.csv lacks the columns checkpoint")
    assert set(frames.scores["fingerprint"]) == {fourth}


def test_one_trial_may_answer_several_arms(whole: tuple[Path, Store]) -> None:
    folder, store = whole
    plan = PlanRecord.load(Folder(folder))
    shared = plan.cells[0]
    cells = [replace(c, fingerprints=shared.fingerprints) if c.arm == plan.arms[1].name else c for c in plan.cells]
    frames = load_study(replace(plan, cells=cells), store)
    arms = set(frames.scores.loc[frames.scores["fingerprint"] == shared.fingerprints[0], "arm"])
    assert arms == {plan.arms[0].name, plan.arms[1].name}


def test_a_gap_at_one_ratio_leaves_the_average_empty(tmp_path: Path) -> None:
    truth = Truth(
        systems=("ISTA-Net+",), sizes={"100 %": 1.0}, images=("a.png",), seeds=(0,), ratios=(0.1, 0.5), split_ratios=True,
        pictures=False,
    )  # fmt: skip
    folder, store = write_study(tmp_path, truth)
    cell = PlanRecord.load(Folder(folder)).cells[1]
    trial = store.trial(cell.fingerprints[1])
    run = trial.run()
    assert run
    trial.write_run(replace(run, status="stopped", reason="stopped by the user"))
    frames = load((folder, store))
    means = cell_means(per_image(frames, network_scores(frames)))
    there = means[(means["arm"] == cell.arm) & (means["metric"] == "psnr")]["at"].tolist()
    assert there == ["10\u00a0%"]
    assert missing_seeds(frames, cell.arm, "50\u00a0%", []) == [(0, "stopped: stopped by the user")]
    assert missing_seeds(frames, cell.arm, AVERAGE, []) == [(0, "stopped: stopped by the user")]
    assert cell.arm not in set(timing_cells(frames)["arm"])


def test_a_cell_that_lacks_an_image_has_no_value(tmp_path: Path) -> None:
    truth = Truth(systems=("COAST",), sizes={"100 %": 1.0}, images=("a.png", "b.png"), seeds=(0,), pictures=False)
    folder, store = write_study(tmp_path, truth)
    cell = PlanRecord.load(Folder(folder)).cells[1]
    trial = store.trial(cell.fingerprints[0])
    trial.write_scores([s for s in trial.scores() if s.image != "b.png"])
    frames = load((folder, store))
    assert cell.arm not in set(per_image(frames, network_scores(frames))["arm"])
    assert "without finite scores for every image" in missing_seeds(frames, cell.arm, AVERAGE, [])[0][1]


def _arm(name: str, compare_to: str | None, **factors: str) -> ArmRecord:
    return ArmRecord(
        name=name, compare_to=compare_to, factors=factors, configs=[], parameters=1, macs=1, steps=1, samples=1,
        stage_evaluations_train=1.0, stage_evaluations_test=1, layout="1",
    )  # fmt: skip


def test_families_share_a_base_and_treatments_are_what_differs() -> None:
    arms = [
        _arm("a", None, system="X", data="3 %", rfmu="no"),
        _arm("b", "a", system="X", data="3 %", rfmu="yes"),
        _arm("c", None, system="X", data="100 %", rfmu="no"),
        _arm("d", "c", system="X", data="100 %", rfmu="yes"),
    ]
    labels = label_arms(arms, [0.03, 0.03, 1.0, 1.0])
    assert [(labels[n].family, labels[n].treatment) for n in "abcd"] == [
        ("3 %", "no"), ("3 %", "yes"), ("100 %", "no"), ("100 %", "yes"),
    ]  # fmt: skip
    assert {labels[n].setting for n in "abcd"} == {""}
    assert labels["b"].root == "a"


@pytest.mark.parametrize("compare_to", [None, "unknown"])
def test_arms_without_comparisons_are_one_family(compare_to: str | None) -> None:
    arms = [_arm("a", None, lr="1"), _arm("b", compare_to, lr="2")]
    labels = label_arms(arms, [1.0, 1.0])
    assert labels["b"].treatment in ("2", "b")
    assert len({(v.family, v.treatment) for v in labels.values()}) == 2


def test_ambiguous_factors_fall_back_to_arm_names() -> None:
    labels = label_arms([_arm("a", None), _arm("b", "a"), _arm("c", "a")], [1.0, 1.0, 1.0])
    assert [labels[n].treatment for n in "abc"] == ["a", "b", "c"]


def test_arms_of_equal_factors_and_size_are_not_one_line() -> None:
    """Arms a and b differ in nothing that is named: they would be one point of a line over training sizes."""
    arms = [_arm("a", None, variant="x"), _arm("b", "a", variant="x"), _arm("c", "a", variant="y")]
    labels = label_arms(arms, [1.0, 1.0, 1.0])
    assert [(labels[n].treatment, labels[n].series) for n in "abc"] == [("a", "a"), ("b", "b"), ("c", "c")]


def test_comparison_chains_and_circles_end() -> None:
    labels = label_arms([_arm("a", "b"), _arm("b", "a"), _arm("c", "b")], [1.0] * 3)
    assert len(labels) == 3
