"""Figures of what recursions give and cost, of compute, of learned scalars, and of two factors at once."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save

from analysis.figures import (
    draw_interactions,
    draw_learned,
    draw_returns,
    interactions_info,
    learned_infos,
    looks,
    quality_returns,
    save_figure,
    time_returns,
    traces_infos,
    tradeoff_info,
)
from analysis.figures.learned import scalars
from analysis.frames import StudyFrames
from analysis.frames.measures import AVERAGE, cell_means
from analysis.pages.drawings import figures_of
from analysis.statistics.paired import Images
from rdun.config import Fixed, RecursionConfig, Schedule, UniformRange, with_values
from rdun.results import Store, TrialDirectory
from tests.analysis.conftest import load
from tests.analysis.synthetic import Truth, write_study

DATASET = "photographs-test"


def recursive(study: tuple[Path, Store]) -> StudyFrames:
    """The study as if its arms at 10 % were one network without recursion, with 2 and 4 fixed ones, and with up to 4 random."""
    frames = load(study)
    schedules: list[Schedule] = [Fixed(), Fixed(counts=(2,)), Fixed(counts=(4,)), UniformRange(low=(1,), high=(4,))]
    first = frames.members("10 %")[0].configs[0]
    for arm, train in zip(frames.members("10 %"), schedules, strict=True):
        config = with_values(first, {"recursion": RecursionConfig(train=train)})
        frames.arms[arm.name] = arm._replace(configs=(config,), macs=arm.macs * config.test_counts[0])
    return frames


def test_returns_join_averages_over_the_same_ratios(whole: tuple[Path, Store]) -> None:
    """With one arm that has two ratios, the others' values are not its average's: they are left out and named."""
    frames = recursive(whole)
    _, two, *_ = frames.members("10 %")
    config = with_values(two.configs[0], {"task.ratios": (0.1, 0.25)})
    frames.arms[two.name] = two._replace(configs=(config,))
    info = quality_returns(Images(frames), DATASET)
    assert not info.panels
    assert dict(info.left_out) == {
        a.name: "not tested at 10\u00a0%" for a in frames.members("10 %") if a.name != two.name
    }


def test_returns_join_arms_that_differ_in_their_recursions_alone(whole: tuple[Path, Store]) -> None:
    frames = recursive(whole)
    info = quality_returns(Images(frames), DATASET)
    assert [p.family for p in info.panels] == ["10 %"], "the arms at 100 % differ in more than their recursions"
    (way, fixed), (other, random) = info.panels[0].lines
    assert (way, other) == ("fixed", "drawn from 1 up")
    assert [(p.treatment, p.recursions) for p in fixed] == [("unrolled", 1), ("recursive", 2), ("recursive, random", 4)]
    assert [(p.treatment, p.recursions) for p in random] == [("unrolled", 1), ("recursive, random, RFMU", 4)]
    figure = draw_returns(info, looks(frames))
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == [way, other], "each line says which it is"
    (first, last), (start, end) = [np.asarray(line.get_xdata(), dtype=float)[[0, -1]] for line in axes.lines]
    assert first == start == 1 and last < 4 < end, "side by side, but where the lines meet"
    assert not figure.legends, "arms are told by their place on a line"
    alike = info.panels[0]._replace(lines=(info.panels[0].lines[0],) * 2)
    assert draw_returns(info._replace(panels=(alike,)), looks(frames)).legends, (
        "two lines of one name are told by their arms"
    )
    cells = cell_means(Images(frames).values)
    own = cells[(cells["arm"] == "COAST, recursive, 10 %") & (cells["metric"] == "psnr") & (cells["at"] == AVERAGE)]
    assert fixed[1].per_seed == pytest.approx(own["value"].to_numpy())


def test_time_returns(whole: tuple[Path, Store]) -> None:
    frames = recursive(whole)
    unrolled, once, _ = time_returns(frames).panels[0].lines[0].points
    assert np.mean(unrolled.per_seed) == pytest.approx(30, rel=0.1) and len(once.per_seed) == 3
    assert np.mean(once.per_seed) == pytest.approx(21, rel=0.1)
    assert time_returns(load(whole)).panels == ()


def test_compute_has_a_front_of_its_own(whole: tuple[Path, Store]) -> None:
    frames = recursive(whole)
    images = Images(frames)
    compute = tradeoff_info(images, DATASET, "macs")
    assert compute.varies and [p.cost for p in compute.panels[0].points] == [39e6, 78e6, 156e6, 156e6]
    assert compute.panels[0].points[0].front, "nothing is cheaper than the first arm"
    assert not tradeoff_info(Images(load(whole)), DATASET, "macs").varies
    assert tradeoff_info(images, DATASET, "parameters").varies


def test_interactions_are_means_over_common_seeds(whole: tuple[Path, Store], holed: tuple[Path, Store]) -> None:
    info = interactions_info(Images(load(whole)), DATASET)
    (panel,) = info.panels
    assert (panel.across, panel.by, info.seeds) == ("variant", "data", (0, 1, 2))
    assert panel.levels == ("unrolled", "recursive", "recursive, random", "recursive, random, RFMU")
    assert [line.level for line in panel.lines] == ["10 %", "100 %"]
    cells = cell_means(Images(load(whole)).values)
    own = cells[(cells["arm"] == "COAST, recursive, 100 %") & (cells["metric"] == "psnr") & (cells["at"] == AVERAGE)]
    assert panel.lines[1].mean[1] == pytest.approx(own["value"].mean())
    assert panel.lines[1].low[1] == pytest.approx(own["value"].min())
    assert interactions_info(Images(load(holed)), DATASET).panels == (), "every seed lacks some arm"


def test_factors_that_are_not_crossed_make_no_interaction(whole: tuple[Path, Store]) -> None:
    frames = load(whole)
    del frames.arms["COAST, recursive, 100 %"]
    assert interactions_info(Images(frames), DATASET).panels == ()


@pytest.fixture(scope="module")
def weighted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Store]:
    """A study whose trials kept weights; one of them is cut off, one has none."""
    truth = Truth(systems=("COAST",), sizes={"10 %": 0.1}, seeds=(0, 1), images=("a.png",), epochs=1, pictures=False)
    study = write_study(tmp_path_factory.mktemp("weighted"), truth)
    for place, trial in enumerate(load(study).trials["fingerprint"]):
        content = save(tensors(np.float32(place)))
        if place < 7:
            study[1].trial(str(trial)).write("best.safetensors", content[:-9] if place == 6 else content)
    return study


def tensors(value: np.float32) -> dict[str, np.ndarray]:
    steps = {f"stages.{i}.step": np.array(value + i, np.float32) for i in range(12)}
    return {
        **steps,
        "stages.0.threshold": np.array(0.02, np.float32),
        "stages.0.head.weight": np.ones((4, 4), np.float32),
    }


def test_learned_scalars_are_in_the_order_of_the_layers(weighted: tuple[Path, Store]) -> None:
    step, threshold = learned_infos(load(weighted))
    assert (step.kind, step.start, threshold.kind) == ("step", 0.5, "threshold")
    lines = {line.treatment: line.values for line in step.panels[0].lines}
    assert lines["recursive"] == pytest.approx(np.arange(12) + np.array([[2.0], [3.0]]))
    assert "recursive, random, RFMU" not in lines, "weights that are cut off or absent are no zeros"
    assert step.without == 2
    assert threshold.panels[0].lines[0].values == pytest.approx(np.full((2, 1), 0.02))


def test_scalars_of_weights_from_a_file_have_no_value_before_training(weighted: tuple[Path, Store]) -> None:
    frames = load(weighted)
    captions = [i.caption for i in figures_of(frames, [Images(frames)], []) if i.section == "learned"]
    assert captions and all("Broken line: the value before training." in caption for caption in captions)
    arms = {n: a._replace(configs=(with_values(a.configs[0], {"weights": "r.pkl"}),)) for n, a in frames.arms.items()}
    frames = replace(frames, arms=arms)
    assert all(np.isnan(info.start) for info in learned_infos(frames))
    captions = [i.caption for i in figures_of(frames, [Images(frames)], []) if i.section == "learned"]
    assert captions and not any("before training" in caption for caption in captions)
    (step, _) = learned_infos(frames)
    assert not [line for line in draw_learned(step, looks(frames)).axes[0].lines if line.get_linewidth() == 0.7]


def test_dpdnn_has_a_row_of_scalars_per_recursion(tmp_path: Path) -> None:
    trial = TrialDirectory(tmp_path)
    assert scalars(trial) == {}
    trial.write("best.safetensors", save({"stages.0.table": np.array([[0.1, 0.9], [0.2, 0.8]], np.float32)}))
    found = scalars(trial)
    assert found["delta"] == pytest.approx([0.1, 0.2]) and found["eta"] == pytest.approx([0.9, 0.8])


def test_a_study_of_many_arms_without_traces(whole: tuple[Path, Store]) -> None:
    frames = load(whole)
    arms = pd.Categorical([], categories=[f"arm {i}" for i in range(200)])
    frames.__dict__["traces"] = frames.traces[:0].assign(arm=arms)
    assert traces_infos(frames, DATASET) == []


def test_they_are_drawn(whole: tuple[Path, Store], weighted: tuple[Path, Store]) -> None:
    frames, other = recursive(whole), load(weighted)
    figures = [
        draw_returns(quality_returns(Images(frames), DATASET), looks(frames)),
        draw_interactions(interactions_info(Images(frames), DATASET), looks(frames)),
        *(draw_learned(info, looks(other)) for info in learned_infos(other)),
    ]
    for figure in figures:
        ElementTree.fromstring(save_figure(figure)["svg"])
