"""The scores of a trial while it is tested, kept in its directory: what is cut off goes on with the next image or matrix."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from rdun.results import Score, TrialDirectory
from rdun.results.keeping import LAST

PERIOD = 20.0
"""Seconds between two writes: what a test that is cut off repeats at most, and one image or matrix. Short tests write none."""


class Key(NamedTuple):
    """What a test goes through one by one: images, and of the pooled blocks ("all") the matrices."""

    checkpoint: str
    split: str
    dataset: str
    image: str
    recursions: int


class Scored:
    """Scores by what they are of. A whole image has all its rows, or none; of pooled blocks each matrix has its row.

    Args:
        folder: of the trial. Rows found there are taken over if they are of these weights.
        weights: the last weights as a file, which is written too.
    """

    def __init__(self, folder: TrialDirectory, weights: bytes) -> None:
        self._folder, self._written = folder, time.monotonic()
        if folder.read_if_there(LAST) != weights:
            folder.write_scored(())
            folder.write(LAST, weights)
        self._rows = defaultdict[Key, list[Score]](list)
        self._keep(folder.scored())

    def learn(self, rows: Sequence[Score]) -> None:
        """Takes over rows that were measured elsewhere, of what is not begun here."""
        begun = {*self._rows}
        self._keep([row for row in rows if _key(row) not in begun])

    def of(self, key: Key) -> list[Score]:
        """The rows that are there, empty if all is still to be done."""
        return self._rows.get(key, [])

    def add(self, rows: Sequence[Score]) -> None:
        """Keeps all rows of one image, or that of a matrix."""
        self._keep(rows)
        if time.monotonic() > self._written + PERIOD:
            self._folder.write_scored(chain.from_iterable(self._rows.values()))
            self._written = time.monotonic()

    def _keep(self, rows: Sequence[Score]) -> None:
        for row in rows:
            self._rows[_key(row)].append(row)

    def done(self) -> None:
        """Leaves nothing to go on from."""
        self._folder.write_scored(())


def _key(row: Score) -> Key:
    return Key(row.checkpoint, row.split, row.dataset, row.image, row.recursions)
