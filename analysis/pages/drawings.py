"""A study's figures with their titles and captions, one object per figure, in reading order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import isfinite

from analysis.figures import (
    Look,
    draw_forest,
    draw_gap,
    draw_images,
    draw_interactions,
    draw_learned,
    draw_learning,
    draw_reconstructions,
    draw_returns,
    draw_sweep,
    draw_traces,
    draw_tradeoff,
    forest_info,
    gap_info,
    images_info,
    interactions_info,
    learned_infos,
    learning_info,
    looks,
    quality_returns,
    reconstructions_info,
    sweep_info,
    time_returns,
    traces_infos,
    tradeoff_info,
)
from analysis.figures.learning import unfinished
from analysis.figures.reconstructions import example_image
from analysis.figures.tradeoff import Cost
from analysis.frames import StudyFrames
from analysis.numbers import plural
from analysis.pages import captions
from analysis.pages.document import FigureItem
from analysis.statistics import Comparison
from analysis.statistics.paired import Images

COSTS: dict[Cost, str] = {"parameters": "parameters", "macs": "compute"}


def figures_of(frames: StudyFrames, parts: Sequence[Images], comparisons: Sequence[Comparison]) -> list[FigureItem]:
    """All figures for which there are data; those of scores once for every protocol group (`parts`)."""
    table = looks(frames)
    items = [i for part in parts for d in part.datasets() for i in _score_figures(part, comparisons, d, table)]
    items += [item for part in frames.block_parts() for item in _gap_figures(part, table)]
    if len(frames.epochs):
        learning, fewer = learning_info(frames), captions.fewer_seeds(frames)
        several = captions.NETWORKS if any(len(a.configs) > 1 for a in frames.arms.values()) else ""
        cut = len(unfinished(learning))
        note = f" {plural(cut, 'curve')} {'shows' if cut == 1 else 'show'} unfinished trials." if cut else ""
        items.append(
            FigureItem(
                "learning",
                "learning",
                "Learning curves",
                captions.LEARNING
                + captions.devices(frames)
                + several
                + note
                + fewer
                + captions.not_shown(learning.left_out),
                partial(draw_learning, learning, table),
            )
        )
    return [*items, *_cost_figures(frames, table)]


def _cost_figures(frames: StudyFrames, table: dict[str, Look]) -> list[FigureItem]:
    """Training time against recursions, and the scalars that were learned."""
    items = []
    if (times := time_returns(frames)).panels:
        draw = partial(draw_returns, times, table)
        items.append(
            FigureItem(
                "time-recursions",
                "time",
                "Training time against recursions",
                captions.TIMES + captions.devices(frames) + captions.fewer_seeds(frames),
                draw,
            )
        )
    for info in learned_infos(frames):
        name, title = f"learned-{info.kind}", f"What was learned: {info.label}"
        lacking = f" Without weights, and so in no mean: {plural(info.without, 'trial')}." if info.without else ""
        start = captions.START if isfinite(info.start) else ""
        caption = captions.LEARNED + start + lacking
        items.append(FigureItem(name, "learned", title, caption, partial(draw_learned, info, table)))
    return items


def _score_figures(
    images: Images, comparisons: Sequence[Comparison], dataset: str, table: dict[str, Look]
) -> list[FigureItem]:
    frames = images.frames
    fewer, measured = captions.fewer_seeds(frames), captions.measured(frames, dataset)
    items: list[FigureItem] = []
    if found := [c for c in comparisons if c.dataset == dataset and c.seeds]:
        draw = partial(draw_forest, forest_info(frames, comparisons, dataset), table)
        title = f"Differences to the base arm on {dataset}"
        items.append(
            FigureItem(f"differences-{dataset}", "answer", title, captions.forest_caption(found) + measured, draw)
        )
    for cost, words in COSTS.items():
        if (tradeoff := tradeoff_info(images, dataset, cost)).varies:
            title, draw = f"Quality against {words} on {dataset}", partial(draw_tradeoff, tradeoff, table)
            items.append(
                FigureItem(
                    f"quality-{words}-{dataset}",
                    "quality",
                    title,
                    captions.TRADEOFF + measured + fewer + captions.not_shown(tradeoff.left_out),
                    draw,
                )
            )
    if (info := images_info(frames, comparisons, dataset)).images:
        title = f"Differences image by image on {dataset}"
        items.append(
            FigureItem(
                f"images-{dataset}",
                "differences",
                title,
                captions.images_caption(info),
                partial(draw_images, info, table),
            )
        )
    if (interactions := interactions_info(images, dataset)).panels:
        title, caption = f"Two factors at once on {dataset}", captions.interactions_caption(interactions)
        draw = partial(draw_interactions, interactions, table)
        items.append(FigureItem(f"interactions-{dataset}", "differences", title, caption, draw))
    if (returns := quality_returns(images, dataset)).panels:
        title, draw = f"Quality against recursions on {dataset}", partial(draw_returns, returns, table)
        items.append(
            FigureItem(
                f"returns-{dataset}",
                "recursions",
                title,
                captions.RETURNS + measured + fewer + captions.not_shown(returns.left_out),
                draw,
            )
        )
    if (sweep := sweep_info(frames, dataset)).panels:
        title = f"Quality against stage applications on {dataset}"
        caption = captions.SWEEP + captions.breaks(sweep) + measured + fewer + captions.not_shown(sweep.left_out)
        draw = partial(draw_sweep, sweep, table)
        items.append(FigureItem(f"recursions-{dataset}", "recursions", title, caption, draw))
    return [*items, *_traces(frames, dataset), *_pictures(frames, dataset)]


def _traces(frames: StudyFrames, dataset: str) -> list[FigureItem]:
    infos = traces_infos(frames, dataset)
    names = [f"Inside one reconstruction on {dataset}" + (f", {i.family}" if i.family else "") for i in infos]
    items = []
    for place, (info, name) in enumerate(zip(infos, names, strict=True)):
        part = f" ({names[:place].count(name) + 1} of {names.count(name)})" if names.count(name) > 1 else ""
        draw, file = partial(draw_traces, info), f"traces-{dataset}-{place + 1}"
        items.append(FigureItem(file, "recursions", name + part, captions.traces_caption(info), draw))
    return items


def _gap_figures(frames: StudyFrames, table: dict[str, Look]) -> list[FigureItem]:
    gaps, suffix = gap_info(frames), frames.block_groups[0].suffix
    if len(gaps.sizes) < 2 or not any(p.lines for p in gaps.panels):
        return []
    title = f"Overfitting against the size of the training set{suffix}"
    caption = captions.GAP + captions.fewer_seeds(frames) + captions.not_shown(gaps.left_out)
    return [FigureItem(f"gap{suffix}", "overfitting", title, caption, partial(draw_gap, gaps, table))]


def _pictures(frames: StudyFrames, dataset: str) -> list[FigureItem]:
    image = example_image(frames, dataset)
    items = []
    for place, family in enumerate(frames.families() if image else [], 1):
        info = reconstructions_info(frames, family, dataset, image)
        if info.panels:
            title = f"Reconstructions of “{image}”" + (f", {family}" if family else "")
            name, draw = f"reconstructions-{dataset}-{place}", partial(draw_reconstructions, info)
            items.append(FigureItem(name, "pictures", title, captions.pictures_caption(info), draw, info))
    return items
