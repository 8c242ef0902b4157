"""A folder with a database that MLflow has already made; making one takes seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rdun.results import Store
from tests.databases import empty_database


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project folder with an odd name."""
    folder = tmp_path / "my prøject"
    folder.mkdir()
    shutil.copyfile(empty_database(), folder / "mlflow.db")
    return folder


@pytest.fixture
def store(root: Path) -> Store:
    return Store(root / "runs" / "trials")
