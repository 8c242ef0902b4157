"""The image scores of a trial while it is tested, kept in its directory: what is cut off goes on with the next image."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rdun.results import Score, TrialDirectory

PERIOD = 20.0
"""Seconds between two writes: what a test that is cut off repeats at most, besides one image. Short tests write none."""
LAST = "last.safetensors"


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
        self._rows = folder.scored()

    def of(self, checkpoint: str, dataset: str, image: str, recursions: int) -> list[Score]:
        """The rows of an image, empty if it is still to be done."""
        wanted = checkpoint, dataset, image, recursions
        return [row for row in self._rows if (row.checkpoint, row.dataset, row.image, row.recursions) == wanted]

    def add(self, rows: Sequence[Score]) -> None:
        """Keeps all rows of one image."""
        self._rows += rows
        if time.monotonic() > self._written + PERIOD:
            self._folder.write_scored(self._rows)
            self._written = time.monotonic()

    def done(self) -> None:
        """Leaves nothing to go on from."""
        self._folder.write_scored(())
