"""The image scores of a trial while it is tested, kept in its directory: what is cut off goes on with the next image."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain

from rdun.results import Score, TrialDirectory
from rdun.results.keeping import LAST

PERIOD = 20.0
"""Seconds between two writes: what a test that is cut off repeats at most, besides one image. Short tests write none."""


class ScoredImages:
    """Whole-image scores by checkpoint, data set, image and recursions; an image has all its rows, or none.

    Args:
        folder: of the trial. Rows found there are taken over if they are of these weights.
        weights: the last weights as a file, which is written too.
    """

    def __init__(self, folder: TrialDirectory, weights: bytes) -> None:
        self._folder, self._written = folder, time.monotonic()
        if folder.read_if_there(LAST) != weights:
            folder.write_scored(())
            folder.write(LAST, weights)
        self._rows = defaultdict[tuple[str, str, str, int], list[Score]](list)
        self._keep(folder.scored())

    def of(self, checkpoint: str, dataset: str, image: str, recursions: int) -> list[Score]:
        """The rows of an image, empty if it is still to be done."""
        return self._rows.get((checkpoint, dataset, image, recursions), [])

    def add(self, rows: Sequence[Score]) -> None:
        """Keeps all rows of one image."""
        self._keep(rows)
        if time.monotonic() > self._written + PERIOD:
            self._folder.write_scored(chain.from_iterable(self._rows.values()))
            self._written = time.monotonic()

    def _keep(self, rows: Sequence[Score]) -> None:
        for row in rows:
            self._rows[row.checkpoint, row.dataset, row.image, row.recursions].append(row)

    def done(self) -> None:
        """Leaves nothing to go on from."""
        self._folder.write_scored(())
