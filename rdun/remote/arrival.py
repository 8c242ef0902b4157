"""The first step of a job, on the head: does this machine have the versions that the shipped code is pinned to?"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from pathlib import Path

DECIDING = ("torch", "numpy", "scikit-image", "pillow", "ray")
"""Packages that touch the numbers, or that all machines talk through."""


def problems(constraints: str) -> list[str]:
    """Deciding packages that are not here in the pinned version, each as a phrase."""
    pins = dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)", constraints, flags=re.MULTILINE))
    found = []
    for name in DECIDING:
        try:
            here = importlib.metadata.version(name).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            here = "none"
        if name in pins and here != pins[name]:
            found.append(f"{name} {here} instead of {pins[name]}")
    return found


def main() -> None:
    """Ends with 2 and one line if there is a problem."""
    found = problems(Path("constraints.txt").read_text())
    if found:
        print(
            f"Error: the cluster has {', '.join(found)}; `ray up` with this checkout installs the versions of constraints.txt",
            file=sys.stderr,
        )
        sys.exit(2)


if __name__ == "__main__":
    main()
