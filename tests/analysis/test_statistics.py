"""Statistics: known answers, and the coverage of the intervals where the truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis.statistics import (
    ClaimResult,
    bootstrap_interval,
    check_claims,
    compare,
    compare_arms,
    holm,
    main_effects,
    smallest_exact_p,
    t_estimate,
)
from analysis.statistics.corrections import decided
from analysis.statistics.intervals import bootstrap_means
from analysis.statistics.paired import Images
from analysis.tables import Interval, Number, claims_table, differences_table, effects_table
from analysis.words.answer import claim_sentence, comparison_sentence, headline
from analysis.words.findings import bounds
from rdun.results import ClaimRecord, Store
from tests.analysis.conftest import load
from tests.analysis.synthetic import Truth, write_study


def test_t_interval_by_hand() -> None:
    estimate = t_estimate(np.array([1.0, 2.0, 3.0]))
    half = stats.t.ppf(0.975, 2) / np.sqrt(3)
    assert estimate.mean == 2 and estimate.df == 2 and estimate.n == 3
    assert (estimate.low, estimate.high) == pytest.approx((2 - half, 2 + half))
    assert estimate.p == pytest.approx(stats.ttest_rel([1.0, 2.0, 3.0], [0.0, 0.0, 0.0]).pvalue)


def test_one_seed_has_no_interval() -> None:
    estimate = t_estimate(np.array([0.4]))
    assert estimate.mean == 0.4
    assert np.isnan([estimate.low, estimate.high, estimate.p]).all()
    assert np.isnan(bootstrap_interval(np.ones((1, 5)))).all()


def test_equal_values_have_an_interval_without_width() -> None:
    assert t_estimate(np.zeros(3))[:3] == (0.0, 0.0, 0.0)
    assert t_estimate(np.zeros(3)).p == 1.0
    assert t_estimate(np.full(3, 0.2)).p == 0.0


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    corrected = holm([0.01, float("nan"), 0.04])
    assert corrected[0] == pytest.approx(0.02) and np.isnan(corrected[1])


def test_few_pairs_cannot_reach_significance_exactly() -> None:
    assert smallest_exact_p(5) == 0.0625
    assert smallest_exact_p(5) == stats.wilcoxon([1.0, 2.0, 3.0, 4.0, 5.0]).pvalue


def test_bootstrap_variance_is_that_of_two_crossed_factors() -> None:
    """Var = s2_seeds / S + s2_images / I (+ their small product) for tables with one effect only."""
    generator = np.random.default_rng(0)
    rows, columns = generator.normal(size=(4, 1)), generator.normal(size=(1, 30))
    of_rows = bootstrap_means(np.broadcast_to(rows, (4, 30)).copy(), 20_000).var()
    of_columns = bootstrap_means(np.broadcast_to(columns, (4, 30)).copy(), 20_000).var()
    assert of_rows == pytest.approx(rows.var(ddof=1) / 4, rel=0.05)
    assert of_columns == pytest.approx(columns.var(ddof=1) / 30, rel=0.05)


def test_bootstrap_is_repeatable() -> None:
    table = np.random.default_rng(3).normal(size=(3, 8))
    assert bootstrap_interval(table) == bootstrap_interval(table)


def _simulate(seeds: int, images: int, runs: int) -> tuple[np.ndarray, float, np.ndarray]:
    """Tables (runs, seeds, images) of truth + seed + image + noise; the mean given the images drawn."""
    generator = np.random.default_rng([seeds, images])
    truth = 0.1
    picture = generator.normal(0, 0.10, (runs, 1, images))
    table = (
        truth + generator.normal(0, 0.08, (runs, seeds, 1)) + picture + generator.normal(0, 0.15, (runs, seeds, images))
    )
    return table, truth, truth + picture.mean(axis=(1, 2))


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_t_interval_covers_95_percent_of_the_truths_given_the_images(seeds: int) -> None:
    runs = 500
    tables, _, given = _simulate(seeds, 20, runs)
    found = [t_estimate(t.mean(axis=1)) for t in tables]
    hits = np.mean([e.low <= truth <= e.high for e, truth in zip(found, given, strict=True)])
    assert 0.95 - 3.5 * np.sqrt(0.95 * 0.05 / runs) <= hits <= 0.95 + 3.5 * np.sqrt(0.95 * 0.05 / runs)


@pytest.mark.parametrize(
    ("seeds", "least", "most"), [(2, 0.72, 0.90), (3, 0.80, 0.94), (5, 0.87, 0.97), (10, 0.91, 0.985)]
)
def test_bootstrap_coverage_is_what_the_report_says(seeds: int, least: float, most: float) -> None:
    """About 80 % with 2 seeds, 87 % with 3, 91 % with 5, 95 % with 10, on 68 images: measured, not hoped for."""
    runs = 500
    tables, truth, _ = _simulate(seeds, 68, runs)
    found = [bootstrap_interval(t, replicates=250, seed=i) for i, t in enumerate(tables)]
    assert least <= np.mean([low <= truth <= high for low, high in found]) <= most


def test_verdicts_are_wrong_in_at_most_5_percent_of_studies_without_effects() -> None:
    """Twelve comparisons, no true difference: the chance that any is called decided. Holm rejects any iff 12 min p < 0.05."""
    generator = np.random.default_rng(7)
    studies = 2000
    tables = generator.normal(0, 0.08, (studies, 12, 3, 1)) + generator.normal(0, 0.15, (studies, 12, 3, 10))
    smallest = np.asarray(stats.ttest_1samp(tables.mean(axis=3), 0, axis=2).pvalue)
    wrong = 0
    for study, place in enumerate(smallest.argmin(axis=1)):
        p = 12 * smallest[study, place]
        wrong += p < 0.05 and decided(p, *bootstrap_interval(tables[study, place], replicates=200))
    assert 0 < wrong / studies <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)


def _study(tmp_path: Path, **values: object) -> Images:
    truth = Truth(systems=("COAST",), pictures=False, epochs=2, **values)  # type: ignore[arg-type]
    return Images(load(write_study(tmp_path, truth)))


def test_known_differences_are_found(tmp_path: Path) -> None:
    effects = {"unrolled": 0.0, "worse": -0.4, "better": 0.5}
    images = _study(tmp_path, effects=effects, seeds=range(5), seed_sd=0.02, image_sd=0.02)
    for c in compare_arms(images):
        treatment = images.frames.arms[c.arm].treatment
        assert c.mean == pytest.approx(effects[treatment], abs=0.06)
        assert c.low < effects[treatment] + 0.03 and c.high > effects[treatment] - 0.03
        assert c.verdict == ("higher" if effects[treatment] > 0 else "lower")
        assert c.images_better == (1.0 if effects[treatment] > 0 else 0.0)
        assert c.df == 4 and c.images == 5 and c.differences.shape == (5, 5)


def test_the_headline_names_the_largest_difference_whatever_its_sign(tmp_path: Path) -> None:
    effects = {"unrolled": 0.0, "better": 0.3, "worse": -0.6}
    images = _study(tmp_path, sizes={"10 %": 0.1}, effects=effects, seeds=range(5), seed_sd=0.02, image_sd=0.02)
    said = headline(images.frames, compare_arms(images), [])
    assert said.startswith("“worse” minus “unrolled”: \u22120.") and "; also “better” minus “unrolled” +0." in said


def test_main_effects_average_the_families_and_interactions_compare_them(tmp_path: Path) -> None:
    images = _study(tmp_path, effects={"unrolled": 0.0, "better": 0.5}, seeds=range(4), seed_sd=0.01, image_sd=0.01)
    comparisons = compare_arms(images)
    main, interaction = main_effects(images.frames, comparisons)
    assert main.kind == "main" and main.settings == 2 and main.verdict == "higher"
    assert main.estimate.mean == pytest.approx(np.mean([c.mean for c in comparisons]))
    assert interaction.estimate.mean == pytest.approx(comparisons[0].mean - comparisons[1].mean)
    assert interaction.verdict == "undecided"


def test_missing_seeds_are_named_not_dropped_in_silence(holed: tuple[Path, Store]) -> None:
    images = Images(load(holed))
    found = {c.arm: c for c in compare_arms(images)}
    failed = found["COAST, recursive, 10 %"]
    assert failed.seeds == (0, 2)
    assert failed.missing == ((1, "COAST, recursive, 10 %, seed 1: failed: out of memory: tried to allocate 2 GiB"),)
    assert found["COAST, recursive, 100 %"].missing[0][1].endswith("seed 0: not run")


def test_intervals_have_the_digits_of_their_means(tmp_path: Path) -> None:
    """A difference of hundredths of a decibel is decided by thousandths: "0.00" at an end would hide on which side it lies."""
    images = _study(tmp_path, effects={"unrolled": 0.0, "better": 0.02}, seeds=range(4), seed_sd=0.001, image_sd=0.001)
    found = compare_arms(images)
    for table in (
        differences_table(images.frames, found, "photographs-test"),
        effects_table(images.frames, main_effects(images.frames, found), "photographs-test"),
    ):
        digits = {c.digits for c in table.columns if isinstance(c, Interval)}
        assert digits == {c.digits for c in table.columns if isinstance(c, Number) and c.key == "mean"} == {3}
    claim = ClaimRecord(text="t", arm=found[0].arm, versus=found[0].versus, metric="psnr", at_least=0.01)
    (result,) = check_claims(images, [claim])
    c = result.comparison
    assert (
        f"Measured, “{c.arm}” minus “{c.versus}”: +{c.mean:.3f}\u00a0dB (95\u00a0% interval +{c.low:.3f} to +{c.high:.3f}\u00a0dB"
        in claim_sentence(images.frames, result)
    )


def test_the_end_of_an_interval_says_on_which_side_of_zero_it_lies() -> None:
    assert bounds(0.0012, 0.128, 4) == " (95\u00a0% interval +0.001 to +0.128\u00a0dB, 4 seeds)"
    assert bounds(-0.05, 0.0, 4) == " (95\u00a0% interval \u22120.05 to 0.00\u00a0dB, 4 seeds)"
    assert bounds(-0.00004, 0.01, 4, "ssim") == " (95\u00a0% interval \u22120.00004 to +0.01000, 4 seeds)"


def test_one_seed_is_undecided(tmp_path: Path) -> None:
    for c in compare_arms(_study(tmp_path, seeds=(0,), effects={"unrolled": 0.0, "better": 2.0})):
        assert c.mean == pytest.approx(2.0, abs=0.5)
        assert c.verdict == "undecided" and np.isnan(c.low)


def test_the_same_trial_in_both_arms_is_equal(whole: tuple[Path, Store]) -> None:
    images = Images(load(whole))
    base = "COAST, unrolled, 10 %"
    assert compare(images, base, base, "photographs-test").verdict == "equal"


def test_claims_hold_fail_or_stay_open(tmp_path: Path) -> None:
    images = _study(tmp_path, effects={"unrolled": 0.0, "better": 0.5}, seeds=range(5), seed_sd=0.05, image_sd=0.05)

    def claim(at_least: float) -> ClaimRecord:
        return ClaimRecord(
            text="t", arm="COAST, better, 10 %", versus="COAST, unrolled, 10 %", metric="psnr", at_least=at_least
        )

    measured = compare(images, "COAST, better, 10 %", "COAST, unrolled, 10 %", "photographs-test").mean
    results = check_claims(images, [claim(0.1), claim(1.0), claim(measured)])
    assert [r.verdict for r in results] == ["held", "refuted", "undecided"]
    assert results[2].reason == "the interval contains the threshold"


def test_the_bootstrap_too_is_held_against_the_threshold_of_a_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = _study(tmp_path, effects={"unrolled": 0.0, "better": 0.5}, seeds=range(5), seed_sd=0.05, image_sd=0.05)
    monkeypatch.setattr("analysis.statistics.paired.bootstrap_interval", lambda differences: (0.05, 0.9))
    claims = [
        ClaimRecord(text="t", arm="COAST, better, 10 %", versus="COAST, unrolled, 10 %", metric="psnr", at_least=least)
        for least in (0.0, 0.1)
    ]
    results = check_claims(images, claims)
    assert [(r.verdict, r.reason) for r in results] == [("held", ""), ("undecided", "single images disagree")]


def test_a_claim_may_be_about_some_ratios_and_one_set(tmp_path: Path) -> None:
    """Its difference is the mean of those at its ratios; the average over all ratios is another."""
    images = _study(tmp_path, effects={"unrolled": 0.0, "better": 0.5}, ratios=(0.1, 0.25, 0.5), seeds=(0, 1))
    arm, versus, dataset = "COAST, better, 10 %", "COAST, unrolled, 10 %", "photographs-test"
    low, high = (compare(images, arm, versus, dataset, f"{r}\u00a0%").mean for r in (10, 50))

    def measured(ratios: list[float], dataset: str | None = None) -> ClaimResult:
        claim = ClaimRecord(text="t", arm=arm, versus=versus, metric="psnr", at_least=0, dataset=dataset, ratios=ratios)
        (result,) = check_claims(images, [claim])
        return result

    assert measured([0.1]).comparison.mean == pytest.approx(low)
    some = measured([0.5, 0.1], dataset).comparison
    assert some.mean == pytest.approx((low + high) / 2) and some.at == "10\u00a0%, 50\u00a0%"
    assert measured([]).comparison.mean != pytest.approx(some.mean, abs=1e-6)
    assert measured([], "set11").reason and not measured([], "set11").comparison.seeds


def test_a_claim_may_be_about_two_differences(tmp_path: Path) -> None:
    """It is the first less the second on the seeds and images of all four arms, whatever either is by itself."""
    arms = [f"COAST, {variant}, {size}" for size in ("10 %", "100 %") for variant in ("better", "unrolled")]
    effects, lost = {"unrolled": 0.0, "better": 0.5}, {(arms[1], 0): ("failed", "no space")}
    images = _study(tmp_path, effects=effects, seeds=range(5), seed_sd=0.05, image_sd=0.05, statuses=lost)
    scores = images.frames.scores
    scores.loc[(scores["arm"] == arms[0]) & (scores["metric"] == "psnr"), "value"] += 0.3
    images = Images(images.frames)

    def claim(at_least: float) -> ClaimRecord:
        return ClaimRecord(
            text="t", arm=arms[0], versus=arms[1], metric="psnr", at_least=at_least, beyond=[arms[2], arms[3]]
        )

    results = check_claims(images, [claim(0.1), claim(0.6)])
    assert [r.verdict for r in results] == ["held", "refuted"]
    found = results[0].comparison
    first, second = (
        compare(images, one, other, "photographs-test").differences for one, other in results[0].claim.pairs
    )
    by_hand = first.to_numpy() - second.loc[first.index].to_numpy()
    assert found.seeds == (1, 2, 3, 4) and found.mean == pytest.approx(by_hand.mean())
    assert found.per_seed == pytest.approx(by_hand.mean(axis=1))
    assert found.missing[0][1].startswith(f"{arms[1]}, seed 0: failed")
    table = claims_table(images.frames, results)
    assert "the second one is taken off the first" in table.caption
    pairs = f"(“{arms[0]}” minus “{arms[1]}”) − (“{arms[2]}” minus “{arms[3]}”)"
    assert set(table.frame["difference"]) == {pairs} and pairs in claim_sentence(images.frames, results[0])
    same = replace(claim(0.0), beyond=["COAST, better, 10 %", "COAST, unrolled, 10 %"])
    (equal,) = check_claims(images, [same])
    assert equal.comparison.same and equal.verdict == "undecided"


def test_different_matrices_are_not_compared(tmp_path: Path) -> None:
    truth = Truth(systems=("COAST",), sizes={"100 %": 1.0}, seeds=(0, 1), images=("a.png",), pictures=False)
    folder, store = write_study(tmp_path, truth)
    frames = load((folder, store))
    arm = "COAST, recursive, 100 %"
    frames.scores["matrix"] = ["gauss-s1" if a == arm else "gauss-s0" for a in frames.scores["arm"]]
    found = compare(Images(frames), arm, "COAST, unrolled, 100 %", truth.dataset)
    assert found.verdict == "no data"
    assert found.reason == "measured with different matrices (gauss-s1 and gauss-s0)"


def test_one_test_image_decides_nothing_about_all_images(tmp_path: Path) -> None:
    """Five seeds that agree within 0.1 dB on a difference of 1 dB, on one image: decided differences hold for all images."""
    images = _study(
        tmp_path, sizes={"10 %": 0.1}, effects={"unrolled": 0.0, "better": 1.0}, seeds=range(5), images=("a.png",)
    )
    (found,) = compare_arms(images)
    assert found.low > 0.5 and found.p < 0.05 and np.isnan(found.p_all) and found.verdict == "undecided"
    said = "its own interval excludes zero, one test image says nothing about all images"
    assert comparison_sentence(images.frames, found).endswith(f"undecided: {said}.")
    assert "one test image says nothing about all images; it is" in headline(images.frames, [found], [])
    claim = ClaimRecord(text="t", arm=found.arm, versus=found.versus, metric="psnr", at_least=0.1)
    (result,) = check_claims(images, [claim])
    assert (result.verdict, result.reason) == ("undecided", "one test image says nothing about all images")


def test_holm_counts_the_comparisons_that_have_a_p(tmp_path: Path) -> None:
    """Of six comparisons one has a single complete pair: Holm is over five, and the caption says so."""
    statuses = {("COAST, recursive, 10 %", seed): ("failed", "no space") for seed in (1, 2)}
    images = _study(tmp_path, statuses=statuses)
    comparisons = compare_arms(images)
    known = [c.p_all for c in comparisons if not np.isnan(c.p_all)]
    assert len(known) == 5 and len(comparisons) == 6
    expected = multipletests(known, method="holm")[1]
    assert [c.p_holm for c in comparisons if not np.isnan(c.p_holm)] == pytest.approx(list(expected))
    caption = differences_table(images.frames, comparisons, "photographs-test").caption
    assert "by Holm for the 5 comparisons (of 6) that have a p on this test set" in caption
