"""The record in results/."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdun.replay import Recording, load_recording
from rdun.results import Folder, Store

RECORD = Path(__file__).resolve().parent.parent.parent / "results" / "search-budget"
STUDY = "search-budget-pocket-none"


@pytest.fixture(scope="session")
def recording() -> Recording:
    return load_recording(Folder(RECORD / "studies" / STUDY), Store(RECORD / "trials"))
