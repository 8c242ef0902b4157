"""Figures of many arms with long names: nothing runs off the figure, and what is drawn keeps its room."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analysis.figures import (
    draw_forest,
    draw_gap,
    draw_images,
    draw_interactions,
    draw_learning,
    draw_reconstructions,
    draw_tradeoff,
    forest_info,
    gap_info,
    images_info,
    interactions_info,
    learning_info,
    looks,
    reconstructions_info,
    tradeoff_info,
)
from analysis.figures.interactions import _short
from analysis.frames import StudyFrames
from analysis.statistics import compare_arms
from analysis.statistics.paired import Images
from tests.analysis.conftest import load
from tests.analysis.synthetic import Truth, write_study

DATASET = "photographs-test"
LONG = [
    "base",
    "recursive, random counts from one to eight, RFMU with all of its inputs, at most 1",
    "x" * 60,
    *(f"a rather long name of an arm, number {i}" for i in range(9)),
]


def drawn(figure: Figure) -> RendererBase:
    """The renderer of a figure whose layout is settled."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    renderer: RendererBase = canvas.get_renderer()  # type: ignore[no-untyped-call]
    return renderer


def within(figure: Figure) -> bool:
    """Whether all that is drawn stays on the figure."""
    box, (width, height) = figure.get_tightbbox(drawn(figure)), figure.get_size_inches()
    assert box is not None
    return bool(box.x0 > -0.03 and box.y0 > -0.03 and box.x1 < width + 0.03 and box.y1 < height + 0.03)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> StudyFrames:
    """Twelve arms with long names, at two sizes of the training set."""
    truth = Truth(
        systems=("COAST",),
        effects={n: 0.05 * i for i, n in enumerate(LONG)},
        seeds=(0, 1),
        images=("a.png", "b.png"),
        epochs=2,
    )
    return load(write_study(tmp_path_factory.mktemp("long"), truth))


def test_long_names_stay_on_the_figure_and_leave_room_for_what_is_drawn(long: StudyFrames) -> None:
    images, table = Images(long), looks(long)
    comparisons = compare_arms(images)
    interactions = interactions_info(images, DATASET)
    figures = {
        "forest": draw_forest(forest_info(long, comparisons, DATASET), table),
        "images": draw_images(images_info(long, comparisons, DATASET), table),
        "gap": draw_gap(gap_info(long), table),
        "learning": draw_learning(learning_info(long), table),
        "tradeoff": draw_tradeoff(tradeoff_info(images, DATASET), table),
        "interactions": draw_interactions(interactions, table),
        "pictures": draw_reconstructions(reconstructions_info(long, "10 %", DATASET, "a")),
    }
    assert interactions.panels and {name: within(f) for name, f in figures.items()} == dict.fromkeys(figures, True)
    for name in ("forest", "gap", "learning", "interactions"):
        places = [ax.get_window_extent() for ax in figures[name].axes]
        dots = figures[name].dpi
        assert all(place.width > 2 * dots and place.height > 1.2 * dots for place in places), name


def test_names_of_levels_and_titles_of_pictures_do_not_lie_over_each_other(long: StudyFrames) -> None:
    factors = draw_interactions(interactions_info(Images(long), DATASET), looks(long))
    pictures = draw_reconstructions(reconstructions_info(long, "10 %", DATASET, "a"))
    for figure, texts in (
        (factors, [t for ax in factors.axes for t in ax.get_xticklabels()]),
        (pictures, [ax.title for ax in pictures.axes]),
    ):
        renderer = drawn(figure)
        boxes = [t.get_window_extent(renderer) for t in texts if t.get_text()]
        assert len(boxes) >= 12 and not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    for lines in (1, 2):
        assert len({_short(name, lines) for name in LONG}) == len(LONG), (
            "names that differ at their ends are told apart"
        )


def test_markers_of_many_arms_stand_by_their_own_training_size(long: StudyFrames) -> None:
    """Nearer to their size than to the next, and inside the axis."""
    info = gap_info(long)
    for sizes in (info.sizes, ((0.9, 100.0), (1.0, 111.0))):
        at = dict(zip([f for f, _ in info.sizes], [f for f, _ in sizes], strict=True))
        moved = [
            [line._replace(fractions=tuple(at[f] for f in line.fractions)) for line in p.lines] for p in info.panels
        ]
        panels = tuple(p._replace(lines=tuple(lines)) for p, lines in zip(info.panels, moved, strict=True))
        (ax,) = draw_gap(info._replace(panels=panels, sizes=sizes), looks(long)).axes
        low, high = ax.get_xlim()
        (small, _), (large, _) = sizes
        found = [np.asarray(line.get_xdata(), dtype=float) for line in ax.lines if line.get_marker() != "None"]
        assert len(found) == len(LONG)
        for first, second in found:
            assert low < first < (small * large) ** 0.5 < second < high
