"""Which trials of a store have done a training: who tests the same training otherwise need not train, nor test again."""

from __future__ import annotations

from collections.abc import Iterator

from rdun.results.directory import Folder, Store, TrialDirectory
from rdun.results.keeping import BEST, LAST
from rdun.results.records import RunInfo

TRAINED_IN = "trained_in"
"""A fact of a trial that took its training over from another one: the fingerprint of that."""
SCORED_IN = "scored_in"
"""A fact of a trial that took scores over: the fingerprints of the trials that measured them."""


class Trainings:
    """An index of finished trainings, kept beside the trials: one file per training, with a line per trial that is complete.

    Args:
        store: of the trials; what the index says of a trial is believed only while that trial is complete.
    """

    def __init__(self, store: Store) -> None:
        self._store, self._index = store, Folder(f"{store.path}/trainings")

    @classmethod
    def beside(cls, folder: TrialDirectory, fingerprint: str) -> Trainings | None:
        """Of the store that a trial directory lies in; None for one that is not called after its fingerprint, and so in none."""
        parent, _, name = folder.path.rpartition("/")
        return cls(Store(folder.fs.unstrip_protocol(parent))) if name == fingerprint else None

    def names(self) -> set[str]:
        """The trainings of which a trial was told."""
        return set(self._index.names())

    def add(self, training: str, fingerprint: str) -> None:
        """Tells of a complete trial."""
        while True:
            content = self._index.read_if_there(training)
            known = content.decode().split() if content else []
            if fingerprint in known or self._index.swap(training, "\n".join([*known, fingerprint]).encode(), content):
                return

    def complete(self, training: str) -> Iterator[tuple[TrialDirectory, RunInfo]]:
        """The complete trials of a training, in the order in which they were told of."""
        names = (self._index.read_if_there(training) or b"").decode().split()
        for folder in map(self._store.trial, names):
            run = folder.run()
            if run and run.status == "complete":
                yield folder, run

    def find(self, training: str) -> TrialDirectory | None:
        """A complete trial with the weights of a training."""
        found = (folder for folder, _ in self.complete(training) if folder.exists(BEST) and folder.exists(LAST))
        return next(found, None)
