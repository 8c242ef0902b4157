"""The runs of one experiment, found by identity or made."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable

from rdun.tracking.client import Run, Tracker
from rdun.tracking.view import Identity, Point


class Runs:
    """What the tracker holds of a study or search of one runs folder, as far as it is known; asks it when it is made."""

    def __init__(self, uri: str, experiment: str, store: str) -> None:
        self.tracker = Tracker(uri, experiment)
        self._known = self.tracker.runs(store)

    def get(self, identity: Identity) -> Run | None:
        return self._known.get(identity)

    def root(self, identity: Identity, name: str, started: int) -> Run:
        """The run on top of all others, made if need be."""
        if identity not in self._known:
            self._known[identity] = self.tracker.create(name, identity, started)
        return self._known[identity]

    def below(self, parent: Run, identity: Identity, name: str, started: int) -> Run:
        """The run of an identity, made if need be, below its parent."""
        if identity not in self._known:
            self._known[identity] = self.tracker.create(name, identity, started, parent)
        run = self._known[identity]
        self.tracker.describe(run, {}, {"mlflow.parentRunId": parent.run_id})
        return run

    def again(self, parent: Run, identity: Identity, name: str, started: int) -> Run:
        """A new run in place of the one there is."""
        self.tracker.delete(self._known.pop(identity))
        return self.below(parent, identity, name, started)

    def mark(self, wanted: set[Identity]) -> None:
        """Marks the runs that are no longer asked for as earlier ones."""
        for identity, run in self._known.items():
            self.tracker.describe(run, {}, {"rdun.plan": "current" if identity in wanted else "earlier"})

    def log_changes(self, run: Run, points: Iterable[Point]) -> None:
        """Logs what differs from the latest value."""
        self.tracker.log(run, [[point for point in points if _differs(run.metrics.get(point.key), point.value)]])


def _differs(held: float | None, value: float) -> bool:
    return held is None or not (held == value or (math.isnan(held) and math.isnan(value)))


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
