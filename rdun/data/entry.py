"""One entry of datasets.toml: which files a set has, where they lie, which are missing, and how to get them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DATA_VARIABLE = "RDUN_DATA"


def data_folder() -> Path:
    """The folder of downloaded sets: `RDUN_DATA` (which `--data` sets), else a cache of the user."""
    if chosen := os.environ.get(DATA_VARIABLE):
        return Path(chosen)
    import pooch

    return Path(pooch.os_cache("rdun"))


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A registered set.

    Attributes:
        title: what a report calls the set.
        source: a public page of the set.
        folder: its folder, below the data folder or inside `package`.
        files: file name -> sha256 of its content.
        package: the installed Python package that the set comes with; empty: the set is downloaded.
        url: address of a file, with `{file}` for its name.
    """

    name: str
    title: str
    source: str
    folder: str
    files: Mapping[str, str]
    package: str = ""
    url: str = ""

    def location(self) -> Path:
        """Where the files belong; the folder need not exist.

        Raises:
            ValueError: the package is not installed.
        """
        if not self.package:
            return data_folder() / self.folder
        spec = importlib.util.find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise ValueError(f"data set {self.name!r} lies inside the package {self.package!r}; {self.remedy()}")
        return Path(spec.submodule_search_locations[0]) / self.folder

    def lacking(self) -> list[str]:
        """Files that are absent or have another content. Reads every file."""
        folder = self.location()
        return [file for file, sha256 in self.files.items() if file_hash(folder / file) != sha256]

    def remedy(self) -> str:
        """The command that makes the set complete."""
        if self.package:
            return "install scikit-image in the version of constraints.txt"
        root = os.environ.get(DATA_VARIABLE)
        return f"get it with: python -m rdun.data get {self.name}" + (f" --data {shlex.quote(root)}" if root else "")


def file_hash(path: Path) -> str:
    """The sha256 of a file's content in hexadecimal; empty if there is no such file."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
