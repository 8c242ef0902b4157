"""A trial directory, the truth about a trial: local, on a shared disk, or anywhere fsspec reaches (s3://...)."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import errno
import fcntl
import io
import json
import os
import typing
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

from rdun.results.objects import swap_object
from rdun.results.records import Attempt, EpochRecord, RunInfo, Score, SystemSample, Timing, Trace

Row = TypeVar("Row")


class Folder:
    """Files below one path; every write is whole or not at all.

    Local and shared disks, and object stores through fsspec, behave the same. Listings are never cached: others write here too.

    Args:
        check: called just before each change is made, and raises if it must not be made (`Lease.check`). On disks nobody can
            `swap` in between; on an object store the time of one request is left.
    """

    def __init__(self, path: str | os.PathLike[str], check: Callable[[], None] | None = None) -> None:
        self.fs, self.path = fsspec.core.url_to_fs(os.fspath(path), use_listings_cache=False)
        self._check = check

    def _at(self, name: str) -> str:
        return f"{self.path}/{name}"

    @property
    def name(self) -> str:
        """The last part of its path; of a trial directory in a store, the fingerprint."""
        return str(self.path.rpartition("/")[2])

    @property
    def is_local(self) -> bool:
        return isinstance(self.fs, LocalFileSystem)

    def exists(self, name: str = "") -> bool:
        return bool(self.fs.exists(self._at(name) if name else self.path))

    def read(self, name: str) -> bytes:
        return bytes(self.fs.cat_file(self._at(name)))

    def read_if_there(self, name: str) -> bytes | None:
        """The content of a file, None if there is none."""
        try:
            return self.read(name)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, content: bytes) -> None:
        """Replaces a file atomically. Raises OSError, naming the path, where it cannot be written."""
        target = self._at(name)
        if not self.is_local:  # object stores publish an object only when it is whole
            with self._allowed():
                self.fs.pipe_file(target, content)
            return
        os.makedirs(os.path.dirname(target), exist_ok=True)
        partial = f"{target}.{uuid.uuid4().hex[:8]}.part"
        try:
            with Path(partial).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            with self._allowed():
                os.replace(partial, target)
        except BaseException as error:
            if os.path.exists(partial):
                os.unlink(partial)
            if is_full(error):
                raise OSError(
                    errno.ENOSPC,
                    f"no space left to write {target}; make room, then give the same command again: what is finished is kept",
                ) from None
            raise

    def swap(self, name: str, content: bytes | None, expected: bytes | None) -> bool:
        """Writes a file only if it still holds what the caller has read (None: is not there); whether it was written.

        Without `content` the file is removed, or left empty on an object store, which cannot remove on a condition.

        Among all processes that share the folder, only one of several swaps from the same content succeeds. On disks a lock
        on the folder guards it, which ends with its process; S3 compares the object itself. Other stores compare unguarded.
        """
        assert self._check is None, "a check takes the same lock"
        if not self.is_local:
            return swap_object(self.fs, self._at(name), content or b"", expected)
        with _alone(self.path):
            if self.read_if_there(name) != expected:
                return False
            self.remove(name) if content is None else self.write(name, content)
            return True

    def sweep(self) -> None:
        """Removes what writes that were cut off have left on a disk; for who holds the folder (`Lease`)."""
        if self.is_local:
            with contextlib.suppress(OSError):  # what cannot be removed harms nobody
                for partial in Path(self.path).rglob("*.part"):
                    partial.unlink()

    def write_text(self, name: str, text: str) -> None:
        self.write(name, text.encode())

    def write_json(self, name: str, record: Any) -> None:
        self.write_text(name, json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def read_json(self, name: str) -> Any:
        """Raises ValueError, naming the file, for what is no JSON."""
        return self.read_record(name, lambda values: values)

    def read_record(self, name: str, make: Callable[[Any], Row]) -> Row:
        """What `make` makes of a JSON file. Raises ValueError, naming the file, where it lacks something or has too much."""
        return self._record(name, self.read(name), make)

    def _record(self, name: str, content: bytes, make: Callable[[Any], Row]) -> Row:
        try:
            return make(json.loads(content))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{self._at(name)} is damaged, or of another version ({type(error).__name__}: {error}); put a copy of it in its "
                "place, or remove it"
            ) from error

    def remove(self, name: str) -> None:
        if self.exists(name):
            with self._allowed():
                self.fs.rm_file(self._at(name))

    @contextlib.contextmanager
    def _allowed(self) -> Iterator[None]:
        """Around a change."""
        if self._check is None:
            yield
            return
        with _alone(self.path) if self.is_local else contextlib.nullcontext():
            self._check()
            yield

    def names(self, below: str = "") -> list[str]:
        """File and folder names directly below a subfolder, sorted; none if it does not exist."""
        where = self._at(below) if below else self.path
        try:
            entries = self.fs.ls(where, detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(str(entry).rstrip("/").rsplit("/", 1)[-1] for entry in entries)


@contextlib.contextmanager
def _alone(path: str) -> Iterator[None]:
    """Keeps other processes out of the same block, by a lock on the folder."""
    Path(path).mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk is full, or a quota used up."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


class TrialDirectory(Folder):
    """config.json, run.json, epochs, scores, traces, timing and system .csv, reconstructions/ and the weights of one trial."""

    def run(self) -> RunInfo | None:
        """Where the trial stands; None if it was never started."""
        content = self.read_if_there("run.json")
        if content is None:
            return None
        return self._record("run.json", content, _run)

    def write_run(self, run: RunInfo) -> None:
        self.write_json("run.json", dataclasses.asdict(run))

    def epochs(self) -> list[EpochRecord]:
        return self._rows("epochs.csv", EpochRecord)

    def write_epochs(self, records: Iterable[EpochRecord]) -> None:
        self.write_text("epochs.csv", to_csv(EpochRecord, records))

    def scores(self) -> list[Score]:
        return self._rows("scores.csv", Score)

    def write_scores(self, scores: Iterable[Score]) -> None:
        self.write_text("scores.csv", to_csv(Score, sorted(scores)))

    def scored(self) -> list[Score]:
        """The scores of a test that is not done, of an image all or none; gone once scores.csv is written."""
        return self._rows("scored.csv", Score)

    def write_scored(self, scores: Iterable[Score]) -> None:
        """Writes them; none: removes the file."""
        rows = list(scores)
        self.write_text("scored.csv", to_csv(Score, rows)) if rows else self.remove("scored.csv")

    def can_go_on(self) -> bool:
        """Whether a run that was cut off has left something to go on from."""
        return self.exists("checkpoint.pt") or self.exists("scored.csv")

    def traces(self) -> list[Trace]:
        return self._rows("traces.csv", Trace)

    def write_traces(self, traces: Iterable[Trace]) -> None:
        self.write_text("traces.csv", to_csv(Trace, traces))

    def timings(self) -> list[Timing]:
        return self._rows("timing.csv", Timing)

    def write_timings(self, timings: Iterable[Timing]) -> None:
        self.write_text("timing.csv", to_csv(Timing, timings))

    def system(self) -> list[SystemSample]:
        return self._rows("system.csv", SystemSample)

    def write_system(self, samples: Iterable[SystemSample]) -> None:
        self.write_text("system.csv", to_csv(SystemSample, samples))

    def _rows(self, name: str, row: type[Row]) -> list[Row]:
        content = self.read_if_there(name)
        return from_csv(row, content.decode()) if content is not None else []


def picture_names(images: Iterable[str]) -> dict[str, str]:
    """What the kept pictures of a set's images are called: as the images without their endings, or with them where two images, by
    whatever file system, would be one picture."""
    names = list(images)
    short = [name.rsplit(".", 1)[0] for name in names]
    apart = len({name.casefold() for name in short}) == len(names)
    return dict(zip(names, short if apart else names, strict=True))


class Store:
    """All trial directories below one path, one per fingerprint."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path).rstrip("/")

    def trial(self, fingerprint: str) -> TrialDirectory:
        return TrialDirectory(f"{self.path}/{fingerprint}")


def _run(values: dict[str, Any]) -> RunInfo:
    attempts = tuple(Attempt(**a) for a in values.pop("attempts"))
    return RunInfo(attempts=attempts, **values)


def to_csv(row: type[Any], records: Iterable[Any]) -> str:
    """Rows of a dataclass as CSV text; floats keep every digit."""
    names = [f.name for f in dataclasses.fields(row)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([[_text(getattr(record, name)) for name in names] for record in records])
    return out.getvalue()


def from_csv(row: type[Row], text: str) -> list[Row]:
    """The inverse of `to_csv`."""
    types_ = _columns(row)
    return [
        row(**{name: types_[name](value) for name, value in line.items()}) for line in csv.DictReader(io.StringIO(text))
    ]


def _columns(row: type[Any]) -> dict[str, type]:
    hints = typing.get_type_hints(row)
    return {f.name: hints[f.name] for f in dataclasses.fields(row)}


def _text(value: object) -> str:
    return repr(float(value)) if isinstance(value, float) else str(value)
