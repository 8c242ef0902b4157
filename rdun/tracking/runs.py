"""The runs of one experiment, found by identity or made."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from rdun.tracking import view
from rdun.tracking.client import Run, Tracker
from rdun.tracking.view import Identity, Point

PARENT = "mlflow.parentRunId"
"""Tag: the run that a run is shown below."""


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
        place = {PARENT: parent.run_id}
        if identity not in self._known:
            self._known[identity] = self.tracker.create(name, identity, started, place)
        run = self._known[identity]
        self.tracker.describe(run, {}, place)
        return run

    def again(self, run: Run, started: int) -> Run:
        """A new run in place of the one there is: with its name and what users wrote on it, and above the same runs."""
        identity = Identity.of(run.tags)
        assert identity is not None
        kept = {key: value for key, value in run.tags.items() if not key.startswith("rdun.")}
        new = self.tracker.create(run.tags["mlflow.runName"], identity, started, kept)
        self._known[identity] = new
        for other in self._known.values():
            if other.tags.get(PARENT) == run.run_id:
                self.tracker.describe(other, {}, {PARENT: new.run_id})
        self.tracker.delete(run)
        return new

    def mark(self, wanted: set[Identity]) -> None:
        """Marks the runs that are no longer asked for as earlier ones."""
        for identity, run in self._known.items():
            self.tracker.describe(run, {}, {"rdun.plan": "current" if identity in wanted else "earlier"})

    def log_changes(self, run: Run, points: Iterable[Point]) -> None:
        """Logs what differs from the latest value."""
        self.tracker.log(run, [[point for point in points if run.metrics.get(point.key) != point.value]])

    def log_latest(self, run: Run, values: Mapping[str, float]) -> None:
        """Logs values that take the place of earlier ones: of one step the tracker shows the latest, whoever's clock told it."""
        self.log_changes(run, view.points(values, max(now(), run.logged + 1), 0))


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
