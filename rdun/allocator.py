"""How this process gets memory from the system."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of the two settings in glibc's malloc.h."""


def keep_freed_memory() -> None:
    """Lets memory that is freed wait for the next tensor instead of going back to the system. With glibc only, else nothing.

    The features of a large image come and go with every layer. By default each of them is new memory, and pays a page fault for
    every 4 KiB: a fifth of the time of a reconstruction. The peak stays the same, but what the process holds does not shrink.
    """
    if not sys.platform.startswith("linux"):
        return
    malloc = ctypes.CDLL(None)
    if hasattr(malloc, "mallopt"):
        malloc.mallopt(_MMAP_THRESHOLD, 2**30)
        malloc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
