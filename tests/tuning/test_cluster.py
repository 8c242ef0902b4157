"""Clusters that cannot be started or joined end in one line."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import Any, NoReturn

import pytest
import ray

from rdun.tuning import Halted, cluster
from tests.studies.command import TINY, run_here

SLOW = (
    "The current node timed out during startup. This could happen because some of the raylet failed to startup or the GCS has "
    "become overloaded."
)


def _refuses(error: Exception) -> Any:
    def init(**_: Any) -> NoReturn:
        raise error

    return init


@pytest.fixture
def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_ray_that_does_not_start_stops_a_study_which_goes_on_later(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "init", _refuses(Exception(SLOW)))
    done = run_here(str(TINY), "--runs", str(tmp_path / "runs"), images=images, tmp_path=tmp_path)
    assert done.exit_code == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("Stopped: Ray did not start on this machine (The current node timed out during startup.")
    assert "nothing is lost" in last and "--cpus" in last
    assert last.endswith("The same command goes on where this one stopped.")
    assert "Traceback" not in done.stderr


def test_a_search_is_told_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "init", _refuses(RuntimeError()))
    with pytest.raises(Halted, match=r"Ray did not start on this machine \(RuntimeError\)"), cluster():
        pass


def test_nothing_at_an_address_is_said_at_once(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "init", _refuses(AssertionError("Ray looks for it for a quarter of an hour")))
    for address in (f"127.0.0.1:{free_port}", f"ray://127.0.0.1:{free_port}", f"[::1]:{free_port}", "127.0.0.1:many"):
        monkeypatch.setitem(os.environ, "RAY_ADDRESS", address)
        message = (
            rf"{re.escape(f'RAY_ADDRESS={address}: no cluster answers there')} \(.*\); start it, or unset RAY_ADDRESS"
        )
        with pytest.raises(ValueError, match=message), cluster():
            pass


@pytest.mark.parametrize("address", ["auto", "nonsense"])
def test_what_ray_refuses_names_the_address(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "init", _refuses(RuntimeError("Version mismatch:\n  Ray: 2.9")))
    monkeypatch.setitem(os.environ, "RAY_ADDRESS", address)
    message = rf"RAY_ADDRESS={address}: .* \(Version mismatch: Ray: 2.9\); set RAY_AUTH_MODE=token if"
    with pytest.raises(ValueError, match=message), cluster():
        pass
