"""One writer per trial directory: a lock file with owner and heartbeat."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from types import TracebackType

import psutil

from rdun.results.directory import Folder

LOCK = "lock.json"
STALE_AFTER = 60.0
"""Seconds without a heartbeat after which an owner on another machine counts as dead."""


class Busy(RuntimeError):
    """Another live process writes to this trial directory."""


class Lost(Busy):
    """Another process has taken over a directory that this one held."""


class Lease:
    """Holds a trial directory while it is entered; a thread renews the heartbeat.

    A lock whose owner has ended on this machine, or has been silent for `STALE_AFTER` seconds, is taken over; one whose owner is
    known to be lost can be freed at once (`revoke`). An owner that was only paused, or cut off, and comes back learns it from
    `check`.

    Args:
        run: names the command that the owner works for.

    Raises:
        Busy: on entering, when the directory is held by a live process.
    """

    def __init__(self, folder: Folder, beat: float = 10.0, run: str = "") -> None:
        self.folder, self.beat, self.run = folder, beat, run
        self.owner = uuid.uuid4().hex
        self._done = threading.Event()

    def __enter__(self) -> Lease:
        found = self.folder.read_if_there(LOCK)
        holder = _holder(found)
        if _alive(holder) or not self.folder.swap(LOCK, self._record(), found):
            holder = holder if _alive(holder) else _holder(self.folder.read_if_there(LOCK))
            raise Busy(
                f"{self.folder.path} is being written by process {holder.get('pid')} on {holder.get('host')}; "
                f"wait for it, or stop it (its lock expires {STALE_AFTER:.0f} s after its last sign of life)"
            )
        self.folder.sweep()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        with contextlib.suppress(Exception):  # else it expires
            self._replace(None)

    def check(self) -> None:
        """Raises Lost if the directory is no longer ours."""
        holder = _holder(self.folder.read_if_there(LOCK))
        if holder.get("owner") != self.owner:
            by = f"process {holder['pid']} on {holder['host']}" if "pid" in holder else "a process that has ended since"
            raise Lost(
                f"{self.folder.path} was taken over by {by}, because this one was lost to its driver, or silent for more than "
                f"{STALE_AFTER:.0f} s; this one writes nothing more there and stops; the other one's results stand"
            )

    def _renew(self) -> None:
        while not self._done.wait(self.beat):
            with contextlib.suppress(Exception):  # a full disk, a store out of reach: the next beat tries again
                if not self._replace(self._record()):
                    return  # taken over after a long silence: the lock is not ours to renew

    def _replace(self, content: bytes | None) -> bool:
        """Replaces or frees our own lock; False if it is another's."""
        found = self.folder.read_if_there(LOCK)
        return _holder(found).get("owner") == self.owner and self.folder.swap(LOCK, content, found)

    def _record(self) -> bytes:
        record = {
            "owner": self.owner,
            "run": self.run,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "pid_namespace": _pid_namespace(),
            "heartbeat": time.time(),
        }
        return json.dumps(record).encode()


def revoke(folder: Folder, run: str) -> None:
    """Frees a directory whose owner works for `run` and is lost: its driver was told that the process or its node has died.

    The next owner need not wait for `STALE_AFTER`. If the lost one lives on after all, cut off, it stops at its next write.
    A directory that another run's process holds stays as it is.
    """
    for _ in range(3):  # one that lives on may renew it meanwhile
        found = folder.read_if_there(LOCK)
        if _holder(found).get("run") != run or folder.swap(LOCK, None, found):
            return


def is_held(folder: Folder) -> bool:
    """Whether a live process holds a directory."""
    return _alive(_holder(folder.read_if_there(LOCK)))


def _holder(content: bytes | None) -> dict[str, object]:
    """The record in a lock; empty if it is free, or was left unreadable."""
    try:
        holder = json.loads(content or b"{}")
    except json.JSONDecodeError:
        return {}
    return holder if isinstance(holder, dict) else {}


def _alive(holder: dict[str, object]) -> bool:
    here = (holder.get("host"), holder.get("pid_namespace")) == (socket.gethostname(), _pid_namespace())
    if here and not _runs(holder.get("pid")):
        return False
    beat = holder.get("heartbeat")
    return isinstance(beat, float) and time.time() - beat < STALE_AFTER


def _pid_namespace() -> int | None:
    """Where process numbers count: containers may share the host's name, but not its processes. None: the system has one."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return None


def _runs(pid: object) -> bool:
    """Whether a process can still do something: one that has ended, and whose parent has not noticed yet, cannot."""
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
