"""Copies trial directories to their MLflow runs: everything once, whatever was cut off, lost or copied before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from rdun.results import EpochRecord, Folder, RunInfo, Store, TrialDirectory
from rdun.tracking import view
from rdun.tracking.client import Run, Tracker, cause, is_refusal
from rdun.tracking.files import TrialFiles, Unreadable, attachments, read_trial
from rdun.tracking.runs import Runs
from rdun.tracking.view import Identity, Point

COPIED = "rdun.copied"
"""Tag: digest of the trial directory's content, set once all of it has arrived."""
SETTLED = ("complete", "failed", "stopped")
Held = Callable[[TrialDirectory], bool]


class Place(NamedTuple):
    """Where a trial appears.

    Attributes:
        identity, name: of its run there.
        parent: identity and name of the run it is below; None: the study or search itself.
        title, about: what the trial is, in words, for its description.
        params, sizes: what is known of it before it runs, as parameters and as metrics.
    """

    identity: Identity
    name: str
    parent: tuple[Identity, str] | None
    title: str
    about: str
    params: Mapping[str, str]
    sizes: Mapping[str, float]


class Trials:
    """The trials of one study or search; a trial that serves several places has a run in each.

    Attributes:
        status: fingerprint -> MLflow status.
        ended: fingerprint -> its last moment, milliseconds since 1970.
        digests: fingerprint -> equal for equal content.
        summaries: fingerprint -> what it has come to; complete ones hold their scores.
        failures: fingerprint -> why this trial could not be read, or was refused; the others are copied all the same.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.status: dict[str, str] = {}
        self.ended: dict[str, int] = {}
        self.digests: dict[str, str] = {}
        self.summaries: dict[str, dict[str, float]] = {}
        self.failures: dict[str, str] = {}
        self._done: dict[str, tuple[RunInfo, set[Identity]]] = {}

    def reset(self) -> None:
        """Forgets what the tracker holds."""
        self._done = {}

    def last(self, otherwise: int) -> int:
        """The last moment of all of them."""
        return max(self.ended.values(), default=0) or otherwise

    def complete(self, fingerprints: Sequence[str]) -> bool:
        return all(self.status.get(fingerprint) == "FINISHED" for fingerprint in fingerprints)

    def overall(self, fingerprints: Sequence[str], last: bool) -> str:
        """The status of a run above these trials.

        Args:
            last: no trial goes on.
        """
        states = {self.status.get(fingerprint) for fingerprint in fingerprints}
        if states == {"FINISHED"}:
            return "FINISHED"
        if not last or "RUNNING" in states:
            return "RUNNING"
        return "FAILED" if "FAILED" in states else "KILLED"

    def copy(self, runs: Runs, root: Run, places: Mapping[str, Sequence[Place]], goes_on: Held) -> None:
        """Copies the trials that have news."""
        present = set(Folder(self.store.path).names())
        for fingerprint, where in places.items():
            done, shown_at = self._done.get(fingerprint, (None, set()))
            if fingerprint not in present or (done and done.status == "complete" and shown_at == _identities(where)):
                continue
            self._try(runs, root, fingerprint, where, goes_on)

    def _try(self, runs: Runs, root: Run, fingerprint: str, places: Sequence[Place], goes_on: Held) -> None:
        """A trial that cannot be read or is refused does not keep the others from being copied."""
        folder = self.store.trial(fingerprint)
        try:
            info = folder.run()
            if info is None or self._done.get(fingerprint) == (info, _identities(places)):
                return
            files = read_trial(folder, info)
            summary = view.summary(files)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            self.failures[fingerprint] = f"{type(error).__name__}: {cause(error)}"
            return
        cut_off = info.status == "running" and not goes_on(folder)
        status = "KILLED" if cut_off else view.STATUS[info.status]
        try:
            for place in places:
                _copy(runs, root, place, files, folder, status)
        except Exception as error:
            if not isinstance(error, Unreadable) and not is_refusal(error):
                raise
            self.failures[fingerprint] = cause(error)
            return
        self.failures.pop(fingerprint, None)
        self.status[fingerprint], self.ended[fingerprint] = status, files.ended
        self.summaries[fingerprint], self.digests[fingerprint] = summary, files.digest
        if info.status in SETTLED:
            self._done[fingerprint] = info, _identities(places)


def _identities(places: Iterable[Place]) -> set[Identity]:
    return {place.identity for place in places}


def _copy(runs: Runs, root: Run, place: Place, files: TrialFiles, folder: TrialDirectory, status: str) -> None:
    parent = runs.below(root, *place.parent, files.started) if place.parent else root
    run = runs.below(parent, place.identity, place.name, files.started)
    if run.tags.get(COPIED) != files.digest:
        if _has_conflict(runs.tracker, run, files, folder):
            run = runs.again(run, files.started)
        _copy_files(runs, run, place, files, folder, status)
    note = {"mlflow.note.content": view.trial_note(files, place.title, place.about)}
    runs.tracker.describe(run, {}, place.identity.tags() | view.trial_tags(files) | note)
    runs.tracker.set_status(run, status, files.ended)


def _has_conflict(tracker: Tracker, run: Run, files: TrialFiles, folder: TrialDirectory) -> bool:
    """Whether the run holds epochs that the directory does not: training began again from an earlier state.

    The directory is asked once more: another driver may have copied what was trained since we read it.
    """
    if run.epochs is None:
        run.epochs = tracker.history(run, view.EPOCH_MARK)
        run.samples = {timestamp for _, timestamp in tracker.history(run, view.SYSTEM_MARK)}
    return not run.epochs <= _epochs(files.epochs) and not run.epochs <= _epochs(folder.epochs())


def _copy_files(runs: Runs, run: Run, place: Place, files: TrialFiles, folder: TrialDirectory, status: str) -> None:
    """Sends what the run does not hold yet; the files themselves once the trial has come to an end."""
    runs.tracker.describe(run, {**view.flatten(files.config), **place.params}, {})
    results = [] if status == "RUNNING" else _results(files)
    runs.tracker.log(run, [*_new_epochs(run, files), *_new_samples(run, files), results])
    runs.log_changes(run, view.points(place.sizes, files.started, 0))
    run.epochs = (run.epochs or set()) | _epochs(files.epochs)
    run.samples = (run.samples or set()) | {sample.timestamp for sample in files.system}
    if files.run.status in SETTLED:
        runs.tracker.upload(run, {_portable(name): content for name, content in attachments(folder).items()})
        runs.tracker.describe(run, {}, {COPIED: files.digest})


def _epochs(records: Iterable[EpochRecord]) -> set[tuple[int, int]]:
    return {(record.epoch, record.timestamp) for record in records}


def _new_epochs(run: Run, files: TrialFiles) -> list[list[Point]]:
    held, rows = run.epochs or set(), view.epoch_points(files.epochs)
    return [points for record, points in rows if (record.epoch, record.timestamp) not in held]


def _new_samples(run: Run, files: TrialFiles) -> list[list[Point]]:
    held, rows = run.samples or set(), view.system_points(files.system, files.started)
    return [points for sample, points in rows if sample.timestamp not in held]


def _results(files: TrialFiles) -> list[Point]:
    """What an ended trial has come to, at its last moment: the same values at the same place every time."""
    return view.points(view.summary(files), files.ended, files.epochs[-1].epoch if files.epochs else 0)


def _portable(path: str) -> str:
    """An artifact path that survives URLs and every file system; the suffix stays."""
    *parents, name = path.split("/")
    stem, dot, suffix = name.rpartition(".")
    return "/".join([*map(view.clean, parents), f"{view.clean(stem)}{dot}{suffix}"])
