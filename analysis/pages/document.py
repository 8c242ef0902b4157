"""What a report shows: its tables, in reading order; the figures are made in drawings.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from analysis.figures import ReconstructionsInfo
from analysis.numbers import DIGITS
from analysis.statistics import ClaimResult, Comparison, Effect
from analysis.statistics.paired import Images
from analysis.tables import (
    Table,
    claims_table,
    designs_table,
    differences_table,
    effects_table,
    gaps_table,
    linked,
    matrices_table,
    means_table,
    overfitting_table,
    paper_table,
    published_checkpoints_table,
    published_cost_table,
    published_curve_table,
    published_table,
    quality_table,
    reaching_table,
    recursions_table,
    sensitivity_table,
    timing_table,
)


class FigureItem(NamedTuple):
    """A figure: file name without ending, section it belongs to, title, caption, and what draws it, where it is wanted."""

    name: str
    section: str
    title: str
    caption: str
    draw: Callable[[], Figure]
    pictures: ReconstructionsInfo | None = None


class TableItem(NamedTuple):
    """A table and the section it belongs to; `folded`: why the page shows it only when asked, empty where it shows it at once."""

    section: str
    table: Table
    folded: str = ""


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
    items += [TableItem("published", t, _nothing_compared(t)) for t in published if len(t.frame)]
    for part in frames.block_parts():
        items += [TableItem("overfitting", t) for t in (overfitting_table(part), gaps_table(part)) if len(t.frame)]
    items.append(TableItem("time", timing_table(frames)))
    items += [TableItem("learning", t) for t in (published_curve_table(frames), reaching_table(frames)) if len(t.frame)]
    items += [TableItem("claims", claims_table(frames, claims))] if claims else []
    return [item._replace(table=linked(item.table, frames)) for item in items]


def _nothing_compared(table: Table) -> str:
    """Folds a table of published values without a measured one beside any of them."""
    verdicts = set(table.frame["verdict"]) if "verdict" in table.frame else set()
    return "none was run as published" if verdicts == {"not run"} else ""


def _score_tables(images: Images, comparisons: Sequence[Comparison], effects: Sequence[Effect]) -> list[TableItem]:
    frames = images.frames
    datasets = images.datasets() or frames.planned_sets()
    items = [TableItem("quality", quality_table(images, comparisons, d)) for d in datasets]
    means = [means_table(images, metric) for metric in DIGITS] if images.datasets() else []
    items += [TableItem("quality", t, "for a paper, with spreads") for t in means if len(t.frame)]
    items += [TableItem("quality", paper_table(images, d)) for d in datasets]
    items += [TableItem("quality", t) for d in datasets if len((t := matrices_table(frames, d)).frame)]
    compared = {c.dataset for c in comparisons}
    items += [TableItem("differences", differences_table(frames, comparisons, d)) for d in datasets if d in compared]
    items += [
        TableItem("differences", effects_table(frames, effects, d))
        for d in datasets
        if any(e.dataset == d for e in effects)
    ]
    items += [
        TableItem("differences", t, "how large they have to be")
        for d in datasets
        if len((t := sensitivity_table(frames, comparisons, d)).frame)
    ]
    items += [TableItem("recursions", t) for d in datasets if len((t := designs_table(images, comparisons, d)).frame)]
    items += [TableItem("recursions", t) for d in datasets if len((t := recursions_table(frames, d)).frame)]
    return items
