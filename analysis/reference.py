"""The published values (`analysis/reference/*.csv`), and the rows of them that an arm names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Literal

import pandas as pd

PublishedTable = Literal["table1", "table2", "checkpoints"]
COLUMNS = ("model", "configuration", "layers", "recursions", "rfmu", "fraction")
"""Columns that say which network a row is about; an arm's `published` gives values of some of them."""


@cache
def published(table: PublishedTable) -> pd.DataFrame:
    """A published table, every cell as the text that was printed."""
    with resources.files("analysis").joinpath(f"reference/{table}.csv").open() as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)


def rows_of(arm: str, place: Mapping[str, str], table: PublishedTable) -> pd.DataFrame:
    """The rows of a published table that belong to an arm; none if it is not a row of that table.

    A place that says "rfmu" lies in the checkpoints; it lies in tables 1 and 2 if it says "configuration", or no "rfmu".
    Table 2 has a part of the networks of table 1.

    Raises:
        ValueError: an unknown column, a value that is not there, or several networks; names arm, column, value and choices.
    """
    if unknown := [c for c in place if c not in COLUMNS]:
        raise ValueError(f"arm {arm!r}: published names a column {unknown[0]!r}; the columns are {', '.join(COLUMNS)}")
    if not place or not _lies_in(place, table):
        return published(table).head(0)
    if table == "table2":
        rows_of(arm, place, "table1")
        return _matching(place, table)
    rows = _matching(place, table)
    if rows.empty:
        raise ValueError(_no_match(arm, place, table))
    for column in (c for c in COLUMNS if c in rows and rows[c].nunique() > 1):
        raise ValueError(
            f"arm {arm!r}: published={dict(place)} names several networks of {table}; "
            f"give {column!r} too, one of {', '.join(rows[column].unique())}"
        )
    return rows


def remark(rows: pd.DataFrame) -> str:
    """Source and note of published rows."""
    return "; ".join(dict.fromkeys(rows["source"] + ": " + rows["note"] + "."))


def _lies_in(place: Mapping[str, str], table: PublishedTable) -> bool:
    if table == "checkpoints":
        return "rfmu" in place
    return "configuration" in place or "rfmu" not in place


def _matching(place: Mapping[str, str], table: PublishedTable) -> pd.DataFrame:
    rows = published(table)
    for column, value in place.items():
        if column in rows:
            rows = rows[rows[column] == value]
    return rows


def _no_match(arm: str, place: Mapping[str, str], table: PublishedTable) -> str:
    """Names the first value that leaves no row, and those that would."""
    before: dict[str, str] = {}
    for column, value in place.items():
        choices = _matching(before, table)
        if column in choices and value not in set(choices[column]):
            break
        before[column] = value
    where = f" for {before}" if before else ""
    return (
        f"arm {arm!r}: published {column}={value!r} is not in {table}{where}; "
        f"choose one of {', '.join(choices[column].unique())}"
    )
