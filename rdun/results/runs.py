"""A runs folder: trials/ and studies/NAME/, on a disk or on an object store."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from rdun.results.directory import Folder, Store
from rdun.results.lease import LOCK, Busy, Lease

ID = "id"
"""File of a runs folder that tells it from others where they meet, in a tracker; it moves with the folder."""
CUT_OFF = (".part", ".db-journal")
"""Endings of writes that are not whole."""


class Held(NamedTuple):
    """The folder of a study or search for the one who runs it.

    Attributes:
        home: where it is on this machine.
        keep: puts back what has changed in it since the last time; the run may be lost at any moment afterwards. Raises Lost if
            another process has taken it over, ValueError if the store cannot be written. On a disk there is nothing to do.
    """

    home: Path
    keep: Callable[[], None]


class Runs:
    """Where trials, studies and searches are kept.

    Trials work on an object store itself. The folder of a study or search, which many tools read and write as files (a search's
    database is one), is on this machine while it is worked on: copied from the store before, and back as it changes, but for its
    lock. Each run, and each who writes beside it, has a copy that nobody else touches.

    Args:
        place: a path or an address that fsspec knows (s3://BUCKET/FOLDER).

    Raises:
        ValueError: an object store that cannot be asked: no such kind, no package for it, no rights, no network.
    """

    def __init__(self, place: str | os.PathLike[str]) -> None:
        text = os.fspath(place).rstrip("/")
        self.remote = "://" in text
        self.place = text if self.remote else str(Path(text).resolve())
        self.store = Store(f"{self.place}/trials")
        try:
            if self.remote:
                Folder(self.place).names()
        except Exception as error:  # each kind of store raises its own
            raise ValueError(
                f"--runs {self.place!r} cannot be reached ({type(error).__name__}: {error}); mend this, or name another place"
            ) from error

    def folder(self, study: str) -> Folder:
        """The folder of a study or search where it is kept."""
        return Folder(f"{self.place}/studies/{study}")

    def searches(self) -> list[str]:
        """Names of the searches that have a record."""
        return [name for name in Folder(f"{self.place}/studies").names() if self.folder(name).exists("search.json")]

    @contextlib.contextmanager
    def held(self, study: str) -> Iterator[Held]:
        """The folder for the one who runs the study: held until all of it is back, whatever happens.

        Raises:
            Busy: another process runs it.
            Lost: another one has taken it over; nothing was put back.
            ValueError: the store cannot be read, or written.
        """
        with Lease(self.folder(study)) as lease, self._copied(study, "run") as copy:

            def keep() -> None:
                if self.remote:
                    with self._asked("written"):
                        lease.check()
                        copy.keep()

            try:
                yield Held(copy.home, keep)
            finally:
                keep()

    @contextlib.contextmanager
    def changed(self, study: str) -> Iterator[Path]:
        """The folder for one who writes beside the study's run, a report for instance: what is written goes back, nothing else.

        Raises:
            ValueError: the store cannot be read, or written.
        """
        with self._copied(study, "read") as copy:
            try:
                yield copy.home
            finally:
                with self._asked("written"):
                    copy.keep()

    @contextlib.contextmanager
    def seen(self, study: str) -> Iterator[Path]:
        """The folder for one who only looks; it need not be there.

        Raises:
            ValueError: the store cannot be read.
        """
        with self._copied(study, "look") as copy:
            yield copy.home

    @contextlib.contextmanager
    def _copied(self, study: str, use: str) -> Iterator[Held]:
        """The folder on this machine, the same as on the store now; there is one copy for each use."""
        if not self.remote:
            yield Held(Path(self.place) / "studies" / study, lambda: None)
            return
        there, home = self.folder(study), self._copies() / use / study
        shutil.rmtree(home, ignore_errors=True)  # what a run that was cut off has left there
        with self._asked("read"):
            found = [str(path) for path in there.fs.find(there.path)]
            names = [path[len(there.path) + 1 :] for path in found if not path.endswith(f"/{LOCK}")]
            there.fs.get([f"{there.path}/{name}" for name in names], [f"{home}/{name}" for name in names])
        kept = _stamps(home)

        def keep() -> None:
            nonlocal kept
            now = _stamps(home)
            new = [name for name, stamp in now.items() if kept.get(name) != stamp]
            there.fs.put([f"{home}/{name}" for name in new], [f"{there.path}/{name}" for name in new])
            kept = now

        yield Held(home, keep)

    @contextlib.contextmanager
    def _asked(self, what: str) -> Iterator[None]:
        try:
            yield
        except Busy:
            raise
        except Exception as error:  # each kind of store raises its own
            raise ValueError(
                f"--runs {self.place!r} cannot be {what} ({type(error).__name__}: {error}); mend this, then give the same "
                "command again"
            ) from error

    def _copies(self) -> Path:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cache / "rdun" / "studies" / hashlib.sha256(self.place.encode()).hexdigest()[:12]


def runs_place(store: Store) -> str:
    """Path or address of the runs folder that the trials lie in."""
    parent = os.path.dirname(store.path)
    return parent if "://" in parent else os.path.abspath(parent)


def runs_id(store: Store) -> str:
    """Which runs folder the trials lie in, wherever it is moved or mounted: the content of its file `id`, made once.

    Raises:
        ValueError: there is no such file and none can be made, or it is damaged.
    """
    place = runs_place(store)
    folder = Folder(place)
    try:
        found = folder.read_if_there(ID)
        if not found:
            folder.swap(ID, f"{uuid.uuid4().hex[:16]}\n".encode(), found)
            found = folder.read(ID)
    except OSError as error:
        raise ValueError(
            f"{place} has no file {ID!r}, by which trackers know it, and none can be made ({error}); "
            f"give the right to write there, or write 16 hex digits to {ID} yourself"
        ) from None
    text = found.decode(errors="replace").strip()
    if not re.fullmatch("[0-9a-f]{16}", text):
        raise ValueError(
            f"{place}/{ID} holds {text[:40]!r}, not 16 hex digits; put back what it held, or remove it: then all is copied anew"
        )
    return text


def is_copied(place: str, other: str) -> bool:
    """Whether two folders of this machine have the same id without being the same folder under two names."""
    mine, its = (Path(folder, ID) for folder in (place, other))
    same = mine.is_file() and its.is_file() and mine.read_bytes() == its.read_bytes()
    return same and not mine.samefile(its)


def _stamps(home: Path) -> dict[str, tuple[int, int, int]]:
    """The files of a folder but for its lock and for writes that are not whole, with what changes when they are written."""
    files = (path for path in home.rglob("*") if path.is_file() and path.name != LOCK and path.suffix not in CUT_OFF)
    found = {str(path.relative_to(home)): path.stat() for path in files}
    return {name: (stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in found.items()}
