"""One metric of all arms on every test set and ratio, with its spread over seeds: the table that papers print."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.frames.measures import AVERAGE, by_cell, mean_and_spread, missing_seeds, not_tested, ratio_labels
from analysis.numbers import DIGITS, NAMES, UNITS, plural
from analysis.statistics.paired import Images
from analysis.tables.table import Number, Table, Text


def means_table(images: Images, metric: str) -> Table:
    """Rows: arms, by family; columns: test sets x ratios, and the average over several.

    No line where the table of quality says it all: with one column, or on one test set with one seed.
    """
    frames = images.frames
    ratios = ratio_labels(frames.arms.values())
    heads = ratios if len(ratios) == 1 else [*ratios, AVERAGE]
    datasets = images.datasets()
    places = [(d, at) for d in datasets for at in heads]
    cells = {d: by_cell(images.cells, d) for d in datasets}
    rows: list[dict[str, Any]] = []
    gaps: dict[tuple[int, str], str] = {}
    more = len(places) > 1 and (len(datasets) > 1 or len(frames.plan.seeds) > 1)
    for line, arm in enumerate(frames.arms.values() if more else ()):
        row: dict[str, Any] = {"family": arm.family, "arm": arm.name, "network": arm.treatment}
        for dataset, at in places:
            key, why = f"{dataset} {at}", not_tested(arm, at, ratios)
            values = {} if why else cells[dataset].get((arm.name, at, metric), {})
            row[key], row[f"{key} sd"] = mean_and_spread(values.values())
            lacking = missing_seeds(frames, arm.name, at, list(values))
            if why := why or "; ".join(f"seed {s} {reason}" for s, reason in lacking):
                gaps[line, key] = why
        rows.append(row)
    return Table(
        name=f"means-{metric}{frames.groups[0].suffix}",
        title=f"{NAMES[metric]} on every test set and ratio{frames.groups[0].suffix}",
        caption=(
            f"Mean over images ± standard deviation over {plural(len(frames.plan.seeds), 'seed')}, checkpoint with the best "
            "validation PSNR; the best of each column within a group in bold, whether or not differences are decided."
        ),
        frame=pd.DataFrame(rows),
        columns=(
            Text(key="network", header="Network"),
            *(
                Number(
                    key=f"{dataset} {at}",
                    header=f"{frames.data_set(dataset)}, {at}" if len(datasets) > 1 else at.capitalize(),
                    unit=UNITS[metric],
                    digits=DIGITS[metric],
                    spread=f"{dataset} {at} sd",
                    best=True,
                )
                for dataset, at in places
            ),
        ),
        group="family" if any(frames.families()) else "",
        gaps=gaps,
    )
