"""A server with a tiny registered set, and nothing of the user's own data folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pooch.core
import pytest

from rdun.data import DATA_VARIABLE, registry
from tests.data.server import Server


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of a test, named by RDUN_DATA; it does not exist yet."""
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A running server, its set registered as "tiny-set"."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    state = Server()
    running = state.start()
    monkeypatch.setitem(registry(), "tiny-set", state.entry())
    yield state
    state.release.set()
    running.shutdown()
    running.server_close()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that a download would have waited between attempts."""
    found: list[float] = []
    monkeypatch.setattr(pooch.core, "time", SimpleNamespace(sleep=found.append))
    return found
