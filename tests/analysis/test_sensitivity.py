"""What a study can find: the told differences are found as often as told, in studies whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from analysis.statistics import compare_arms, crossed_p, main_effects
from analysis.statistics.paired import Images
from analysis.statistics.sensitivity import Spread, detectable, sensitivities, uncertainty
from analysis.tables import sensitivity_table
from analysis.words.answer import answer
from tests.analysis.conftest import load
from tests.analysis.synthetic import Truth, write_study

TRUTH = Truth(
    systems=("COAST",),
    sizes={"10 %": 0.1},
    seeds=(0, 1, 2),
    images=("a.png", "b.png", "c.png"),
    epochs=2,
    pictures=False,
)
DATASET = TRUTH.dataset


def drawn(spread: Spread, seeds: int, mean: float, studies: int = 4000) -> np.ndarray:
    """Tables of differences (studies, seeds, images) with this spread."""
    generator = np.random.default_rng(1)

    def noise(variance: float, rows: int, columns: int) -> np.ndarray:
        return generator.normal(0, variance**0.5, size=(studies, rows, columns))

    table = mean + noise(spread.seed, seeds, 1) + noise(spread.image, 1, spread.images)
    return np.asarray(table + noise(spread.rest, seeds, spread.images))


@pytest.mark.parametrize("comparisons", [1, 5])
@pytest.mark.parametrize("seeds", [3, 8])
@pytest.mark.parametrize(
    "spread",
    [Spread(0.04, 0.0025, 0.0225, 4), Spread(0.0064, 0.01, 0.0225, 11), Spread(0.0004, 0.09, 0.0225, 68)],
    ids=["seeds", "alike", "images"],
)
def test_the_told_difference_is_found_as_often_as_told(spread: Spread, seeds: int, comparisons: int) -> None:
    tables = drawn(spread, seeds, detectable(spread, seeds, comparisons))
    over_seeds = stats.ttest_1samp(tables.mean(axis=2), 0.0, axis=1).pvalue
    found = np.maximum(over_seeds, crossed_p(tables)) < 0.05 / comparisons
    assert found.mean() == pytest.approx(0.8, abs=0.05)


def test_without_a_spread_over_images_it_is_the_t_test_of_the_text_books() -> None:
    """Cohen 1988, table 2.4 for paired differences: 0.8 power at d_z = 0.5 takes 34 pairs, at 0.8 15."""
    for effect, pairs in ((0.5, 34), (0.8, 15)):
        here, fewer = (detectable(Spread(1.0, 0.0, 0.0, 50), n) for n in (pairs, pairs - 1))
        assert here <= effect < fewer


def test_more_seeds_find_less_and_more_comparisons_more() -> None:
    spread = Spread(0.04, 0.0025, 0.0225, 11)
    found = [detectable(spread, n) for n in (2, 3, 5, 10, 20)]
    assert found == sorted(found, reverse=True)
    assert detectable(spread, 5, 4) > detectable(spread, 5)


def test_the_spread_of_a_table() -> None:
    """Components come back from a table that is made of them; where seeds are equal, there is none over them."""
    spread = Spread(0.04, 0.09, 0.01, 5)
    found = [Spread.of(table) for table in drawn(spread, 6, 0.3)]
    assert np.mean([s[:3] for s in found], axis=0) == pytest.approx(spread[:3], rel=0.1)
    assert found[0].images == 5
    equal = Spread.of(np.tile([0.1, 0.2, 0.6], (4, 1)))
    assert equal.seed == 0 and equal.rest == pytest.approx(0, abs=1e-30) and equal.image > 0
    for shape in ((1, 5), (3, 1), (0, 0)):
        assert np.isnan(detectable(Spread.of(np.ones(shape)), 3))


def test_a_standard_deviation_of_three_values_is_hardly_known() -> None:
    """sqrt(df / chi2): textbook values 0.521 and 6.285 for two degrees of freedom."""
    assert uncertainty(3) == pytest.approx((0.521, 6.285), abs=1e-3)


def test_the_report_tells_what_undecided_means(tmp_path: Path) -> None:
    images = Images(load(write_study(tmp_path, TRUTH)))
    comparisons = compare_arms(images)
    assert all(c.verdict == "undecided" for c in comparisons)
    table = sensitivity_table(images.frames, comparisons, DATASET)
    assert list(table.frame.columns[-4:]) == ["3", "5", "10", "20"]
    first = comparisons[0]
    line = table.frame.set_index("arm").loc[first.arm]
    values = first.differences.to_numpy(dtype=float)
    assert line["3"] == pytest.approx(detectable(Spread.of(values), 3, 3))
    assert line["spread"] == pytest.approx(values.mean(axis=1).std(ddof=1))
    assert "divided by 3 comparisons" in table.caption and "0.5 to 6.3 times" in table.caption
    assert "One more seed of all arms takes" in table.caption
    said = answer(images, comparisons, main_effects(images.frames, comparisons), ()).sensitivity
    low, high = min(table.frame["3"]), max(table.frame["3"])
    assert (
        f"with 3 seeds, the smallest true difference that 80\u00a0% of such studies would decide is {low:.2f} to {high:.2f}"
        in said
    )
    assert "; with 10 seeds, " in said


def test_nothing_is_told_of_one_seed_or_of_decided_differences(tmp_path: Path) -> None:
    one = Images(load(write_study(tmp_path / "one", replace(TRUTH, seeds=(0,)))))
    assert (
        sensitivities(compare_arms(one)) == [] and sensitivity_table(one.frames, compare_arms(one), DATASET).frame.empty
    )
    large = {"unrolled": 0.0, "better": 3.0}
    sure = Images(load(write_study(tmp_path / "sure", replace(TRUTH, effects=large, seeds=tuple(range(6))))))
    comparisons = compare_arms(sure)
    assert [c.verdict for c in comparisons] == ["higher"]
    assert answer(sure, comparisons, (), ()).sensitivity == ""
    assert len(sensitivity_table(sure.frames, comparisons, DATASET).frame) == 1
