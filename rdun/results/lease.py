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

from rdun.results.directory import Folder

LOCK = "lock.json"
STALE_AFTER = 60.0
"""Seconds without a heartbeat after which an owner on another machine counts as dead."""


class Busy(RuntimeError):
    """Another live process writes to this trial directory."""


class Lease:
    """Holds a trial directory while it is entered; a thread renews the heartbeat.

    A lock whose owner has ended on this machine, or has been silent for `STALE_AFTER` seconds, is taken over.

    Raises:
        Busy: on entering, when the directory is held by a live process.
    """

    def __init__(self, folder: Folder, beat: float = 10.0) -> None:
        self.folder, self.beat = folder, beat
        self.owner = uuid.uuid4().hex
        self._done = threading.Event()

    def __enter__(self) -> Lease:
        with self.folder.alone():
            holder = self._holder()
            if holder and _alive(holder):
                raise Busy(
                    f"{self.folder.path} is being written by process {holder['pid']} on {holder['host']}; "
                    f"wait for it, or stop it (its lock expires {STALE_AFTER:.0f} s after its last sign of life)"
                )
            self.folder.write(LOCK, self._record())
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        with self.folder.alone():
            if self._read_owner() == self.owner:
                self.folder.remove(LOCK)

    def _renew(self) -> None:
        while not self._done.wait(self.beat):
            with contextlib.suppress(OSError), self.folder.alone():  # a full disk: the next beat tries again
                if self._read_owner() != self.owner:
                    return  # taken over after a long silence: the lock is not ours to renew
                self.folder.write(LOCK, self._record())

    def _record(self) -> bytes:
        record = {"owner": self.owner, "host": socket.gethostname(), "pid": os.getpid(), "heartbeat": time.time()}
        return json.dumps(record).encode()

    def _holder(self) -> dict[str, object] | None:
        try:
            holder = self.folder.read_json(LOCK)
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return holder if isinstance(holder, dict) else None

    def _read_owner(self) -> object:
        holder = self._holder()
        return holder.get("owner") if holder else None


def _alive(holder: dict[str, object]) -> bool:
    if holder.get("host") == socket.gethostname() and not _runs(holder.get("pid")):
        return False
    beat = holder.get("heartbeat")
    return isinstance(beat, float) and time.time() - beat < STALE_AFTER


def _runs(pid: object) -> bool:
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
