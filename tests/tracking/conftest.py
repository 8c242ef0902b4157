"""A folder with a database that MLflow has already made; making one takes seconds."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from rdun.results import Store
from rdun.tracking import sync
from tests.tracking.tracked_study import plan_record, saved


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database, made by the product itself."""
    root = tmp_path_factory.mktemp("migrated")
    sync(saved(root, plan_record("other", {("A", 0): ["aa"]})), Store(root / "trials"), f"sqlite:///{root}/whole.db")
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{root}/whole.db")
    client.delete_experiment(client.get_experiment_by_name("other").experiment_id)
    with sqlite3.connect(root / "whole.db") as whole, sqlite3.connect(root / "copy.db") as copy:
        whole.backup(copy)
    return root / "copy.db"


@pytest.fixture
def root(tmp_path: Path, empty_database: Path) -> Path:
    """A project folder with an odd name."""
    folder = tmp_path / "my prøject"
    folder.mkdir()
    shutil.copyfile(empty_database, folder / "mlflow.db")
    return folder


@pytest.fixture
def store(root: Path) -> Store:
    return Store(root / "runs" / "trials")
