"""What travels to the cluster: the code of this checkout, the user's own study file, and the modules beside it that it imports.

No runs, no data, no environment.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

SHIPPED = ("rdun", "analysis", "studies", "constraints.txt")
OWN = "own"
"""Folder of the user's own study file in the package."""


@contextlib.contextmanager
def packed(root: Path, own: Path | None) -> Iterator[Path]:
    """A folder with the code below `root`, and in own/ the user's own study file, which was loaded here; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="rdun-job-") as name:
        place = Path(name)
        for part in SHIPPED:
            _copy(root / part, place / part)
        if own is not None:
            (place / OWN).mkdir()
            for source in (own.absolute(), *_imported_beside(own.absolute())):
                _copy(source, place / OWN / source.name)
        yield place


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    else:
        shutil.copy2(source, target)


def _imported_beside(own: Path) -> list[Path]:
    """Modules and packages of the file's folder that are loaded; those of this checkout travel anyway."""
    found = []
    for name, module in sys.modules.items():
        if "." in name or name in ("__main__", *SHIPPED):
            continue
        place = next(iter(getattr(module, "__path__", [])), getattr(module, "__file__", None))
        if place and Path(place).parent == own.parent:
            found.append(Path(place))
    return sorted(found)


def content_hash(folder: Path) -> str:
    """sha256 of a folder's files with their names."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:16]
