"""Factorial designs: contrasts by hand, effects of a study whose truth is known, gaps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from analysis.frames import StudyFrames
from analysis.numbers import number
from analysis.statistics import compare_arms, main_effects
from analysis.statistics.factorial import contrasts, grids
from analysis.statistics.paired import Images
from analysis.tables import effects_table, to_markdown
from analysis.words.answer import answer
from analysis.words.factor_words import factor_sentences
from tests.analysis.conftest import load
from tests.analysis.synthetic import Truth, write_study

CELLS = {
    "unrolled": ({"recursion": "fixed", "rfmu": "no"}, 0.0),
    "recursive": ({"recursion": "random", "rfmu": "no"}, -0.1),
    "recursive, random": ({"recursion": "fixed", "rfmu": "yes"}, 0.3),
    "recursive, random, RFMU": ({"recursion": "random", "rfmu": "yes"}, 0.5),
}


def _grid(tmp_path: Path, statuses: dict[tuple[str, int], tuple[str, str]] | None = None) -> StudyFrames:
    """A study of one system and size, its four arms renamed to a grid of two factors with two levels."""
    truth = Truth(
        systems=("COAST",), sizes={"100 %": 1.0}, effects={n: e for n, (_, e) in CELLS.items()}, seeds=range(4), epochs=2,
        pictures=False, seed_sd=0.01, image_sd=0.01, statuses=statuses or {},
    )  # fmt: skip
    frames = load(write_study(tmp_path, truth))
    arms = {a.name: a._replace(factors=CELLS[a.factors["variant"]][0]) for a in frames.arms.values()}
    return replace(frames, arms=arms)


def test_contrasts_by_hand(tmp_path: Path) -> None:
    (grid,) = grids(_grid(tmp_path).arms.values())
    base, random, rfmu, both = (f"COAST, {name}, 100 %" for name in CELLS)
    first, second, together = contrasts(grid)
    assert first.weights == {base: -0.5, random: 0.5, rfmu: -0.5, both: 0.5}
    assert second.weights == {base: -0.5, random: -0.5, rfmu: 0.5, both: 0.5}
    assert together.weights == {base: 1.0, random: -1.0, rfmu: -1.0, both: 1.0}
    assert (first.kind, together.kind, first.settings, together.settings) == ("factor", "interaction", 2, 1)


def test_factorial_effects_are_those_of_the_truth(tmp_path: Path) -> None:
    frames = _grid(tmp_path)
    effects = main_effects(frames, compare_arms(Images(frames)))
    expected = {
        "recursion: random minus fixed": 0.05,
        "rfmu: yes minus no": 0.45,
        "recursion: random minus fixed × rfmu: yes minus no": 0.3,
    }
    assert [e.name for e in effects] == list(expected)
    for effect in effects:
        assert effect.estimate.mean == pytest.approx(expected[effect.name], abs=0.03)
        assert effect.estimate.low <= effect.estimate.mean <= effect.estimate.high and effect.estimate.n == 4
        assert effect.estimate.p <= effect.p_holm
    assert [e.verdict for e in effects][1:] == ["higher", "higher"]
    text = to_markdown(effects_table(frames, effects, "photographs-test"))
    assert "Main effects of factors" in text and "Difference between settings" in text


def test_every_effect_has_a_sentence_with_its_interval(tmp_path: Path) -> None:
    frames = _grid(tmp_path)
    effects = main_effects(frames, compare_arms(Images(frames)))
    first, second, together = factor_sentences(frames, effects)
    start = "rfmu “yes” instead of “no” changes test PSNR by "
    assert second.startswith(start + number(effects[1].estimate.mean, signed=True))
    assert "averaged over 2 combinations of the other factors (95\u00a0% interval +0.4" in second
    assert first.startswith("recursion “random” instead of “fixed”") and second.endswith(
        "4 seeds) with parameters ×0.34 to ×1.02: higher."
    )
    amount = number(effects[2].estimate.mean)
    assert f"on test PSNR is {amount}\u00a0dB higher with rfmu “yes” than with “no” (95\u00a0% interval" in together
    turned = replace(effects[2], estimate=effects[2].estimate._replace(mean=-0.3))
    assert "is 0.30\u00a0dB lower with rfmu" in factor_sentences(frames, [turned])[0]


def test_a_grid_with_a_missing_arm_has_no_effect_and_says_so(tmp_path: Path) -> None:
    lost = {("COAST, recursive, 100 %", seed): ("failed", "no space") for seed in range(4)}
    frames = _grid(tmp_path, lost)
    effects = main_effects(frames, compare_arms(Images(frames)))
    assert [e.verdict for e in effects] == ["no data"] * 3
    assert factor_sentences(frames, effects)[2] == (
        "recursion “random” instead of “fixed” × rfmu “yes” instead of “no”: no data "
        "(COAST, recursive, 100 %, seed 0: failed: no space)."
    )
    assert effects_table(frames, effects, "photographs-test").reasons() == [
        "COAST, recursive, 100 %, seed 0: failed: no space"
    ]


def test_an_incomplete_or_chained_design_is_no_grid(tmp_path: Path) -> None:
    arms = list(_grid(tmp_path).arms.values())
    assert list(grids(arms[:3])) == []
    assert list(grids([*arms[:3], arms[3]._replace(compare_to=arms[1].name)])) == []
    assert list(grids(a._replace(factors={"recursion": a.name}) for a in arms)) == []


def _families(tmp_path: Path, factors: dict[tuple[str, str], dict[str, str]], variants: tuple[str, ...]) -> StudyFrames:
    """Two systems at two sizes; those of `factors` are kept, with these factors beside the variant."""
    truth = Truth(effects=dict.fromkeys(variants, 0.0), epochs=1, images=("a.png", "b.png"), pictures=False)
    frames = load(write_study(tmp_path, truth))
    arms = {
        a.name: a._replace(factors={"variant": a.factors["variant"], **factors[place]})
        for a in frames.arms.values()
        if (place := (a.factors["system"], a.factors["data"])) in factors
    }
    return replace(frames, arms=arms, scores=frames.scores[frames.scores["arm"].isin(list(arms))])


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        # three of four corners: what one size does more than another is not to be told from what one system does
        ([("COAST", "10 %"), ("COAST", "100 %"), ("ISTA-Net+", "100 %")], []),
        # two that differ in both: one effect, named after both
        ([("COAST", "10 %"), ("ISTA-Net+", "100 %")], ["COAST · 10 % minus ISTA-Net+ · 100 %"]),
        (
            [("COAST", "10 %"), ("COAST", "100 %"), ("ISTA-Net+", "10 %"), ("ISTA-Net+", "100 %")],
            ["COAST minus ISTA-Net+", "10 % minus 100 %"],
        ),
    ],
)
def test_a_difference_between_settings_is_one_of_what_it_is_named_after(
    tmp_path: Path, kept: list[tuple[str, str]], expected: list[str]
) -> None:
    factors = {place: {"system": place[0], "data": place[1]} for place in kept}
    frames = _families(tmp_path, factors, ("unrolled", "recursive"))
    effects = main_effects(frames, compare_arms(Images(frames)))
    found = [e.name.partition(": ")[2] for e in effects if e.kind == "interaction"]
    assert found == expected


def test_balanced_levels_with_other_sizes_are_no_difference_between_systems(tmp_path: Path) -> None:
    """Each system at two sizes, but not the same two."""
    sizes = {"COAST": {"10 %": "10 %", "100 %": "100 %"}, "ISTA-Net+": {"10 %": "30 %", "100 %": "100 %"}}
    factors = {(s, d): {"system": s, "data": as_named} for s, own in sizes.items() for d, as_named in own.items()}
    frames = _families(tmp_path, factors, ("unrolled", "recursive"))
    assert [e.kind for e in main_effects(frames, compare_arms(Images(frames)))] == ["main"]


def test_effects_over_different_numbers_of_settings_name_theirs(tmp_path: Path) -> None:
    """“recursive” is compared in four families, the random one in the three of which it was not dropped."""
    places = [(s, d) for s in ("COAST", "ISTA-Net+") for d in ("10 %", "100 %")]
    factors = {place: {"system": place[0], "data": place[1]} for place in places}
    frames = _families(tmp_path, factors, ("unrolled", "recursive", "recursive, random"))
    few = {n: a for n, a in frames.arms.items() if n != "COAST, recursive, random, 10 %"}
    frames = replace(frames, arms=few)
    images = Images(frames)
    comparisons = compare_arms(images)
    effects = main_effects(frames, comparisons)
    found = answer(images, comparisons, effects, [])
    assert found.over == "Averaged over the settings that have both arms:"
    assert "“recursive” minus “unrolled” over 4 settings: " in found.effects[0]
    assert "“recursive, random” minus “unrolled” over 3 settings: " in found.effects[1]
    assert "veraged over settings, “" in found.headline or "averaged over settings, is “" in found.headline


def test_a_factor_that_changes_no_image_is_equal_and_no_test(tmp_path: Path) -> None:
    """As clipping at a norm that no gradient has: the arms with it give the images of those without."""
    frames = _grid(tmp_path)
    without, names = frames.scores, {name: f"COAST, {name}, 100 %" for name in CELLS}
    pairs = {"unrolled": "recursive, random", "recursive": "recursive, random, RFMU"}
    copies = [without[without["arm"] == names[a]].assign(arm=names[b]) for a, b in pairs.items()]
    frames = replace(frames, scores=pd.concat([*(without[without["arm"] == names[a]] for a in pairs), *copies]))
    frames.scores["arm"] = frames.scores["arm"].astype("category")
    effects = main_effects(frames, compare_arms(Images(frames)))
    assert [e.verdict for e in effects] == ["lower", "equal", "equal"]
    assert effects[0].p_holm == effects[0].p_all
    assert factor_sentences(frames, effects)[1].endswith("no difference at all: the trials gave equal images.")
