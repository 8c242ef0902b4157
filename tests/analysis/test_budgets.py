"""What compared arms cost stands beside every verdict: in tables, in sentences, and in the words of claims."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from analysis.frames import StudyFrames
from analysis.statistics import check_claims, compare_arms, main_effects
from analysis.statistics.paired import Images
from analysis.tables import Table, claims_table, differences_table, effects_table
from analysis.words.answer import answer
from rdun.results import ArmRecord, Store, relative_costs
from tests.analysis.conftest import load

SET = "photographs-test"


def costly(frames: StudyFrames, **costs: int) -> StudyFrames:
    """The same study with these costs for all arms but the bases, whose costs are 100 each."""
    equal = [replace(a, parameters=100, macs=100, steps=100, samples=100) for a in frames.plan.arms]
    arms = [replace(a, **costs) if a.compare_to else a for a in equal]  # type: ignore[arg-type]
    return replace(frames, plan=replace(frames.plan, arms=arms))


def report(frames: StudyFrames) -> tuple[list[Table], list[str]]:
    """Tables with verdicts, and sentences with them."""
    images = Images(frames)
    comparisons = compare_arms(images)
    effects, claims = main_effects(frames, comparisons), check_claims(images, frames.plan.claims)
    found = answer(images, comparisons, effects, claims)
    tables = [
        differences_table(frames, comparisons, SET),
        effects_table(frames, [e for e in effects if e.kind != "interaction"], SET),
        claims_table(frames, claims),
    ]
    return tables, [found.headline, *found.effects, *found.lines, *found.claims]


def test_unequal_costs_stand_beside_every_verdict(whole: tuple[Path, Store]) -> None:
    tables, sentences = report(costly(load(whole), parameters=25, samples=200))
    words = "parameters ×0.25, samples ×2"
    for table in tables:
        assert set(table.frame["costs"]) == {words} and "costs" in [c.keys[0] for c in table.columns], table.name
        assert "MACs (multiply-accumulates per block), steps" in table.caption
    assert len(sentences) > 10
    for sentence in sentences:
        assert f" with {words}" in sentence, sentence


def test_equal_costs_are_said_once(whole: tuple[Path, Store]) -> None:
    tables, sentences = report(costly(load(whole)))
    for table in tables:
        assert "costs" not in [c.keys[0] for c in table.columns]
        assert "as many parameters, MACs" in table.caption
    assert not [s for s in sentences if "×" in s]


def test_a_mean_over_settings_has_the_range_of_their_costs(whole: tuple[Path, Store]) -> None:
    frames = costly(load(whole), macs=300)
    arms = [replace(a, macs=400) if "10 %" in a.name and a.compare_to else a for a in frames.plan.arms]
    tables, _ = report(replace(frames, plan=replace(frames.plan, arms=arms)))
    assert set(tables[0].frame["costs"]) == {"MACs ×3", "MACs ×4"}
    assert set(tables[1].frame["costs"]) == {"MACs ×3 to ×4"}


def test_costs_count_as_equal_within_half_a_percent() -> None:
    base = ArmRecord(
        name="a", compare_to=None, factors={}, configs=[{}], parameters=1000, macs=1000, steps=0, samples=0,
        stage_evaluations_train=1.0, stage_evaluations_test=1, layout="1x1",
    )  # fmt: skip
    arm = replace(base, parameters=1004, macs=1006, samples=8, configs=[{}] * 5)
    assert relative_costs(arm, base) == {"MACs": 1.006, "samples": float("inf"), "networks": 5}
    assert relative_costs(base, base) == {}
