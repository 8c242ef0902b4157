"""A table before it is rendered: raw numbers in a DataFrame, and columns that say how they are written."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, Protocol

import pandas as pd

from analysis.numbers import DIGITS, GAP, interval, number, p_value

Row = dict[str, Any]
Best = dict[str, float]
Align = Literal["left", "right"]


class Span(NamedTuple):
    """A piece of a cell: text, whether it is bold, and the number of the note that explains it (0: none)."""

    text: str
    bold: bool = False
    note: int = 0


class Column(Protocol):
    """One column: its head, the DataFrame columns it needs, and a cell's text."""

    @property
    def header(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def align(self) -> Align: ...
    @property
    def keys(self) -> tuple[str, ...]: ...
    def spans(self, row: Row, best: Best) -> list[Span]: ...


@dataclass(frozen=True, kw_only=True)
class Text:
    """Words, left-aligned."""

    key: str
    header: str
    unit: str = ""
    align: Align = "left"

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.key,)

    def spans(self, row: Row, best: Best) -> list[Span]:
        value = row[self.key]
        return [Span(str(value) if isinstance(value, str) and value else GAP)]


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number, with its spread behind plus-minus if `spread` names a column; bold where it is the group's highest (`best`).

    `digits_by` names the column with the digits of each line, where they are not the same for all.
    """

    key: str
    header: str
    unit: str = ""
    digits: int = 2
    digits_by: str = ""
    signed: bool = False
    spread: str = ""
    best: bool = False
    align: Align = "right"

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.key, self.spread) if self.spread else (self.key,)

    def spans(self, row: Row, best: Best) -> list[Span]:
        value, digits = float(row[self.key]), _digits(self, row)
        bold = self.best and not math.isnan(value) and number(value, digits) == number(best.get(self.key), digits)
        spans = [Span(number(value, digits, signed=self.signed), bold and not row.get("baseline", False))]
        if self.spread and not math.isnan(float(row[self.spread])):
            spans.append(Span(f" ± {number(float(row[self.spread]), digits)}"))
        return spans


@dataclass(frozen=True, kw_only=True)
class Probability:
    """A p-value, which is never zero: "< 0.001"."""

    key: str
    header: str
    unit: str = ""
    align: Align = "right"

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.key,)

    def spans(self, row: Row, best: Best) -> list[Span]:
        return [Span(p_value(float(row[self.key])))]


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An interval in brackets; `digits_by` as of a number."""

    low: str
    high: str
    header: str
    unit: str = ""
    digits: int = 2
    digits_by: str = ""
    signed: bool = True
    align: Align = "right"

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.low, self.high)

    def spans(self, row: Row, best: Best) -> list[Span]:
        return [Span(interval(float(row[self.low]), float(row[self.high]), _digits(self, row), signed=self.signed))]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two numbers in one cell, as the paper writes PSNR/SSIM."""

    first: Number
    second: Number
    header: str
    unit: str = ""
    align: Align = "right"

    @property
    def keys(self) -> tuple[str, ...]:
        return (*self.first.keys, *self.second.keys)

    def spans(self, row: Row, best: Best) -> list[Span]:
        ours = self.first.spans(row, best)
        if ours[0].text == GAP:
            return ours
        return [*ours, Span(" / "), *self.second.spans(row, best)]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """PSNR / SSIM as measured; in brackets, where there is one, the published pair, the differences and the verdict."""

    at: str
    header: str
    unit: str = "dB / SSIM"
    align: Align = "right"

    @property
    def keys(self) -> tuple[str, ...]:
        """Measured, published, difference of both metrics, and the verdict: "psnr 10 %", ..., "verdict 10 %"."""
        kinds = ("", " published", " difference")
        return (*(f"{m} {self.at}{k}" for k in kinds for m in DIGITS), f"verdict {self.at}")

    @property
    def numbers(self) -> list[Number]:
        """The measured pair: what is best is sought among these."""
        return [Number(key=f"{m} {self.at}", header=m, digits=digits, best=True) for m, digits in DIGITS.items()]

    def spans(self, row: Row, best: Best) -> list[Span]:
        psnr, ssim = (n.spans(row, best) for n in self.numbers)
        measured = psnr if psnr[0].text == GAP else [*psnr, Span(" / "), *ssim]
        verdict = str(row[f"verdict {self.at}"])
        if not verdict:
            return measured
        words = [f"published {self._pair(row, 'published')}"]
        words += [f"{self._pair(row, 'difference', signed=True)}"] if verdict != "not run" else []
        return [*measured, Span(f" [{', '.join(words)}: {verdict}]")]

    def _pair(self, row: Row, kind: str, *, signed: bool = False) -> str:
        values = (number(row[f"{m} {self.at} {kind}"], digits, signed=signed) for m, digits in DIGITS.items())
        return " / ".join(values)


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table of a report; every output format is rendered from it.

    Attributes:
        name: file name without ending.
        caption: what the numbers are, how spreads and intervals are made.
        frame: raw numbers, one row per line; a boolean column "baseline" marks rows that are never the best.
        group: column whose values head groups of lines; "" for none. The best value is sought within a group.
        gaps: (line, column key) -> why the cell is empty or rests on fewer seeds; printed as numbered notes.
        notes: further remarks.
        links: (line, first key of a column) -> fingerprints of the trials behind the cell; see `anchor`.
    """

    name: str
    title: str
    caption: str
    frame: pd.DataFrame
    columns: tuple[Column, ...]
    group: str = ""
    gaps: dict[tuple[int, str], str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    links: dict[tuple[int, str], tuple[str, ...]] = field(default_factory=dict)

    def reasons(self) -> list[str]:
        """The distinct reasons of gaps, in order; note i is `reasons()[i - 1]`."""
        return list(dict.fromkeys(self.gaps.values()))

    @cached_property
    def cells(self) -> list[list[list[Span]]]:
        """All cells as spans, line by line."""
        rows: list[Row] = [{str(k): v for k, v in r.items()} for r in self.frame.to_dict("records")]
        best = self._best(rows)
        reasons = self.reasons()
        return [
            [self._noted(c.spans(row, best[self._group_of(row)]), i, c, reasons) for c in self.columns]
            for i, row in enumerate(rows)
        ]

    def line_trials(self, line: int) -> list[tuple[str, ...]]:
        """The distinct trials to which cells of a line lead."""
        return self._trials_by_line.get(line, [])

    @cached_property
    def _trials_by_line(self) -> dict[int, list[tuple[str, ...]]]:
        found: dict[int, list[tuple[str, ...]]] = {}
        for (line, _), trials in self.links.items():
            own = found.setdefault(line, [])
            own += [trials] if trials not in own else []
        return found

    def group_heads(self) -> list[str]:
        """The group of each line."""
        return [str(g) for g in self.frame[self.group]] if self.group else [""] * len(self.frame)

    def _noted(self, spans: list[Span], line: int, column: Column, reasons: list[str]) -> list[Span]:
        found = [self.gaps[line, k] for k in column.keys if (line, k) in self.gaps]
        return [*spans, Span("", note=reasons.index(found[0]) + 1)] if found else spans

    def _group_of(self, row: Row) -> str:
        return str(row[self.group]) if self.group else ""

    def _best(self, rows: list[Row]) -> dict[str, Best]:
        numbers = [n for c in self.columns for n in _numbers(c) if n.best]
        groups: dict[str, list[Row]] = {}
        for row in rows:
            groups.setdefault(self._group_of(row), []).append(row)
        return {g: {n.key: _highest(n, members) for n in numbers} for g, members in groups.items()}


def anchor(fingerprint: str) -> str:
    """The id of a trial's row in the report's table of trials."""
    return f"trial-{fingerprint}"


def _digits(column: Number | Interval, row: Row) -> int:
    return int(row[column.digits_by]) if column.digits_by else column.digits


def _numbers(column: Column) -> list[Number]:
    if isinstance(column, Compared):
        return column.numbers
    if isinstance(column, Pair):
        return [column.first, column.second]
    return [column] if isinstance(column, Number) else []


def _highest(column: Number, rows: list[Row]) -> float:
    """Best value of a group; none is best (nan) among fewer than two."""
    values = [
        float(r[column.key]) for r in rows if not r.get("baseline", False) and not math.isnan(float(r[column.key]))
    ]
    return max(values) if len(values) > 1 else float("nan")
