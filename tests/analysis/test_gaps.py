"""Whether one arm overfits less than another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from analysis.frames import StudyFrames
from analysis.frames.measures import overfitting_cells
from analysis.statistics import check_claims, compare_gaps_of_arms, holm
from analysis.statistics.gaps import compare_gaps, gaps
from analysis.statistics.paired import Images
from analysis.tables import claims_table, gaps_table
from rdun.config import with_values
from rdun.results import ClaimRecord
from tests.analysis.conftest import RECURSIVE, UNROLLED, load_pairs

ALL_DATA = ["COAST, unrolled, 100 %", "COAST, recursive, 100 %"]


def study(folder: Path, more: float = 0.5, **changes: object) -> StudyFrames:
    """One whose unrolled network on few data fits its training blocks so much better, by another amount for each seed."""
    frames = load_pairs(folder, **changes)
    scores = frames.scores
    fitted = (scores["arm"] == UNROLLED) & (scores["split"] == "train") & (scores["unit"] == "block")
    fitted &= (scores["checkpoint"] == "best") & (scores["recursions"] != 0)
    scores.loc[fitted, "value"] += more + 0.01 * scores.loc[fitted, "seed"]
    return frames


def claim(**changes: object) -> ClaimRecord:
    made = ClaimRecord(text="overfits less", arm=UNROLLED, versus=RECURSIVE, metric="gap", at_least=0.2)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_differences_of_gaps_are_paired_by_seed(tmp_path: Path) -> None:
    frames = study(tmp_path)
    found = compare_gaps_of_arms(frames)[RECURSIVE]
    by_arm = overfitting_cells(frames).pivot(index="seed", columns="arm", values="gap")
    test = stats.ttest_rel(by_arm[RECURSIVE], by_arm[UNROLLED])
    assert found.versus == UNROLLED and found.seeds == (0, 1, 2, 3)
    assert found.mean == pytest.approx(float((by_arm[RECURSIVE] - by_arm[UNROLLED]).mean()))
    assert (found.low, found.high) == pytest.approx(tuple(test.confidence_interval(0.95)))
    assert found.p_all == pytest.approx(test.pvalue)
    other = compare_gaps_of_arms(frames)[ALL_DATA[1]]
    assert [found.p_holm, other.p_holm] == pytest.approx(holm([found.p_all, other.p_all]))


def test_the_table_of_differences(tmp_path: Path) -> None:
    frames = study(tmp_path)
    table = gaps_table(frames)
    gap = overfitting_cells(frames).groupby("arm")["gap"].mean()
    lines = table.frame.set_index("arm")
    assert list(lines.index) == [RECURSIVE, ALL_DATA[1]] and lines["verdict"].tolist()[0] == "lower"
    assert lines["mean"].tolist() == pytest.approx(
        [gap[RECURSIVE] - gap[UNROLLED], gap[ALL_DATA[1]] - gap[ALL_DATA[0]]]
    )
    assert "Holm for 2 comparisons" in table.caption


def test_claims_about_gaps(tmp_path: Path) -> None:
    images = Images(study(tmp_path))
    results = check_claims(images, [claim(), claim(at_least=2.0), claim(beyond=ALL_DATA)])
    assert [r.verdict for r in results] == ["held", "refuted", "held"]
    gap = overfitting_cells(images.frames).pivot(index="seed", columns="arm", values="gap")
    twice = gap[UNROLLED] - gap[RECURSIVE] - (gap[ALL_DATA[0]] - gap[ALL_DATA[1]])
    assert results[2].comparison.per_seed == pytest.approx(tuple(twice))
    assert results[0].p == pytest.approx(stats.ttest_1samp(gap[UNROLLED] - gap[RECURSIVE], 0.2).pvalue)
    table = claims_table(images.frames, results)
    assert table.frame["metric"].tolist() == ["Gap, dB"] * 3 and "p is Student's t over seeds alone" in table.caption


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    lost = {(RECURSIVE, 2): ("failed", "no space")}
    frames = study(tmp_path / "lost", statuses=lost)
    found = compare_gaps_of_arms(frames)[RECURSIVE]
    assert gaps_table(frames).gaps == {(0, "seeds"): f"{RECURSIVE}, seed 2: failed: no space"}
    assert found.seeds == (0, 1, 3) and found.missing == ((2, f"{RECURSIVE}, seed 2: failed: no space"),)
    none = compare_gaps(frames, gaps(frames).drop(columns=RECURSIVE), RECURSIVE, UNROLLED)
    assert none.reason == f"{RECURSIVE}, seed 0: complete, but without finite scores of blocks"
    assert none.verdict == "no data"
    (one,) = check_claims(Images(study(tmp_path / "one", seeds=(0,))), [claim()])
    assert (one.verdict, one.reason) == ("undecided", "one seed gives no interval")


def test_equal_gaps_are_no_test(tmp_path: Path) -> None:
    """Joined studies share trials: what compares the same ones does not make the others harder to decide."""
    frames = study(tmp_path)
    rows = frames.scores["unit"] == "block"
    base, same = (frames.scores[rows & (frames.scores["arm"] == arm)] for arm in ALL_DATA)
    frames.scores.loc[same.index, "value"] = base["value"].to_numpy()
    found = compare_gaps_of_arms(frames)
    assert found[ALL_DATA[1]].verdict == "equal" and found[RECURSIVE].p_holm == found[RECURSIVE].p_all
    assert "Holm for 1 comparison." in gaps_table(frames).caption


def test_gaps_are_compared_between_two_arms_whatever_others_are_tested_at(tmp_path: Path) -> None:
    frames = study(tmp_path)
    expected = compare_gaps_of_arms(frames)[RECURSIVE]

    def at(arms: list[str], *ratios: float) -> StudyFrames:
        configs = {a: tuple(with_values(c, {"task.ratios": ratios}) for c in frames.arms[a].configs) for a in arms}
        return replace(frames, arms=frames.arms | {a: frames.arms[a]._replace(configs=c) for a, c in configs.items()})

    found = compare_gaps_of_arms(at(ALL_DATA, 0.25, 0.5))[RECURSIVE]
    assert found.per_seed == expected.per_seed and found.p_holm == expected.p_holm
    apart = compare_gaps_of_arms(at([RECURSIVE], 0.25, 0.5))[RECURSIVE]
    assert apart.reason == "tested at different sampling ratios (25\u00a0%, 50\u00a0% and 25\u00a0%)"


def test_a_gap_that_is_not_a_number_is_its_own_arm_s(tmp_path: Path) -> None:
    frames = study(tmp_path)
    rows = frames.scores
    lost = (rows["arm"] == RECURSIVE) & (rows["seed"] == 1) & (rows["unit"] == "block") & (rows["split"] == "train")
    rows.loc[lost, "value"] = float("nan")
    found = compare_gaps_of_arms(frames)[RECURSIVE]
    assert found.missing == ((1, f"{RECURSIVE}, seed 1: complete, but without finite scores of blocks"),)
