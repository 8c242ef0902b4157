"""One line per trial for the report's trials table, which readers sort and filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import pandas as pd

from analysis.frames.measures import AVERAGE, timing_cells
from analysis.numbers import GAP, number, percent
from analysis.statistics.paired import Images
from analysis.tables.table import Column, Table, Text, anchor

NAN = float("nan")

Look = Literal["left", "right", "long", "code"]
"""Words on one line, numbers, words that may run over several lines, a fingerprint."""

COLUMNS: tuple[tuple[str, Look], ...] = (
    ("Arm", "left"),
    ("Seed", "right"),
    ("Ratios", "left"),
    ("Status", "long"),
    ("PSNR, dB", "right"),
    ("SSIM", "right"),
    ("Best epoch", "right"),
    ("Parameters", "right"),
    ("Training, s", "right"),
    ("Starts", "right"),
    ("Device", "left"),
    ("Fingerprint", "code"),
)


class TrialCell(NamedTuple):
    """What is shown, and what is sorted by."""

    text: str
    sort: str


class TrialRow(NamedTuple):
    """One line; `anchor` is its id in the page, empty where the trial is already there."""

    anchor: str
    cells: tuple[TrialCell, ...]


class TrialList(NamedTuple):
    """Heads with the look of their cells, and the lines."""

    columns: tuple[tuple[str, Look], ...]
    rows: list[TrialRow]


def trial_list(images: Images) -> TrialList:
    """All trials of a study; quality and time are those of the trial's (arm, seed) cell."""
    frames = images.frames
    means = images.cells
    quality = _by_key(means[means["at"] == AVERAGE], ["arm", "seed", "metric"], "value")
    times = timing_cells(frames)
    seconds = _by_key(times, ["arm", "seed"], "train_seconds") if "train_seconds" in times else {}
    rows, anchors = [], _Anchors()
    for t in frames.trials.to_dict("records"):
        key, facts, fingerprint = (t["arm"], t["seed"]), t["facts"], str(t["fingerprint"])
        cells = (
            _text(t["arm"]),
            _number(float(t["seed"]), 0),
            _text(", ".join(percent(r) for r in t["ratios"])),
            _text(t["status"] + (f": {t['reason']}" if t["reason"] not in ("", t["status"]) else "")),
            _number(quality.get((*key, "psnr"), NAN), 2),
            _number(quality.get((*key, "ssim"), NAN), 4),
            _number(_fact(facts, "best_epoch"), 0),
            _number(_fact(facts, "parameters"), 0),
            _number(seconds.get(key, NAN), 1),
            _number(float(t["attempts"]), 0),
            _text(t["device"]),
            _text(fingerprint),
        )
        rows.append(TrialRow(anchors.of(fingerprint), cells))
    return TrialList(COLUMNS, rows)


def listed_table(table: Table, fingerprints: Sequence[Sequence[str]]) -> TrialList:
    """The lines of a table of settings, each with the fingerprints of its trials, if it has any."""
    rows, anchors = [], _Anchors()
    for raw, line, prints in zip(table.frame.to_dict("records"), table.cells, fingerprints, strict=True):
        texts = ["".join(span.text for span in spans) for spans in line]
        cells = [_cell(text, raw[c.keys[0]]) for text, c in zip(texts, table.columns, strict=True)]
        rows.append(TrialRow(anchors.of(next(iter(prints), "")), (*cells, _text(", ".join(prints)))))
    looks: list[tuple[str, Look]] = [(c.header, _look(c)) for c in table.columns]
    return TrialList((*looks, ("Fingerprint", "code")), rows)


class _Anchors:
    """Ids of lines: a trial that stands in several has its id at the first."""

    def __init__(self) -> None:
        self._named = {""}

    def of(self, fingerprint: str) -> str:
        if fingerprint in self._named:
            return ""
        self._named.add(fingerprint)
        return anchor(fingerprint)


def _look(column: Column) -> Look:
    if not isinstance(column, Text):
        return "right"
    return "long" if column.key in ("setting", "reason") else column.align


def _cell(text: str, value: object) -> TrialCell:
    """Sorted by the raw number, or by the text."""
    if isinstance(value, float):
        return TrialCell(text, "" if value != value else repr(value))
    return TrialCell(text, str(value))


def _by_key(rows: pd.DataFrame, keys: list[str], value: str) -> dict[tuple[Any, ...], float]:
    """Means of a column by the values of others."""
    sums: dict[tuple[Any, ...], list[float]] = {}
    for key, v in zip(rows[keys].itertuples(index=False, name=None), rows[value], strict=True):
        sums.setdefault(key, []).append(float(v))
    return {key: sum(vs) / len(vs) for key, vs in sums.items()}


def _fact(facts: dict[str, Any], name: str) -> float:
    value = facts.get(name)
    return float(value) if isinstance(value, (int, float)) else float("nan")


def _text(value: object) -> TrialCell:
    return TrialCell(str(value) or GAP, str(value))


def _number(value: float, digits: int) -> TrialCell:
    return _cell(number(value, digits), value)
