"""What a report shows: its tables, and its figures with captions. One object per item, in reading order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from analysis.figures import (
    Look,
    ReconstructionsInfo,
    TracesInfo,
    draw_forest,
    draw_gap,
    draw_images,
    draw_learning,
    draw_reconstructions,
    draw_sweep,
    draw_traces,
    draw_tradeoff,
    forest_info,
    gap_info,
    images_info,
    learning_info,
    looks,
    reconstructions_info,
    sweep_info,
    traces_infos,
    tradeoff_info,
)
from analysis.figures.learning import unfinished
from analysis.figures.reconstructions import example_image
from analysis.frames import StudyFrames
from analysis.numbers import plural
from analysis.statistics import ClaimResult, Comparison, Effect
from analysis.statistics.paired import Images
from analysis.tables import (
    Table,
    claims_table,
    designs_table,
    differences_table,
    effects_table,
    linked,
    matrices_table,
    overfitting_table,
    paper_table,
    published_checkpoints_table,
    published_cost_table,
    published_table,
    quality_table,
    recursions_table,
    timing_table,
)


class FigureItem(NamedTuple):
    """A figure: file name without ending, section it belongs to, title, caption, and the drawing."""

    name: str
    section: str
    title: str
    caption: str
    figure: Figure
    pictures: ReconstructionsInfo | None = None


class TableItem(NamedTuple):
    """A table and the section it belongs to."""

    section: str
    table: Table


def tables_of(
    images: Images,
    parts: Sequence[Images],
    comparisons: Sequence[Comparison],
    effects: Sequence[Effect],
    claims: Sequence[ClaimResult],
) -> list[TableItem]:
    """All tables that have something to say; those of scores once for every protocol group (`parts`)."""
    frames = images.frames
    items = [item for part in parts for item in _score_tables(part, comparisons, effects)]
    published = (published_table(images), published_cost_table(frames), published_checkpoints_table(frames))
    items += [TableItem("published", t) for t in published if len(t.frame)]
    items += [TableItem("overfitting", overfitting_table(part)) for part in frames.block_parts()]
    items.append(TableItem("time", timing_table(frames)))
    items += [TableItem("claims", claims_table(claims))] if claims else []
    return [item._replace(table=linked(item.table, frames)) for item in items]


def _score_tables(images: Images, comparisons: Sequence[Comparison], effects: Sequence[Effect]) -> list[TableItem]:
    frames = images.frames
    datasets = images.datasets() or test_sets(frames)
    items = [TableItem("quality", quality_table(images, comparisons, d)) for d in datasets]
    items += [TableItem("quality", paper_table(images, d)) for d in datasets]
    items += [TableItem("quality", t) for d in datasets if len((t := matrices_table(frames, d)).frame)]
    if comparisons:
        items += [TableItem("differences", differences_table(frames, comparisons, d)) for d in datasets]
    items += [
        TableItem("differences", effects_table(frames, effects, d))
        for d in datasets
        if any(e.dataset == d for e in effects)
    ]
    items += [TableItem("recursions", t) for d in datasets if len((t := designs_table(images, comparisons, d)).frame)]
    items += [TableItem("recursions", t) for d in datasets if len((t := recursions_table(frames, d)).frame)]
    return items


def test_sets(frames: StudyFrames) -> list[str]:
    """Names of the test sets that the arms' configs ask for."""
    found = [name for arm in frames.plan.arms for c in arm.configs for name in c.get("data", {}).get("test", [])]
    return list(dict.fromkeys(str(n) for n in found)) or ["test"]


def figures_of(frames: StudyFrames, parts: Sequence[Images], comparisons: Sequence[Comparison]) -> list[FigureItem]:
    """All figures for which there are data; those of scores once for every protocol group (`parts`)."""
    table = looks(frames)
    items = [i for part in parts for d in part.datasets() for i in _score_figures(part, comparisons, d, table)]
    items += [item for part in frames.block_parts() for item in _gap_figures(part, table)]
    if len(frames.epochs):
        learning = learning_info(frames)
        cut = len(unfinished(learning))
        note = f" {plural(cut, 'curve')} {'shows' if cut == 1 else 'show'} unfinished trials." if cut else ""
        items.append(
            FigureItem("learning", "learning", "Learning curves", _LEARNING + note, draw_learning(learning, table))
        )
    return items


def _score_figures(
    images: Images, comparisons: Sequence[Comparison], dataset: str, table: dict[str, Look]
) -> list[FigureItem]:
    frames = images.frames
    items: list[FigureItem] = []
    if any(c.dataset == dataset and c.seeds for c in comparisons):
        figure = draw_forest(forest_info(frames, comparisons, dataset), table)
        title = f"Differences to the base arm on {dataset}"
        items.append(FigureItem(f"differences-{dataset}", "answer", title, _forest_caption(frames), figure))
    figure = draw_tradeoff(tradeoff_info(images, dataset), table)
    title = f"Quality against parameters on {dataset}"
    items.append(FigureItem(f"quality-parameters-{dataset}", "quality", title, _TRADEOFF, figure))
    if (info := images_info(frames, comparisons, dataset)).images:
        title = f"Differences image by image on {dataset}"
        items.append(FigureItem(f"images-{dataset}", "differences", title, _IMAGES, draw_images(info, table)))
    if (sweep := sweep_info(frames, dataset)).panels:
        title = f"Quality against stage applications on {dataset}"
        items.append(FigureItem(f"recursions-{dataset}", "recursions", title, _SWEEP, draw_sweep(sweep, table)))
    return [*items, *_traces(frames, dataset), *_pictures(frames, dataset)]


def _traces(frames: StudyFrames, dataset: str) -> list[FigureItem]:
    infos = traces_infos(frames, dataset)
    titles = [f"Inside one reconstruction on {dataset}" + (f", {i.family}" if i.family else "") for i in infos]
    return [
        FigureItem(f"traces-{dataset}-{place}", "recursions", title, _traces_caption(info), draw_traces(info))
        for place, (info, title) in enumerate(zip(infos, titles, strict=True), 1)
    ]


def _gap_figures(frames: StudyFrames, table: dict[str, Look]) -> list[FigureItem]:
    gaps, suffix = gap_info(frames), frames.block_groups[0].suffix
    if len(gaps.sizes) < 2 or not any(p.lines for p in gaps.panels):
        return []
    title = f"Overfitting against the size of the training set{suffix}"
    return [FigureItem(f"gap{suffix}", "overfitting", title, _GAP, draw_gap(gaps, table))]


def _pictures(frames: StudyFrames, dataset: str) -> list[FigureItem]:
    image = example_image(frames, dataset)
    items = []
    for place, family in enumerate(frames.families() if image else []):
        info = reconstructions_info(frames, family, dataset, image)
        if info.panels:
            title = f"Reconstructions of “{image}”" + (f", {family}" if family else "")
            caption = (
                f"Seed {info.seed}, checkpoint with the best validation PSNR. “{image}” has the median gain of all "
                "test images over the initial estimate. "
                "The square marks where the initial estimate errs most; it is shown enlarged below, and below it "
                "the absolute error in gray levels "
                f"(black: none, white: {info.scale:.0f} of 255 or more). PSNR of the whole 8-bit picture."
            )
            items.append(
                FigureItem(
                    f"reconstructions-{dataset}-{place + 1}",
                    "pictures",
                    title,
                    caption,
                    draw_reconstructions(info),
                    info,
                )
            )
    return items


def _traces_caption(info: TracesInfo) -> str:
    return _TRACES + (", and the largest modulation scale; both logarithmic." if info.modulated else ", logarithmic.")


def _forest_caption(frames: StudyFrames) -> str:
    return (
        "Mean difference of test PSNR, paired by seed and image. Bar: 95\u00a0% t-interval over up to "
        f"{plural(len(frames.plan.seeds), 'seed')}; "
        "an arrow means that it goes on. Small ticks: single seeds. A filled marker is a decided difference (see "
        "the table of differences), an open one is undecided."
    )


_TRADEOFF = (
    "Test PSNR, mean over seeds (large markers) and single seeds (dashes). Broken line: Pareto front, the networks "
    "that no other one beats in both size and mean."
)
_IMAGES = (
    "Difference of PSNR to the base arm for each test image: mean over seeds, and a bar from the smallest to the "
    "largest seed. Images are sorted by their mean difference over all arms."
)
_SWEEP = (
    "The same weights tested with other numbers of stage applications. Mean over seeds; the band runs from the "
    "smallest to the largest seed. Large marker: the arm's own number."
)
_TRACES = (
    "The same weights after each stage application t of one pass; t = 0 is the initial estimate. Each line is a test with "
    "another number of applications in all, written at its end; thick: the arm's own number. Means over the first images "
    "of the test set, ratios and seeds; first matrix, best checkpoint. What lies far below the initial estimate is cut off. "
    "Below: the part of the measurements that the estimate does not explain"
)
_GAP = (
    "Gain over the initial estimate on training blocks minus that on validation blocks, best checkpoint. Lines: "
    "mean over seeds; dashes: single seeds. Markers at one size stand side by side so that they can be told apart."
)
_LEARNING = (
    "Validation PSNR after every epoch, against optimizer steps (above) and seconds of training (below). Lines: "
    "mean over seeds; the band runs from the smallest to the largest seed. Early epochs far below the rest are cut "
    "off."
)
