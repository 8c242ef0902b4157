"""Traces: what a line shows, which rows a figure has, and that trials without traces have no figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.figures import draw_traces, save_figure, traces_infos
from analysis.figures import traces as module
from analysis.frames import StudyFrames
from rdun.results import Store
from tests.analysis.conftest import load
from tests.analysis.synthetic import Truth, write_study
from tests.analysis.synthetic_traces import COUNTS, add_traces, psnr

DATASET = "photographs-test"
TRUTH = Truth(
    systems=("COAST",), sizes={"10 %": 0.1}, images=("camera.png", "coins.png"), seeds=(0, 1), epochs=2, pictures=False,
    statuses={("COAST, recursive, 10 %", 1): ("failed", "no space")},
)  # fmt: skip


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> StudyFrames:
    study = write_study(tmp_path_factory.mktemp("traced"), TRUTH)
    add_traces(study)
    return load(study)


def test_lines_are_means_over_images_and_complete_seeds(traced: StudyFrames) -> None:
    (info,) = traces_infos(traced, DATASET)
    assert info.counts == COUNTS and info.modulated
    panels = {p.treatment: p for p in info.panels}
    line = panels["unrolled"].lines[1]
    assert (line.total, panels["unrolled"].own, len(line.values["psnr"])) == (4, 6, 5)
    assert line.values["psnr"][4] == pytest.approx(psnr(4, 4, 0.05))  # seeds 0 and 1 differ by 0.1
    alone = panels["recursive"].lines[1]
    assert alone.values["psnr"][4] == pytest.approx(psnr(4, 4, 0.0))  # seed 0 alone
    assert np.isnan(line.values["scale_max"]).all()
    assert panels["recursive, random, RFMU"].lines[1].values["scale_max"][4] == pytest.approx(1.32)


def test_rows_and_labels(traced: StudyFrames) -> None:
    (info,) = traces_infos(traced, DATASET)
    figure = draw_traces(info)
    titles = [ax.get_title(loc="left").replace("\n", " ") for ax in figure.axes[:4]]
    assert titles == ["unrolled", "recursive", "recursive, random", "recursive, random, RFMU"]
    assert [figure.axes[i].get_ylabel()[:8] for i in (0, 4, 8)] == ["PSNR, dB", "residual", "largest "]
    assert [t.get_text() for t in figure.axes[0].texts] == [str(c) for c in COUNTS]
    assert [t.get_text() for t in figure.axes[8].texts] == ["no modulation"]
    assert [t.get_text() for t in figure.axes[11].texts] == [str(c) for c in COUNTS]
    low, high = figure.axes[4].get_ylim()
    assert low > 1e-4 and high > 0.3  # the exact fit at t = 0 does not stretch the axis
    assert save_figure(figure)["pdf"].startswith(b"%PDF")
    bare = info._replace(panels=info.panels[:1], of_family=info.panels[:1], across=2)
    assert not bare.modulated and len(draw_traces(bare).axes) == 4  # two rows, the second column empty


def test_collapses_do_not_flatten_the_other_lines(traced: StudyFrames) -> None:
    (info,) = traces_infos(traced, DATASET)
    low, high = draw_traces(info).axes[0].get_ylim()
    assert min(min(line.values["psnr"]) for p in info.panels for line in p.lines) < 18
    assert 20 < low < 22 and high > 27


@pytest.mark.parametrize(("columns", "cut"), [(3, [2, 2]), (2, [2, 2]), (4, [4])])
def test_many_arms_are_cut_into_figures_of_equal_panels(
    traced: StudyFrames, monkeypatch: pytest.MonkeyPatch, columns: int, cut: list[int]
) -> None:
    monkeypatch.setattr(module, "COLUMNS", columns)
    infos = traces_infos(traced, DATASET)
    assert [len(i.panels) for i in infos] == cut and {i.across for i in infos} == {cut[0]}


def test_a_last_figure_with_fewer_panels_has_panels_of_the_same_size(traced: StudyFrames) -> None:
    (info,) = traces_infos(traced, DATASET)
    whole, last = draw_traces(info), draw_traces(info._replace(panels=info.panels[3:]))
    assert len(last.axes) == len(whole.axes)
    for one, other in zip(whole.axes, last.axes, strict=True):
        assert one.get_ylim() == other.get_ylim() and one.get_xlim() == other.get_xlim()


def test_trials_without_traces_have_no_figure(holed: tuple[Path, Store]) -> None:
    assert traces_infos(load(holed), DATASET) == []
