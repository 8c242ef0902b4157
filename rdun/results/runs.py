"""A runs folder: trials/ and studies/NAME/, on a disk or on an object store."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from rdun.results.directory import Folder, Store


class Runs:
    """Where trials and studies are kept.

    Trials work on an object store itself. A study's folder, which many tools read and write as files, is on this machine while
    the study runs: copied from the store before, and back after, whatever happens.

    Args:
        place: a path or an address that fsspec knows (s3://BUCKET/FOLDER).
    """

    def __init__(self, place: str | os.PathLike[str]) -> None:
        text = os.fspath(place).rstrip("/")
        self.remote = "://" in text
        self.place = text if self.remote else str(Path(text).resolve())
        self.store = Store(f"{self.place}/trials")

    def folder(self, study: str) -> Folder:
        """A study's folder where it is kept."""
        return Folder(f"{self.place}/studies/{study}")

    def home(self, study: str) -> Path:
        """A study's folder on this machine."""
        return self.on_disk() / "studies" / study if not self.remote else self._copies() / study

    def on_disk(self) -> Path:
        """The runs folder as a path.

        Raises:
            ValueError: it is on an object store.
        """
        if self.remote:
            raise ValueError(f"--runs {self.place!r} is no folder on a disk, which this needs; name one")
        return Path(self.place)

    @contextlib.contextmanager
    def kept(self, study: str, *, write: bool = True) -> Iterator[Path]:
        """The study's folder on this machine, the same as on the store before and, with `write`, after.

        Raises:
            ValueError: the store cannot be read.
        """
        home = self.home(study)
        if not self.remote:
            yield home
            return
        there = self.folder(study)
        try:
            if there.exists():
                there.fs.get(f"{there.path}/", f"{home}/", recursive=True)
        except OSError as error:
            raise ValueError(f"--runs {self.place!r} cannot be read ({error}); name another place") from None
        try:
            yield home
        finally:
            if write and home.is_dir():
                there.fs.put(f"{home}/", f"{there.path}/", recursive=True)

    def _copies(self) -> Path:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cache / "rdun" / "studies" / hashlib.sha256(self.place.encode()).hexdigest()[:12]
