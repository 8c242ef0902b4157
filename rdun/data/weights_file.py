"""Files of weights that trials start from: where they lie, and the hash that stands for them in a trial's identity."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from rdun.data.entry import DATA_VARIABLE, data_folder, file_hash


def weights_file(name: str) -> Path:
    """A path as it is, or a file of that name in the folder weights/ of the data folder.

    Raises:
        ValueError: neither is a file.
    """
    folder = data_folder() / "weights"
    for place in (Path(name), folder / name):
        if place.is_file():
            return place
    raise ValueError(
        f"weights={name!r} is not a file, nor one in {folder}; give its path, or put it there (--data or {DATA_VARIABLE} "
        "choose another data folder)"
    )


def weights_hash(name: str) -> str:
    """First 16 hexadecimal digits of the sha256 of the file."""
    path = weights_file(name)
    state = path.stat()
    return _hash(path.absolute(), state.st_size, state.st_mtime_ns)


@cache  # by what a file that is written anew has another of: a plan asks for each of its trials
def _hash(path: Path, _size: int, _written: int) -> str:
    return file_hash(path)[:16]
