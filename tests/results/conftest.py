"""Folders of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdun.results import TrialDirectory


@pytest.fixture(params=["local", "memory", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> TrialDirectory:
    """A local directory, the store in memory and S3 behave the same."""
    if request.param == "s3":
        return TrialDirectory(f"{request.getfixturevalue('bucket').url}/{tmp_path.name}/trial")
    return TrialDirectory(tmp_path / "trial" if request.param == "local" else f"memory://{tmp_path.name}/trial")
