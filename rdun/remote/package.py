"""What travels to the cluster: the code of this checkout and the user's own study file. No runs, no data, no environment."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

SHIPPED = ("rdun", "analysis", "studies", "constraints.txt")
OWN = "own"
"""Folder of the user's own study file in the package."""


@contextlib.contextmanager
def packed(root: Path, own: Path | None) -> Iterator[Path]:
    """A folder with the code below `root`, and with the user's own study file in own/; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="rdun-job-") as name:
        place = Path(name)
        for part in SHIPPED:
            source = root / part
            if source.is_dir():
                shutil.copytree(source, place / part, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            else:
                shutil.copy2(source, place / part)
        if own is not None:
            (place / OWN).mkdir()
            shutil.copy2(own, place / OWN)
        yield place


def content_hash(folder: Path) -> str:
    """sha256 of a folder's files with their names."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:16]
