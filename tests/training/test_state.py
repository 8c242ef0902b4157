"""A checkpoint that cannot be read: what is said of the file, and what of the machine."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
import torch

from rdun.config import TrialConfig
from rdun.models import build_model
from rdun.results import Folder
from rdun.training import TrainState, read_checkpoint

CPU = torch.device("cpu")
NOT_OF_THE_FILE = [
    OSError(errno.EIO, "Input/output error"),
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:118] . DefaultCPUAllocator: can't allocate memory: you tried 9 bytes."
    ),
    RuntimeError("CUDA error: uncorrectable ECC error encountered"),
]


def names(error: BaseException) -> str:
    return type(error).__name__ + str(error)[:12]


@pytest.fixture
def state(tiny: TrialConfig, tmp_path: Path) -> TrainState:
    """Of a network, with its checkpoint in the folder."""
    state = TrainState.start(tiny, build_model(tiny), CPU)
    state.save(Folder(tmp_path))
    return state


def failing(error: Exception) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("error", NOT_OF_THE_FILE, ids=names)
@pytest.mark.parametrize("where", ["read", "decoded", "taken over"])
def test_a_machine_that_fails_speaks_for_itself(
    state: TrainState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, where: str
) -> None:
    owner, name = {
        "read": (Folder, "read"),
        "decoded": (torch, "load"),
        "taken over": (state.optimizer, "load_state_dict"),
    }[where]
    monkeypatch.setattr(owner, name, failing(error))
    with pytest.raises(type(error)) as raised:
        state.load(Folder(tmp_path), CPU)
    assert raised.value is error


def test_an_object_store_out_of_reach_says_nothing_of_the_file(
    state: TrainState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unreachable(Exception):
        """As the store's client raises it: no OSError."""

    monkeypatch.setattr(Folder, "read", failing(Unreachable()))
    with pytest.raises(Unreachable):
        read_checkpoint(Folder(tmp_path), CPU)


def test_a_damaged_file_is_named_with_its_remedy(state: TrainState, tmp_path: Path) -> None:
    content = (tmp_path / "checkpoint.pt").read_bytes()
    for size in range(0, len(content), 997):
        (tmp_path / "checkpoint.pt").write_bytes(content[:size])
        with pytest.raises(ValueError, match=r"checkpoint\.pt cannot be read \(.*\); delete it and run again"):
            state.load(Folder(tmp_path), CPU)
