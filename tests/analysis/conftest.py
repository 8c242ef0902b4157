"""Synthetic studies, written once for the session."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.frames import StudyFrames, load_study
from rdun.results import ClaimRecord, Folder, PlanRecord, Store
from tests.analysis.synthetic import Truth, write_study

CLAIMS = (
    ClaimRecord(
        text="RFMU gives at least 0.5 dB more",
        arm="COAST, recursive, random, RFMU, 10 %",
        versus="COAST, unrolled, 10 %",
        metric="psnr",
        at_least=0.5,
    ),
)
SMALL = Truth(systems=("COAST",), images=("camera.png", "coins.png", "moon.png"), epochs=4, claims=CLAIMS)
FAILED = {
    ("COAST, recursive, 10 %", 1): ("failed", "out of memory: tried to allocate 2 GiB\nTraceback ..."),
    ("COAST, recursive, random, 100 %", 2): ("running", ""),
    ("COAST, recursive, 100 %", 0): ("not run", ""),
}


def load(study: tuple[Path, Store]) -> StudyFrames:
    folder, store = study
    return load_study(PlanRecord.load(Folder(folder)), store)


UNROLLED, RECURSIVE = "COAST, unrolled, 10 %", "COAST, recursive, 10 %"


def load_pairs(folder: Path, **changes: Any) -> StudyFrames:
    """A study of one pair on few and on all data with four seeds, for what a seed has one value of."""
    truth = Truth(
        systems=("COAST",), effects={"unrolled": 0.0, "recursive": 0.0}, seeds=(0, 1, 2, 3), images=("a.png", "b.png"),
        epochs=2, pictures=False,
    )  # fmt: skip
    return load(write_study(folder, replace(truth, **changes)))


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Store]:
    """A complete study of one system, two sizes, four variants, three seeds, with test-time sweeps and pictures."""
    truth = Truth(systems=("COAST",), images=SMALL.images, epochs=4, sweep=(2, 4), claims=CLAIMS)
    return write_study(tmp_path_factory.mktemp("whole"), truth)


@pytest.fixture(scope="session")
def holed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Store]:
    """The same with a failed, a running and a missing trial."""
    truth = Truth(systems=("COAST",), images=SMALL.images, epochs=4, pictures=False, claims=CLAIMS, statuses=FAILED)
    return write_study(tmp_path_factory.mktemp("holed"), truth)
