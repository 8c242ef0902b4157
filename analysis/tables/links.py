"""Which trials stand behind a cell. The anchor of a trial's row in the report is `trial-<fingerprint>`."""

from __future__ import annotations

from dataclasses import replace

from analysis.frames import StudyFrames
from analysis.frames.measures import AVERAGE
from analysis.numbers import percent
from analysis.tables.table import Column, Table, Text


def linked(table: Table, frames: StudyFrames) -> Table:
    """The table with the trials of every cell of numbers: those of its arm, and of the arm it is compared with ("versus").

    An arm of one network per ratio has one trial per ratio and seed; cells of a ratio lead to those of that ratio.
    """
    if "arm" not in table.frame:
        return table
    trials: dict[str, list[tuple[str, list[str]]]] = {}
    for arm, fingerprint, ratios in frames.trials[["arm", "fingerprint", "ratios"]].itertuples(index=False, name=None):
        trials.setdefault(str(arm), []).append((str(fingerprint), [percent(r) for r in ratios]))
    links: dict[tuple[int, str], tuple[str, ...]] = {}
    for line, row in enumerate(table.frame.to_dict("records")):
        arms = [str(row[k]) for k in ("arm", "versus") if row.get(k)]
        for column in table.columns:
            at = _ratio(column, str(row.get("at", AVERAGE)))
            found = [f for a in arms for f, ratios in trials.get(a, []) if at == AVERAGE or not ratios or at in ratios]
            if found and not isinstance(column, Text):
                links[line, column.keys[0]] = tuple(dict.fromkeys(found))
    return replace(table, links=links)


def _ratio(column: Column, otherwise: str) -> str:
    """The ratio of a column ("psnr 10 %" -> "10 %"), else that of the line."""
    name, _, at = column.keys[0].partition(" ")
    return at if name in ("psnr", "ssim") and at.endswith("%") else otherwise
