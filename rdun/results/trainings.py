"""Which trial of a store holds the weights of a training: who tests the same training otherwise need not train."""

from __future__ import annotations

from rdun.results.directory import Folder, Store, TrialDirectory
from rdun.results.keeping import BEST, LAST

TRAINED_IN = "trained_in"
"""A fact of a trial that took its training over from another one: the fingerprint of that."""


class Trainings:
    """An index of finished trainings, kept beside the trials: one file per training, with the fingerprint of a trial.

    Args:
        store: of the trials; what the index says of a trial is believed only while that trial is complete and has its weights.
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
        """Tells of a complete trial, unless one with weights is known."""
        if self.find(training) is None:
            self._index.write_text(training, fingerprint)

    def find(self, training: str) -> TrialDirectory | None:
        """A complete trial with the weights of a training."""
        content = self._index.read_if_there(training)
        if content is None:
            return None
        folder = self._store.trial(content.decode())
        run = folder.run()
        usable = run is not None and run.status == "complete" and folder.exists(BEST) and folder.exists(LAST)
        return folder if usable else None
