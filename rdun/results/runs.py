"""A runs folder: trials/ and studies/NAME/, on a disk or on an object store."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path

from rdun.results.directory import Folder, Store
from rdun.results.lease import LOCK, Lease

ID = "id"
"""File of a runs folder that tells it from others where they meet, in a tracker; it moves with the folder."""


class Runs:
    """Where trials and studies are kept.

    Trials work on an object store itself. A study's folder, which many tools read and write as files, is on this machine while
    it is worked on: copied from the store before, and back after, but for its lock.

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
        """A study's folder where it is kept."""
        return Folder(f"{self.place}/studies/{study}")

    def home(self, study: str) -> Path:
        """A study's folder on this machine."""
        return self.on_disk() / "studies" / study if not self.remote else self._copies() / study

    def on_disk(self) -> Path:
        """The runs folder as a path, for a search.

        Raises:
            ValueError: it is on an object store.
        """
        if self.remote:
            raise ValueError(
                f"--runs {self.place!r} is no folder on a disk, which the database of a search needs; name one"
            )
        return Path(self.place)

    def copied(self, study: str) -> Path:
        """The study's folder on this machine, the same as on the store now.

        Raises:
            ValueError: the store cannot be read.
        """
        home = self.home(study)
        if not self.remote:
            return home
        there = self.folder(study)
        try:
            found = [str(path) for path in there.fs.find(there.path)]
            names = [path[len(there.path) + 1 :] for path in found if not path.endswith(f"/{LOCK}")]
            there.fs.get([f"{there.path}/{name}" for name in names], [f"{home}/{name}" for name in names])
        except OSError as error:
            raise ValueError(f"--runs {self.place!r} cannot be read ({error}); name another place") from None
        return home

    @contextlib.contextmanager
    def held(self, study: str) -> Iterator[Path]:
        """The study's folder for the one who runs it: held until all of it is back, whatever happens.

        Raises:
            Busy: another process runs the study.
            Lost: another one has taken it over; nothing was put back.
            ValueError: the store cannot be read.
        """
        with Lease(self.folder(study)) as lease:
            home = self.copied(study)
            try:
                yield home
            finally:
                if self.remote:
                    lease.check()
                    self._put_back(study, _stamps(home))

    @contextlib.contextmanager
    def changed(self, study: str) -> Iterator[Path]:
        """The study's folder for one who writes beside its run, a report for instance: what is written goes back, nothing else.

        Raises:
            ValueError: the store cannot be read.
        """
        home = self.copied(study)
        if not self.remote:
            yield home
            return
        before = _stamps(home)
        try:
            yield home
        finally:
            self._put_back(study, [name for name, _ in _stamps(home).items() - before.items()])

    def _put_back(self, study: str, names: Collection[str]) -> None:
        there, home = self.folder(study), self.home(study)
        there.fs.put([f"{home}/{name}" for name in names], [f"{there.path}/{name}" for name in names])

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
    """The files of a folder but for its lock and for writes that were cut off, with what changes when they are written."""
    files = (path for path in home.rglob("*") if path.is_file() and path.name != LOCK and path.suffix != ".part")
    found = {str(path.relative_to(home)): path.stat() for path in files}
    return {name: (stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in found.items()}
