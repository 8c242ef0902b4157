"""The coverage benchmark: what it simulates, that it asks the very functions of the reports, and a small run of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.numbers import listed
from analysis.statistics import bootstrap_interval, crossed_interval, crossed_p, holm, t_estimate
from analysis.statistics.intervals import cautious_p
from analysis.tables.differences import MEASURED
from analysis.words.findings import undecided
from benchmarks.coverage import (
    SCENARIOS,
    Scenario,
    Studies,
    bootstrap_intervals,
    coverage_rows,
    holm_rows,
    looking_rows,
    simulate,
    t_intervals,
    verdict_rows,
)

RUNS = 500


def _drawn(scenario: Scenario, seeds: int, images: int, effect: float = 0.0) -> Studies:
    return simulate(scenario, effect, seeds, images, RUNS, np.random.default_rng([seeds, images]))


def test_the_intervals_measured_are_those_of_the_reports() -> None:
    tables = np.random.default_rng(1).normal(size=(3, 4, 9))
    low, high, p = t_intervals(tables)
    boot = bootstrap_intervals(tables)
    for i, table in enumerate(tables):
        found = t_estimate(table.mean(axis=1))
        assert (low[i], high[i], p[i]) == pytest.approx((found.low, found.high, found.p))
        assert (boot[0][i], boot[1][i]) == pytest.approx(bootstrap_interval(table))
    assert holm_rows(p[None])[0] == pytest.approx(holm(list(p)))
    assert holm_rows(np.array([[0.01, 0.04, 0.03]]))[0] == pytest.approx([0.03, 0.06, 0.06])


def test_simulated_differences_have_the_spreads_asked_for() -> None:
    for scenario in (SCENARIOS["seeds and images alike"], SCENARIOS["skewed images"]):
        drawn = _drawn(scenario, 3, 11, effect=0.3)
        assert drawn.differences[:, :, 0].mean() == pytest.approx(0.3, abs=0.02)
        assert drawn.differences[:, :, 1:].mean() == pytest.approx(0.0, abs=0.02)
        within = drawn.differences - drawn.differences.mean(axis=-1, keepdims=True)
        expected = (scenario.image**2 + scenario.rest**2) * 10 / 11
        assert (within**2).mean() == pytest.approx(expected, rel=0.05)
        of_seeds = drawn.differences.mean(axis=-1) - drawn.given[..., None]
        assert (of_seeds**2).mean() == pytest.approx(scenario.seed**2 + scenario.rest**2 / 11, rel=0.1)


def test_crossed_t_without_spread_over_images_is_students_t_over_seeds() -> None:
    """Equal images leave the seeds alone: the same standard error and degrees of freedom."""
    seeds = np.array([[0.1], [0.3], [0.2], [0.5]])
    table = np.broadcast_to(seeds, (4, 20)).copy()
    found = t_estimate(seeds[:, 0])
    assert crossed_interval(table) == pytest.approx((found.low, found.high))
    assert crossed_p(table) == pytest.approx(found.p)
    assert crossed_p(table, found.mean) == pytest.approx(1.0)


def test_crossed_t_by_hand() -> None:
    """2 seeds x 2 images: MS_seed = 0.5625, MS_image = 0.0625, MS_rest = 0.0625, so Var = 0.140625 and df by Satterthwaite."""
    table = np.array([[1.0, 1.5], [0.5, 0.5]])
    of_seeds, of_images, of_rest = 0.5625 / 4, 0.0625 / 4, 0.0625 / 4
    df = of_seeds**2 / (of_seeds**2 + of_images**2 + of_rest**2)
    half = stats.t.ppf(0.975, max(df, 1.0)) * np.sqrt(0.140625)
    assert crossed_interval(table) == pytest.approx((0.875 - half, 0.875 + half))


def test_crossed_t_is_unknown_without_two_seeds_and_two_images() -> None:
    for shape in ((1, 5), (5, 1), (0, 0)):
        assert np.isnan(crossed_interval(np.ones(shape))).all()
    assert crossed_p(np.zeros((3, 4))) == 1.0
    assert crossed_p(np.ones((3, 4))) == 0.0


def _shares(drawn: Studies) -> dict[tuple[str, str, str], float]:
    return {(r["estimand"], r["interval"], r["about"]): r["share"] for r in coverage_rows(drawn)}


BOUND = 3.5 * np.sqrt(0.95 * 0.05 / RUNS)
"""3.5 standard errors of a share of 95 % among RUNS."""


@pytest.mark.parametrize("seeds", [2, 5])
def test_intervals_cover_what_they_are_about(seeds: int) -> None:
    """t over seeds: these images. Crossed t: all images, never clearly below 95 %."""
    shares = _shares(_drawn(SCENARIOS["seeds and images alike"], seeds, 11))
    for estimand in ("comparison", "main effect", "interaction"):
        assert abs(shares[estimand, "t over seeds", "these images"] - 0.95) <= BOUND
        assert shares[estimand, "crossed t", "all images"] >= 0.95 - BOUND


def test_the_bootstrap_of_two_seeds_is_too_narrow_and_the_report_says_so() -> None:
    shares = _shares(_drawn(SCENARIOS["seeds dominate"], 2, 68))
    assert 0.5 < shares["comparison", "bootstrap", "all images"] < 0.7


def test_the_report_says_what_was_measured() -> None:
    rows = pd.read_csv(Path(__file__).parents[2] / "results" / "coverage.csv")
    assert rows["studies"].min() >= 500 and set(rows["seeds"]) == {2, 3, 5, 10} and set(rows["images"]) == {4, 11, 68}
    covered = rows[(rows["measure"] == "coverage") & (rows["estimand"] == "comparison")]
    false = rows[(rows["measure"] == "any false verdict") & (rows["interval"] == "the report's")]

    def by_seeds(of: pd.DataFrame, interval: str, about: str, how: str) -> list[str]:
        found = of[(of["interval"] == interval) & (of["about"] == about)]
        return [f"{100 * share:.0f}" for share in found.groupby("seeds")["share"].agg(how)]

    assert by_seeds(covered, "t over seeds", "these images", "mean") == ["95"] * 4
    many, few = covered[covered["images"] > 4], covered[covered["images"] == 4]
    for interval in ("bootstrap", "crossed t"):
        for how in ("mean", "min"):
            assert listed(by_seeds(many, interval, "all images", how)) in MEASURED, (interval, how)
    assert (
        f"With 4 images the crossed t held it in {listed(by_seeds(few, 'crossed t', 'all images', 'mean'))}" in MEASURED
    )
    means = 100 * false[false["images"] > 4].groupby(["about", "seeds"])["share"].mean()
    words = f"{means.min():.0f} to {means.max():.0f}\u00a0% of the studies (at worst {100 * false['share'].max():.0f}\u00a0%)"
    assert words in MEASURED
    fewest = false[(false["images"] == 4) & (false["seeds"] <= 3)]
    assert 100 * fewest.groupby("about")["share"].mean().max() < 0.5 and "0\u00a0% had a false verdict" in MEASURED


def test_t_over_seeds_says_nothing_about_other_images() -> None:
    shares = _shares(_drawn(SCENARIOS["images dominate"], 10, 11))
    assert shares["comparison", "t over seeds", "all images"] < 0.6
    assert abs(shares["comparison", "t over seeds", "these images"] - 0.95) <= BOUND


def test_who_looks_again_decides_too_much() -> None:
    planned, looked = (r["share"] for r in looking_rows(_drawn(SCENARIOS["seeds dominate"], 8, 11)))
    assert planned <= 0.05 + BOUND and looked > 2 * planned
    at_two = [r["share"] for r in looking_rows(_drawn(SCENARIOS["seeds dominate"], 2, 11))]
    assert at_two[0] == at_two[1]


def test_holm_keeps_false_verdicts_about_these_images_below_5_percent() -> None:
    rows = [r for r in verdict_rows(_drawn(SCENARIOS["seeds and images alike"], 3, 11)) if r["about"] == "these images"]
    shares = {r["interval"]: r["share"] for r in rows if r["measure"] == "any false verdict"}
    most = 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / RUNS)
    assert shares["t, uncorrected"] > 0.2
    assert shares["t, Holm and bootstrap"] <= shares["t, Holm"] <= most


def test_the_reports_verdicts_are_seldom_wrong_about_other_images_either() -> None:
    """Where images dominate and seeds are many, the t over seeds alone is wrong about all images in most studies."""
    rows = [r for r in verdict_rows(_drawn(SCENARIOS["images dominate"], 5, 11)) if r["measure"] == "any false verdict"]
    shares = {(r["interval"], r["about"]): r["share"] for r in rows}
    most = 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / RUNS)
    assert shares["t, Holm", "all images"] > 0.5
    assert shares["the report's", "all images"] <= most and shares["the report's", "these images"] <= most


def test_words_for_a_difference_on_these_images_only() -> None:
    """Two images that differ, seeds that agree: decided for these images, not for all; before and after Holm."""
    assert cautious_p(np.array([[0.1, 0.9], [0.1, 0.9], [0.11, 0.9]])) > 0.05
    assert undecided(0.01, 0.2, 0.4) == "undecided: its own interval excludes zero, that for all images does not"
    assert undecided(0.01, 0.02, 0.1) == (
        "undecided after Holm: its own interval excludes zero, the correction for several comparisons does not"
    )
    assert undecided(0.2, 0.3, 0.4) == undecided(float("nan"), float("nan"), float("nan")) == "undecided"
