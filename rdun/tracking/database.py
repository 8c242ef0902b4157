"""Databases as trackers: a new SQLite file is made whole, and one behind a server is asked before MLflow waits for it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import uuid
from pathlib import Path
from typing import Any

SQLITE = "sqlite:///"


def sqlite_file(uri: str) -> Path | None:
    """The file of a SQLite database; None for any other tracker."""
    return Path(uri.removeprefix(SQLITE).partition("?")[0]).absolute() if uri.startswith(SQLITE) else None


def check_database(uri: str) -> None:
    """Raises what keeps a database from being reached: MLflow itself tries ten times, for two minutes and more."""
    if uri.partition("+")[0].partition(":")[0] not in ("postgresql", "mysql", "mssql"):
        return
    import sqlalchemy

    sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool).connect().close()


def create_database(client: Any, target: Path) -> None:
    """A new SQLite database is migrated under another name and put in place whole, so that nobody ever opens half of one.

    Args:
        client: MLflow's class of that name.
    """
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    mark = uuid.uuid4().hex[:8]
    partial, whole = (target.with_name(f".{target.name}.{mark}.{kind}") for kind in ("part", "whole"))
    try:
        client(tracking_uri=f"{SQLITE}{partial}").search_experiments(max_results=1)
        shutil.copyfile(partial, whole)  # a file of its own: MLflow keeps the partial one open
        _put_in_place(whole, target)
    finally:
        for leftover in (partial, whole):
            leftover.unlink(missing_ok=True)
    connection = sqlite3.connect(target, timeout=20)
    try:
        connection.execute("PRAGMA journal_mode=WAL")  # kept by the file: writes take a third of the time
    finally:
        connection.close()


def _put_in_place(whole: Path, target: Path) -> None:
    """Renames, but never over a database that somebody else has made meanwhile."""
    try:
        os.link(whole, target)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        if not target.exists():
            os.replace(whole, target)
