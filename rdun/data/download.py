"""Downloads what registered sets lack; the same command goes on where another one was cut off."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from pathlib import Path

from rdun.data.registry import image_set, known, registry

MIRROR_VARIABLE = "RDUN_MIRROR"
"""Environment variable with the address of a server that has FOLDER/FILE of every set, asked instead of the public ones."""


def provide(names: Collection[str]) -> None:
    """Makes sure that sets can be used: downloads what registered ones lack.

    Raises:
        ValueError: a name that is neither registered nor a folder of images (before anything is downloaded), or as `download`.
    """
    for name in names:
        if name not in registry():
            image_set(name)
    for name in names:
        if name in registry():
            download(name)


def download(name: str) -> Path:
    """Makes a registered set complete, and says so on stderr if there is something to fetch.

    Returns:
        The folder of its files. Files with other content are replaced.

    Raises:
        ValueError: an unknown name; no network; a file that the server has not, or not as registered; a folder that takes no
            files. What was fetched before stays.
    """
    if name not in registry():
        raise ValueError(f"data set {name!r} is not registered; {known(name)}")
    entry = registry()[name]
    folder, lacking = entry.location(), entry.lacking()
    if lacking and not entry.url:
        raise ValueError(f"data set {name!r} lacks {lacking[0]} in {folder}; {entry.remedy()}")
    if lacking:
        from rdun.data.fetch import fetch

        mirror = os.environ.get(MIRROR_VARIABLE, "").rstrip("/")
        print(f"{name}: {len(lacking)} files from {mirror or entry.source} to {folder}", file=sys.stderr)
        fetch(entry, folder, lacking, f"{mirror}/{entry.folder}/{{file}}" if mirror else entry.url)
    return folder
