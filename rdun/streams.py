"""Random streams: every source of chance is a generator of its own, made from a seed and a purpose."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, purpose: str) -> np.random.Generator:
    """A generator that depends on nothing but `seed` and `purpose` ("batches", "matrices", "recursions", ...)."""
    return np.random.default_rng([seed, zlib.crc32(purpose.encode())])


def seed_for(seed: int, purpose: str) -> int:
    """A 63-bit seed for libraries that take an integer."""
    return int(stream(seed, purpose).integers(2**63))
