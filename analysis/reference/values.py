"""The published values (`analysis/reference/*.csv`), and the rows of them that an arm names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Literal

import pandas as pd

PublishedTable = Literal["table1", "table2", "checkpoints", "curve"]
TABLES: tuple[PublishedTable, ...] = ("table1", "table2", "checkpoints", "curve")
COLUMNS = ("model", "configuration", "layers", "recursions", "rfmu", "fraction")
"""Columns that say which network a row is about."""


@cache
def published(table: PublishedTable) -> pd.DataFrame:
    """A published table, every cell as the text that was printed."""
    with resources.files("analysis").joinpath(f"reference/{table}.csv").open() as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)


def rows_of(arm: str, place: Mapping[str, str], table: PublishedTable) -> pd.DataFrame:
    """The rows of a published table that belong to an arm; none if it stands in another one.

    Args:
        place: an arm's `published`: "table" (table1, if it is not named) and values of its columns.

    Raises:
        ValueError: an unknown table or column, a value that is not there, or several networks; names arm, column, value and
            choices.
    """
    named = place.get("table", "table1")
    if named not in TABLES:
        raise ValueError(f"arm {arm!r}: published table={named!r} is not known; choose one of {', '.join(TABLES)}")
    where = {column: value for column, value in place.items() if column != "table"}
    if not where or named != table:
        return published(table).head(0)
    rows = published(table)
    choices = [c for c in COLUMNS if c in rows]
    for column, value in where.items():
        if column not in choices:
            raise ValueError(
                f"arm {arm!r}: published {table} has no column {column!r}; choose from {', '.join(choices)}"
            )
        found = rows[rows[column] == value]
        if found.empty:
            raise ValueError(
                f"arm {arm!r}: published {column}={value!r} is not in {table}; choose one of {', '.join(rows[column].unique())}"
            )
        rows = found
    for column in (c for c in choices if rows[c].nunique() > 1):
        raise ValueError(
            f"arm {arm!r}: published={where} names several networks of {table}; "
            f"give {column!r} too, one of {', '.join(rows[column].unique())}"
        )
    return rows


def check_places(places: Mapping[str, Mapping[str, str]]) -> None:
    """Makes sure that every arm's `published` names one network of a published table; by arm.

    Raises:
        ValueError: as `rows_of`.
    """
    for arm, place in places.items():
        for table in TABLES:
            rows_of(arm, place, table)


def remark(rows: pd.DataFrame) -> str:
    """Source and note of published rows."""
    return "; ".join(dict.fromkeys(rows["source"] + ": " + rows["note"] + "."))


def sources(remarks: Sequence[str]) -> tuple[str, ...]:
    """Notes under a table, one for each different remark."""
    return tuple(f"Published in {r}" for r in dict.fromkeys(remarks))
