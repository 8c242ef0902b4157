"""Figures: what they show (the info functions), and that they can be drawn and themed."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.figures import (
    draw_forest,
    draw_gap,
    draw_images,
    draw_learning,
    draw_reconstructions,
    draw_sweep,
    draw_tradeoff,
    forest_info,
    gap_info,
    images_info,
    learning_info,
    looks,
    reconstructions_info,
    save_figure,
    sweep_info,
    themed_svg,
    tradeoff_info,
)
from analysis.figures.pictures import hardest_window, png, psnr, read_gray, shrunk
from analysis.figures.reconstructions import error_palette, example_image
from analysis.figures.style import HUES, INK, legend, look, panels
from analysis.figures.tradeoff import pareto
from analysis.pages import captions
from analysis.pages.drawings import figures_of
from analysis.statistics import compare_arms
from analysis.statistics.paired import Images
from rdun.results import Store
from tests.analysis.conftest import load
from tests.analysis.synthetic import Truth, picture, write_study

DATASET = "photographs-test"


def test_every_treatment_has_its_own_look() -> None:
    first = [look(i) for i in range(24)]
    assert len(set(map(str, first))) == 24
    assert first[0].colour == INK


@pytest.mark.parametrize("colour", [INK, *HUES])
def test_colours_have_contrast_on_white(colour: str) -> None:
    assert 1.05 / (_luminance(colour) + 0.05) >= 3


def _luminance(colour: str) -> float:
    """Relative luminance of WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_looks_do_not_depend_on_what_is_complete(whole: tuple[Path, Store], holed: tuple[Path, Store]) -> None:
    assert looks(load(whole)) == looks(load(holed))


def test_forest(holed: tuple[Path, Store]) -> None:
    frames = load(holed)
    comparisons = compare_arms(Images(frames))
    info = forest_info(frames, comparisons, DATASET)
    assert [g.family for g in info.groups] == ["10 %", "100 %"]
    assert [line.label for line in info.groups[0].lines] == [
        "recursive",
        "recursive, random",
        "recursive, random, RFMU",
    ]
    assert [len(line.per_seed) for line in info.groups[0].lines] == [2, 3, 3]
    assert info.groups[0].lines[1].mean == comparisons[1].mean
    assert info.span >= max(abs(v) for g in info.groups for line in g.lines for v in line.per_seed)
    assert info.base == "unrolled"


def test_forest_names_the_base_where_arms_have_several(whole: tuple[Path, Store]) -> None:
    frames = load(whole)
    base = "COAST, recursive, 10 %"
    chained = {
        n: a._replace(compare_to=base) if n.startswith("COAST, recursive, random, ") else a
        for n, a in frames.arms.items()
    }
    frames = replace(frames, arms=chained)
    info = forest_info(frames, compare_arms(Images(frames)), DATASET)
    assert [line.label for line in info.groups[0].lines] == [
        "recursive minus unrolled",
        "recursive, random minus recursive",
        "recursive, random, RFMU minus recursive",
    ]
    assert info.groups[0].lines[1].treatment == "recursive, random" and info.base == "the base arm"


def test_learning_curves_are_means_over_complete_seeds(whole: tuple[Path, Store], holed: tuple[Path, Store]) -> None:
    frames = load(whole)
    curve = learning_info(frames).panels[0].curves[0]
    rows = frames.epochs[frames.epochs["arm"] == "COAST, unrolled, 10 %"].groupby("epoch")["validation_psnr"]
    assert curve.mean == pytest.approx(rows.mean().to_numpy())
    assert curve.low == pytest.approx(rows.min().to_numpy()) and curve.high == pytest.approx(rows.max().to_numpy())
    assert curve.seeds == 3 and not curve.unfinished
    partly = {c.treatment: c for c in learning_info(load(holed)).panels[0].curves}
    assert partly["recursive"].seeds == 2 and len(partly["recursive"].steps) == 4


def test_the_one_point_of_a_single_epoch_lies_inside_the_axes(tmp_path: Path) -> None:
    truth = Truth(
        systems=("COAST",), sizes={"100 %": 1.0}, effects={"unrolled": 0.0}, seeds=(0,), epochs=1, pictures=False
    )
    frames = load(write_study(tmp_path, truth))
    axes = draw_learning(learning_info(frames), looks(frames)).axes[0]
    (line,) = axes.lines
    bottom, top = axes.get_ylim()
    assert 0.2 < (float(line.get_ydata()[0]) - bottom) / (top - bottom) < 0.8  # type: ignore[index, arg-type]
    assert top - bottom < 0.3 and all(float(tick).is_integer() for tick in axes.get_xticks())


def test_seconds_of_several_networks_are_said_to_be_of_their_mean(tmp_path: Path) -> None:
    for split in (False, True):
        truth = Truth(systems=("COAST",), ratios=(0.1, 0.5), split_ratios=split, epochs=2, pictures=False)
        frames = load(write_study(tmp_path / str(split), truth))
        (caption,) = [i.caption for i in figures_of(frames, [], []) if i.name == "learning"]
        assert ("several networks, one per ratio: the mean of them, also of their steps" in caption) == split


def test_a_legend_leaves_room_for_its_panels() -> None:
    for count, shown in ((40, 40), (200, 41)):
        table = {f"arm {i}": look(i) for i in range(count)}
        figure, _ = panels(2, 2.5)
        legend(figure, list(table), table)
        names = [t.get_text() for t in figure.legends[0].get_texts()]
        assert len(names) == shown and names[-1] == ("arm 39" if count == 40 else "and 160 more")


def test_pareto_front() -> None:
    assert pareto([(1, 1.0), (2, 3.0), (3, 2.0), (2, 2.0)]) == [True, True, False, False]
    assert pareto([(1, 1.0), (1, 1.0)]) == [True, True]


def test_tradeoff_leaves_out_what_is_not_there(holed: tuple[Path, Store]) -> None:
    info = tradeoff_info(Images(load(holed)), DATASET)
    assert [len(p.points) for p in info.panels] == [4, 4]
    assert [len(q.per_seed) for q in info.panels[0].points] == [3, 2, 3, 3]


def test_gap_lines_run_over_training_sizes(whole: tuple[Path, Store]) -> None:
    info = gap_info(load(whole))
    assert info.sizes == ((0.1, 400.0), (1.0, 4000.0))
    line = info.panels[0].lines[0]
    assert line.series == "unrolled" and line.fractions == (0.1, 1.0)
    assert [np.mean(g) for g in line.per_seed] == pytest.approx([0.744, 0.24])


def test_a_size_keeps_its_number_of_blocks_where_an_arm_recorded_none(whole: tuple[Path, Store]) -> None:
    frames = load(whole)
    *_, last = [a.name for a in frames.arms.values() if a.fraction == 0.1]
    own = frames.trials["arm"] == last
    lost = [{} if at else facts for at, facts in zip(own, frames.trials["facts"], strict=True)]
    assert gap_info(replace(frames, trials=frames.trials.assign(facts=lost))).sizes == ((0.1, 400.0), (1.0, 4000.0))
    other = [facts | {"blocks": 3} if at else facts for at, facts in zip(own, frames.trials["facts"], strict=True)]
    (size, count), _ = gap_info(replace(frames, trials=frames.trials.assign(facts=other))).sizes
    assert size == 0.1 and count != count


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ({("recursive", 0): "Diverged: lr", ("recursive", 1): "ValidationDiverged: lr"}, "no data: diverged"),
        ({("recursive", 0): "Diverged: lr", ("recursive", 1): "RuntimeError: x"}, "no data: diverged, failed"),
        ({("unrolled", 0): "Diverged: lr", ("unrolled", 1): "Diverged: lr"}, "no data: base arm diverged"),
        ({("recursive", 0): "Diverged: lr", ("recursive", 1): ""}, "no data yet"),
    ],
)
def test_a_comparison_without_data_says_whether_any_will_come(
    ends: dict[tuple[str, int], str], text: str, tmp_path: Path
) -> None:
    statuses = {
        (f"COAST, {arm}, 10 %", seed): ("failed" if reason else "running", reason)
        for (arm, seed), reason in ends.items()
    }
    truth = Truth(systems=("COAST",), sizes={"10 %": 0.1}, seeds=(0, 1), epochs=2, pictures=False, statuses=statuses)
    frames = load(write_study(tmp_path, truth))
    assert forest_info(frames, compare_arms(Images(frames)), DATASET).groups[0].lines[0].text == text


def test_images_are_sorted_by_their_difference(whole: tuple[Path, Store]) -> None:
    frames = load(whole)
    comparisons = compare_arms(Images(frames))
    info = images_info(frames, comparisons, DATASET)
    assert set(info.images) == {"camera.png", "coins.png", "moon.png"}
    means = np.mean([line.mean for p in info.panels for line in p.lines], axis=0)
    assert list(means) == sorted(means)
    first = info.panels[0].lines[0]
    table = comparisons[0].differences[list(info.images)]
    assert first.mean == pytest.approx(table.mean().to_numpy()) and first.low == pytest.approx(table.min().to_numpy())


def test_sweep(whole: tuple[Path, Store], holed: tuple[Path, Store]) -> None:
    line = sweep_info(load(whole), DATASET).panels[0].lines[0]
    assert line.counts == (2, 4, 6) and line.own == 6
    assert line.mean[2] - line.mean[0] == pytest.approx(1.6)
    info = sweep_info(load(whole), DATASET)
    assert list(draw_sweep(info, looks(load(whole))).axes[0].get_xticks()) == [2, 4, 6], (
        "ticks where something was tested"
    )
    assert sweep_info(load(holed), DATASET).panels == ()


def test_reconstructions(whole: tuple[Path, Store], holed: tuple[Path, Store]) -> None:
    frames = load(whole)
    image = example_image(frames, DATASET)
    assert image in ("camera", "coins", "moon")
    info = reconstructions_info(frames, "10 %", DATASET, image)
    assert [p.title for p in info.panels] == [
        "original", "initial estimate", "unrolled", "recursive", "recursive, random", "recursive, random, RFMU",
    ]  # fmt: skip
    assert info.panels[1].caption.endswith("dB") and info.panels[0].error is None
    assert info.window and info.window.of(info.panels[0].pixels).shape == (info.window.side,) * 2  # type: ignore[arg-type]
    assert example_image(load(holed), DATASET) == ""


def test_images_that_differ_in_their_endings_have_pictures_of_their_own(tmp_path: Path) -> None:
    """The image that is shown is the one that is named."""
    names = ("a.png", "a.bmp", "b.png")
    truth = Truth(systems=("COAST",), sizes={"10 %": 0.1}, images=names, seeds=(0, 1), epochs=2)
    frames = load(write_study(tmp_path, truth))
    shown = example_image(frames, DATASET)
    assert shown in names
    info = reconstructions_info(frames, "", DATASET, shown)
    original = info.panels[0].pixels
    assert original is not None and np.abs(original - picture(names.index(shown))).max() < 3
    figure = draw_images(images_info(frames, compare_arms(Images(frames)), DATASET), looks(frames))
    assert {label.get_text() for label in figure.axes[0].get_yticklabels()} == set(names)


def test_a_failed_trial_leaves_a_panel_with_its_reason(whole: tuple[Path, Store]) -> None:
    frames = load(whole)
    arm = "COAST, recursive, 10 %"
    frames.trials.loc[(frames.trials["arm"] == arm) & (frames.trials["seed"] == 0), ["status", "reason"]] = [
        "failed",
        "nan",
    ]
    info = reconstructions_info(frames, "10 %", DATASET, "moon")
    assert [p.reason for p in info.panels] == ["", "", "", "failed: nan", "", ""]
    assert save_figure(draw_reconstructions(info))["png"]


def test_pictures() -> None:
    generator = np.random.default_rng(0)
    levels = generator.integers(0, 256, (7, 9)).astype(float)
    assert np.array_equal(read_gray(png(levels)), levels)
    colours = error_palette()
    assert read_gray(png(levels, colours)).shape == (7, 9)
    assert psnr(levels, levels) == float("inf")
    assert psnr(levels + 1, levels) == pytest.approx(20 * np.log10(255))
    assert shrunk(np.ones((700, 100)), 350).shape == (350, 50)
    other = np.zeros((100, 120))
    other[60:70, 90:100] = 50
    window = hardest_window(np.zeros((100, 120)), other)
    assert window.side == 24 and 46 <= window.top <= 60 and 76 <= window.left <= 90


def test_all_figures_are_drawn_well_formed_and_repeatable(whole: tuple[Path, Store]) -> None:
    frames = load(whole)
    images = Images(frames)
    comparisons = compare_arms(images)
    table = looks(frames)
    figures = {
        "forest": draw_forest(forest_info(frames, comparisons, DATASET), table),
        "learning": draw_learning(learning_info(frames), table),
        "tradeoff": draw_tradeoff(tradeoff_info(images, DATASET), table),
        "gap": draw_gap(gap_info(frames), table),
        "images": draw_images(images_info(frames, comparisons, DATASET), table),
        "many": draw_images(images_info(frames, comparisons, DATASET)._replace(images=("camera.png",) * 3), table),
        "sweep": draw_sweep(sweep_info(frames, DATASET), table),
    }
    for name, figure in figures.items():
        files = save_figure(figure)
        assert files["png"].startswith(b"\x89PNG")
        ElementTree.fromstring(files["svg"])
        ElementTree.fromstring(themed_svg(files["svg"], name, 'a "quoted" <text>'))
    again = draw_gap(gap_info(frames), table)
    assert save_figure(again) == save_figure(draw_gap(gap_info(frames), table))


def test_themed_svg_follows_the_page_and_keeps_no_comment() -> None:
    svg = b"""<?xml version="1.0"?><svg viewBox="0 0 10 20" width="10pt"><!-- <script> -->
    <g id="a" style="fill: #1D2127; stroke: #ffffff">
    <use href="#a" clip-path="url(#b)"/></g></svg>"""
    text = themed_svg(svg, "n", "d")
    assert "script" not in text and "<?xml" not in text
    assert "fill: var(--ink); stroke: var(--paper)" in text
    assert 'id="n-a"' in text and 'href="#n-a"' in text and "url(#n-b)" in text


def test_the_caption_of_differences_says_what_was_tested(whole: tuple[Path, Store]) -> None:
    frames = load(whole)
    comparisons = compare_arms(Images(frames))
    assert captions.measured(frames, DATASET) == " Test: 3 images, sampling ratio 25\u00a0%."
    (forest,) = [i for i in figures_of(frames, [Images(frames)], comparisons) if i.name == f"differences-{DATASET}"]
    assert forest.caption.endswith(captions.measured(frames, DATASET)) and "t-interval" in forest.caption
    one = [replace(c, seeds=c.seeds[:1]) for c in comparisons]
    assert "no interval" in captions.forest_caption(one) and "t-interval" not in captions.forest_caption(one)
