"""Keeps MLflow up to date while a study or search runs, without ever being waited for; and brings it up to date afterwards."""

from __future__ import annotations

import os
import threading
from types import TracebackType

from rdun.results import Folder, Store, is_held
from rdun.tracking.client import TrackerError, cause, without_password
from rdun.tracking.copier import Copier
from rdun.tracking.search import SearchCopier
from rdun.tracking.study import StudyCopier


class Mirror:
    """While it is entered, a thread copies what is new in the trial directories of a study or search to MLflow.

    Training never waits for it: entering returns at once, whatever goes wrong in the thread is kept in `problem` and tried again
    in the next pass, and leaving waits `patience` seconds at most. What did not arrive can be copied later (`sync`).

    Args:
        home: folder of the study or search. As long as it holds neither plan.json nor search.json there is nothing to copy.
        store: its trial directories.
        uri: the tracker, see `tracking_uri`.
        period: seconds between passes.
        patience: seconds that leaving, and publishing, wait for a slow tracker.

    Attributes:
        problem: one line, with the remedy, if the last pass failed; else None.
    """

    def __init__(
        self, home: str | os.PathLike[str], store: Store, uri: str, period: float = 2.0, patience: float = 60.0
    ) -> None:
        self.home, self.store, self.uri = Folder(home), store, uri
        self.period, self.patience = period, patience
        self.problem: str | None = None
        self._copier: Copier | None = None
        self._answer, self._due = "", False  # a report that waits to be attached
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="rdun-mirror")

    def __enter__(self) -> Mirror:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._await(self._thread)

    def publish(self, answer: str = "") -> None:
        """Copies what is new, and attaches the report to the run of the study or search; inside or after the `with`.

        Inside, what fails is tried again in the next pass.

        Args:
            answer: in a sentence, for the run's description.
        """
        self._answer, self._due = answer, True
        thread = threading.Thread(target=self._pass, daemon=True)
        thread.start()
        self._await(thread)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._pass()
            self._ended.wait(self.period)
        self._pass()

    def _pass(self) -> None:
        with self._lock:
            due, self._due = self._due, False
            try:
                self._copier = self._copier or _copier(self.home, self.store, self.uri)
                if self._copier:
                    self._copier.answer = self._answer or self._copier.answer
                    self._copier.copy(last=self._ended.is_set())
                    if due:
                        self._copier.publish()
                    self.problem = _failed(self._copier)
            except Exception as error:
                self._due = due or self._due
                self.problem = self._remedy(cause(error))
                if self._copier:
                    self._copier.reset()

    def _remedy(self, reason: str) -> str:
        command = self._copier.command if self._copier else "the command that was given"
        return _remedy(command, self.store, self.uri, reason)

    def _await(self, thread: threading.Thread) -> None:
        thread.join(self.patience)
        if thread.is_alive():
            self.problem = self._remedy(f"not finished after {self.patience:.0f} s")


def sync(home: str | os.PathLike[str], store: Store, uri: str, answer: str = "") -> None:
    """Brings MLflow up to date with the report and the trial directories of a study or search; what it holds is left alone.

    Raises:
        ValueError: `home` holds neither plan.json nor search.json.
        TrackerError: the tracker cannot be reached, or not everything could be copied.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")  # somebody waits for it and nothing else does
    copier = _copier(Folder(home), store, uri)
    if copier is None:
        raise ValueError(
            f"{os.fspath(home)} holds neither plan.json nor search.json; name a study or search that was run"
        )
    copier.answer = answer
    try:
        copier.copy(last=True, held=is_held)
        copier.publish()
    except Exception as error:
        raise TrackerError(_remedy(copier.command, store, uri, cause(error))) from error
    failed = _failed(copier)
    if failed:
        raise TrackerError(failed)


def _copier(home: Folder, store: Store, uri: str) -> Copier | None:
    if home.exists("plan.json"):
        return StudyCopier(home, store, uri)
    return SearchCopier(home, store, uri) if home.exists("search.json") else None


def _failed(copier: Copier) -> str | None:
    """The trials that could not be copied, in one line; None if there are none."""
    for fingerprint, reason in copier.failures.items():
        gist = f"{len(copier.failures)} trial(s) could not be copied, such as {fingerprint}: {reason}"
        return _remedy(copier.command, copier.store, copier.uri, gist)
    return None


def _remedy(command: str, store: Store, uri: str, reason: str) -> str:
    return (
        f"the tracker {without_password(uri)} is not up to date ({reason}); results are complete in "
        f"{store.path}; run `{command} --sync` to copy them later"
    )
