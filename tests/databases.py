"""A tracker's database that MLflow has already made, which takes seconds of a processor; none of a test waits for the disk."""

from __future__ import annotations

import atexit
import functools
import shutil
import sqlite3
import tempfile
from pathlib import Path

import sqlalchemy


@sqlalchemy.event.listens_for(sqlalchemy.Engine, "connect")
def _without_waiting_for_the_disk(connection: object, _: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")


@functools.cache
def empty_database() -> Path:
    """One for all tests of this process: migrated, and without an experiment but MLflow's own."""
    from mlflow import MlflowClient

    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    MlflowClient(f"sqlite:///{folder}/whole.db").search_experiments()
    with sqlite3.connect(folder / "whole.db") as whole, sqlite3.connect(folder / "copy.db") as copy:
        whole.backup(copy)
    return folder / "copy.db"
