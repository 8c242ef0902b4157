"""Image sets by name or by folder: which files, where they lie, and a hash of their contents."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rdun.config import digest, last_name
from rdun.data.entry import Entry, file_hash

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff")


@dataclass(frozen=True)
class ImageSet:
    """Files of one set, in order, with the hash that stands for them in a trial's identity."""

    name: str
    paths: tuple[Path, ...]
    hash: str


def image_set(name: str) -> ImageSet:
    """A set of the registry, the images directly inside a folder (sorted by name), or one image file. Never downloads.

    Raises:
        ValueError: unknown name, missing or changed file, folder without images.
    """
    return _registered(name, registry()[name].location()) if name in registry() else _folder(name)


def image_hash(name: str) -> str:
    """The hash of a set: sha256 over file names and contents. Registered sets are hashed from the registry alone."""
    return digest(registry()[name].files) if name in registry() else image_set(name).hash


@cache
def registry() -> dict[str, Entry]:
    """The content of datasets.toml."""
    sets = tomllib.loads((Path(__file__).parent / "datasets.toml").read_text())
    return {name: Entry(name=name, **values) for name, values in sets.items()}


def known(name: str) -> str:
    """What to say of a name that is not registered: a near one, and all of them."""
    near = difflib.get_close_matches(name, registry(), n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"registered are {', '.join(registry())}"


@cache  # only of sets that are complete: a failure is not remembered
def _registered(name: str, folder: Path) -> ImageSet:
    entry = registry()[name]
    if lacking := entry.lacking():
        count = f"{len(lacking)} of {len(entry.files)} files"
        raise ValueError(
            f"data set {name!r} lacks {count} in {folder} ({lacking[0]} is absent or changed); {entry.remedy()}"
        )
    return ImageSet(name, tuple(folder / file for file in entry.files), image_hash(name))


def _folder(name: str) -> ImageSet:
    folder = Path(name)
    if folder.is_file():
        return _named(name, (folder,))
    if not folder.is_dir():
        raise ValueError(
            f"data set {name!r} is neither registered nor a folder (looked for {folder.absolute()}); {known(name)}"
        )
    paths = tuple(sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file()))
    if not paths:
        raise ValueError(f"folder {name!r} holds no images; put {', '.join(SUFFIXES)} files directly into it")
    return _named(name, paths)


def _named(name: str, paths: tuple[Path, ...]) -> ImageSet:
    for text in (name, *(path.name for path in paths)):
        if not _is_text(text):
            raise ValueError(f"{text!a} is no name in UTF-8, in which scores are written; rename it")
    return ImageSet(last_name(name), paths, digest({p.name: file_hash(p) for p in paths}))


def _is_text(name: str) -> bool:
    """Whether a file name can be written: the bytes of names from older systems need not be UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
