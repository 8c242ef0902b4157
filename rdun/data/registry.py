"""Image sets by name or by folder: which files, where they lie, and a hash of their contents."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import os
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rdun.config import digest

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff")
DATA_VARIABLE = "RDUN_DATA"


@dataclass(frozen=True)
class ImageSet:
    """Files of one set, in order, with the hash that stands for them in a trial's identity."""

    name: str
    paths: tuple[Path, ...]
    hash: str


def image_set(name: str) -> ImageSet:
    """A set of the registry, or the images directly inside a folder (sorted by name).

    Raises:
        ValueError: unknown name, missing or changed file, folder without images.
    """
    return _registered(name) if name in registry() else _folder(name)


def image_hash(name: str) -> str:
    """The hash of a set: sha256 over file names and contents. Registered sets are hashed from the registry alone."""
    return digest(registry()[name]["files"]) if name in registry() else image_set(name).hash


@cache
def registry() -> dict[str, dict[str, object]]:
    """The content of datasets.toml."""
    return tomllib.loads((Path(__file__).parent / "datasets.toml").read_text())


@cache
def _registered(name: str) -> ImageSet:
    entry = registry()[name]
    files = entry["files"]
    assert isinstance(files, dict)
    folder = _location(name, entry)
    paths = tuple(folder / file for file in files)
    for path in paths:
        if not path.is_file():
            raise ValueError(f"data set {name!r} lacks {path}; {_remedy(entry)}")
        found = _sha256(path)
        if found != files[path.name]:
            raise ValueError(f"{path} has sha256 {found[:16]}..., not the registered one; {_remedy(entry)}")
    return ImageSet(name, paths, image_hash(name))


def _location(name: str, entry: dict[str, object]) -> Path:
    if package := entry.get("package"):
        spec = importlib.util.find_spec(str(package))
        if spec is None or not spec.submodule_search_locations:
            raise ValueError(f"data set {name!r} lies inside the package {package!r}; {_remedy(entry)}")
        return Path(spec.submodule_search_locations[0]) / str(entry["folder"])
    root = os.environ.get(DATA_VARIABLE)
    if not root:
        raise ValueError(f"data set {name!r} was not found; {_remedy(entry)}")
    return Path(root) / str(entry["folder"])


def _remedy(entry: dict[str, object]) -> str:
    if entry.get("package"):
        return "install scikit-image in the version of constraints.txt"
    return f"get it from {entry['source']} and set {DATA_VARIABLE} to the folder that holds {entry['folder']}/"


def _folder(name: str) -> ImageSet:
    folder = Path(name)
    if not folder.is_dir():
        near = difflib.get_close_matches(name, registry(), n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"data set {name!r} is neither registered nor a folder; {hint}registered are {', '.join(registry())}"
        )
    paths = tuple(sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES))
    if not paths:
        raise ValueError(f"folder {name!r} holds no images; put {', '.join(SUFFIXES)} files directly into it")
    return ImageSet(folder.resolve().name, paths, digest({p.name: _sha256(p) for p in paths}))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
