"""Files of weights that trials start from: where they lie, and the hash that stands for them in a trial's identity."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

from rdun.data.registry import DATA_VARIABLE


def weights_file(name: str) -> Path:
    """A path as it is, or a file of that name in $RDUN_DATA/weights.

    Raises:
        ValueError: neither is a file.
    """
    root = os.environ.get(DATA_VARIABLE)
    places = [Path(name), *([Path(root) / "weights" / name] if root else [])]
    for place in places:
        if place.is_file():
            return place
    raise ValueError(
        f"weights={name!r} is not a file, nor one in the folder weights/ of {DATA_VARIABLE}={root or '(not set)'}; give its "
        f"path, or set {DATA_VARIABLE} to a folder that holds weights/{name}"
    )


@cache
def weights_hash(name: str) -> str:
    """First 16 hexadecimal digits of the sha256 of the file."""
    with weights_file(name).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
