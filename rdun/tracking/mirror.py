"""Keeps MLflow up to date while a study runs, without ever being waited for; and brings it up to date afterwards."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from types import TracebackType

from rdun.results import Folder, PlanRecord, Store
from rdun.tracking.client import TrackerError, cause, without_password
from rdun.tracking.copier import Copier
from rdun.tracking.files import is_held


class Mirror:
    """While it is entered, a thread copies what is new in a study's trial directories to MLflow.

    Training never waits for it: entering returns at once, whatever goes wrong in the thread is kept in `problem` and tried again
    in the next pass, and leaving waits `patience` seconds at most. What did not arrive can be copied later (`sync`).

    Args:
        plan: the study.
        store: its trial directories.
        uri: the tracker, see `tracking_uri`.
        period: seconds between passes.
        patience: seconds that leaving, and publishing, wait for a slow tracker.

    Attributes:
        problem: one line, with the remedy, if the last pass failed; else None.
    """

    def __init__(self, plan: PlanRecord, store: Store, uri: str, period: float = 2.0, patience: float = 60.0) -> None:
        self.plan, self.store, self.uri = plan, store, uri
        self.period, self.patience = period, patience
        self.problem: str | None = None
        self._copier = Copier(plan, store, uri)
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

    def publish(self, study_folder: str | os.PathLike[str], answer: str = "") -> None:
        """Copies what is new, and attaches the report to the study's run; inside or after the `with`.

        Args:
            study_folder: holds report.html, report.md, plan.json, tables/ and figures/, as far as they exist.
            answer: the study's answer in a sentence, for the run's description.
        """

        def copy_and_publish() -> None:
            self._copier.answer = answer or self._copier.answer
            self._copier.copy(last=self._ended.is_set())
            self._copier.publish(Folder(study_folder))

        thread = threading.Thread(target=self._attempt, args=(copy_and_publish,), daemon=True)
        thread.start()
        self._await(thread)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._attempt(self._copier.copy)
            self._ended.wait(self.period)
        self._attempt(lambda: self._copier.copy(last=True))

    def _attempt(self, work: Callable[[], None]) -> None:
        with self._lock:
            try:
                work()
                self.problem = _remedy(self._copier, _failures(self._copier)) if self._copier.failures else None
            except Exception as error:
                self._copier.reset()
                self.problem = _remedy(self._copier, cause(error))

    def _await(self, thread: threading.Thread) -> None:
        thread.join(self.patience)
        if thread.is_alive():
            self.problem = _remedy(self._copier, f"not finished after {self.patience:.0f} s")


def sync(
    plan: PlanRecord, store: Store, uri: str, study_folder: str | os.PathLike[str] | None = None, answer: str = ""
) -> None:
    """Brings MLflow up to date with a study's trial directories; what it already holds is left alone.

    Raises:
        TrackerError: the tracker cannot be reached, or not everything could be copied.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")  # somebody waits for it and nothing else does
    copier = Copier(plan, store, uri)
    copier.answer = answer
    try:
        copier.copy(last=True, held=is_held)
        if study_folder is not None:
            copier.publish(Folder(study_folder))
    except Exception as error:
        raise TrackerError(_remedy(copier, cause(error))) from error
    if copier.failures:
        raise TrackerError(_remedy(copier, _failures(copier)))


def _failures(copier: Copier) -> str:
    fingerprint, reason = next(iter(copier.failures.items()))
    return f"{len(copier.failures)} trial(s) could not be copied, such as {fingerprint}: {reason}"


def _remedy(copier: Copier, reason: str) -> str:
    return (
        f"the tracker {without_password(copier.uri)} is not up to date ({reason}); results are complete in "
        f"{copier.store.path}; run `python studies/run_ablation.py {copier.plan.name} --sync` to copy them later"
    )
