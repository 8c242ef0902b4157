"""Copies a study or search, its report and its trial directories to MLflow."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

from rdun.results import Folder, Store, is_copied, milliseconds, runs_id, runs_place
from rdun.tracking.client import Run
from rdun.tracking.runs import Runs, now
from rdun.tracking.trials import Held, Place, Trials
from rdun.tracking.view import Identity

REPORT = ("report.html", "report.md", "report.pdf", "plan.json", "search.json", "tables", "figures")
"""What is published of the folder of a study or search."""


class Copier(abc.ABC):
    """One study or search and one tracker; all its runs are of one experiment, and found there by their tags.

    `copy` may fail anywhere: `reset` forgets what was known about the tracker, and the next `copy` asks it again.

    Attributes:
        name: of the study or search, and of its experiment.
        command: that runs it.
        answer: in a sentence, once there is one.
        place, store_id: path and id of the runs folder.

    Raises:
        ValueError: the runs folder has no id and cannot be written.
    """

    name: str
    command: str

    def __init__(self, home: Folder, store: Store, uri: str) -> None:
        self.home, self.store, self.uri = home, store, uri
        self.answer = ""
        self.place, self.store_id = runs_place(store), runs_id(store)
        self.trials = Trials(store)
        self.reset()

    @property
    def failures(self) -> Mapping[str, str]:
        """Fingerprints of the trials that could not be copied, and why."""
        return self.trials.failures

    def reset(self) -> None:
        """Forgets the tracker."""
        self._found: tuple[Runs, Run] | None = None
        self.trials.reset()

    def copy(self, *, last: bool = False, held: Held | None = None) -> None:
        """One pass over the trial directories.

        Args:
            last: no trial goes on after this pass: what is unfinished is shown as KILLED.
            held: whether a trial that calls itself running still is, all the same.
        """
        self._read()
        runs, root = self._attached()
        known = set(self.failures.items())
        self.trials.copy(runs, root, self._places(), lambda folder: not last or (held is not None and held(folder)))
        self.answer = self.answer or root.tags.get("rdun.answer", "")
        self._copy_rest(runs, root, last)
        if self.failures.items() - known:  # a run may have been deleted under our hands: look again
            self.reset()

    def publish(self) -> None:
        """Attaches the report to the run of the study or search."""
        runs, root = self._attached()
        runs.tracker.upload(root, {name: self.home.read(name) for name in self._report()})

    def _report(self) -> list[str]:
        present = [name for name in REPORT if self.home.exists(name)]
        found = [str(path) for name in present for path in self.home.fs.find(f"{self.home.path}/{name}")]
        return [path[len(self.home.path) + 1 :] for path in found]

    def _attached(self) -> tuple[Runs, Run]:
        """The runs, and the one on top, made if need be."""
        if self._found is None:
            identity, title, provenance = self._root()
            runs = Runs(self.uri, self.name, self.store_id)
            root = runs.root(identity, title, _began(provenance))
            self._tell_place(runs, root, identity, title)
            runs.mark({identity, *self._wanted()})
            self._found = runs, root
        return self._found

    def _tell_place(self, runs: Runs, root: Run, identity: Identity, title: str) -> None:
        """Writes the runs folder to the run on top; and to its name, where other folders have runs of the same title.

        Raises:
            ValueError: the runs are those of a folder of which this one is a copy: each would delete what the other one has.
        """
        before = root.tags.get("rdun.runs", self.place)
        if is_copied(self.place, before):
            raise ValueError(f"remove {self.place}/id: {self.place} is a copy of {before}, whose runs are there")
        runs.tracker.describe(root, {}, {"rdun.runs": self.place})
        if root.tags.get("mlflow.runName", "").startswith(title) and runs.tracker.shared(identity):
            runs.tracker.rename(root, f"{title} ({self.place}, {self.store_id[:4]})")

    @abc.abstractmethod
    def _read(self) -> None:
        """Reads again what may have changed in the folder."""

    @abc.abstractmethod
    def _root(self) -> tuple[Identity, str, Mapping[str, Any]]:
        """Identity and title of the run on top, and how it was made."""

    @abc.abstractmethod
    def _places(self) -> Mapping[str, Sequence[Place]]:
        """Fingerprint -> where the trial appears."""

    @abc.abstractmethod
    def _wanted(self) -> set[Identity]:
        """The runs below the one on top that are asked for now."""

    @abc.abstractmethod
    def _copy_rest(self, runs: Runs, root: Run, last: bool) -> None:
        """Copies all but the trials."""


def _began(provenance: Mapping[str, Any]) -> int:
    began = provenance.get("started")
    return milliseconds(began) if isinstance(began, str) and began else now()
