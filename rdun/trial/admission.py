"""The door of a GPU that several trials share: one at a time goes from its start to its full use of the memory.

What a trial is going to take cannot be seen before it has taken it. Two that begin together would both count on the same free
memory, so each holds a lock of the device from before its first allocation until its first optimizer step is done. Who finds
less free than it is known to take waits, with the lock, until another trial has ended.
"""

from __future__ import annotations

import fcntl
import gc
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol

import torch

LOOK = 2.0
"""Seconds between two looks at the free memory."""


class Memory(Protocol):
    """The memory of a device that processes share."""

    @property
    def name(self) -> str:
        """Names the device on this machine."""

    def free_mib(self) -> float:
        """What this process could take at the moment."""


class GpuMemory:
    """Memory of the GPU that this process sees."""

    @property
    def name(self) -> str:
        """As Ray names it to the process; asking CUDA would already take memory."""
        return os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]

    def free_mib(self) -> float:
        return torch.cuda.mem_get_info()[0] / 2**20


def give_back() -> None:
    """Returns what this process keeps of the GPU for trials that are over: it lives on, and others need it."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        gc.collect()
        torch.cuda.empty_cache()


class Admission:
    """Entered before a trial takes memory, and left as soon as it has taken all: by `settled`, or at the end.

    Args:
        needed_mib: what the training is known to take; 0: unknown, and nothing is waited for.
        say: is told once, in words, if this trial waits.
        folder: of the lock files; one for all processes of this user on the machine.
    """

    def __init__(
        self, memory: Memory, needed_mib: float, say: Callable[[str], None], folder: Path | None = None
    ) -> None:
        self.memory, self.needed_mib, self.say = memory, needed_mib, say
        self._path = (folder or Path(tempfile.gettempdir())) / f"rdun-{os.getuid()}-gpu-{memory.name}.lock"
        self._lock: int | None = None

    def __enter__(self) -> Admission:
        self._lock = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self._wait()
        except BaseException:
            self.settled()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.settled()

    def settled(self, *_: object) -> None:
        """Lets the next one in. Takes and ignores what a hook of an optimizer is given."""
        if self._lock is not None:
            fcntl.flock(self._lock, fcntl.LOCK_UN)  # a process that was forked meanwhile would keep it
            os.close(self._lock)
            self._lock = None

    def _wait(self) -> None:
        told = False
        while self.needed_mib and (free := self.memory.free_mib()) < self.needed_mib:
            if not told:
                self.say(
                    f"waits for GPU {self.memory.name}: {free:,.0f} MiB are free, this training takes {self.needed_mib:,.0f}"
                )
                told = True
            time.sleep(LOOK)
