"""Copies one trial to its MLflow run."""

from __future__ import annotations

from rdun.results import ArmRecord, TrialDirectory
from rdun.tracking import view
from rdun.tracking.client import Run, Tracker
from rdun.tracking.files import TrialFiles, attachments
from rdun.tracking.view import Point, clean

COPIED = "rdun.copied"
"""Tag: digest of the trial directory's content, set once all of it has arrived."""
SETTLED = ("complete", "failed", "stopped")


def is_copied(run: Run, files: TrialFiles) -> bool:
    """Whether the run holds all of this reading of the directory."""
    return run.tags.get(COPIED) == files.digest


def has_conflict(tracker: Tracker, run: Run, files: TrialFiles) -> bool:
    """Whether the run holds epochs that the directory does not: training began again from an earlier state."""
    if run.epochs is None:
        run.epochs = tracker.history(run, view.EPOCH_MARK)
        run.samples = {timestamp for _, timestamp in tracker.history(run, view.SYSTEM_MARK)}
    return not run.epochs <= _epochs(files)


def copy_files(tracker: Tracker, run: Run, files: TrialFiles, folder: TrialDirectory, arm: ArmRecord) -> None:
    """Sends what the run does not hold yet; the files themselves once the trial has come to an end."""
    tracker.describe(run, view.flatten(files.config) | view.arm_params(arm), {})
    tracker.log(run, [*_new_epochs(run, files), *_new_samples(run, files), _results(run, files, arm)])
    run.epochs, run.samples = _epochs(files), {sample.timestamp for sample in files.system}
    if files.run.status in SETTLED:
        tracker.upload(run, {_portable(name): content for name, content in attachments(folder).items()})
        tracker.describe(run, {}, {COPIED: files.digest})


def _epochs(files: TrialFiles) -> set[tuple[int, int]]:
    return {(record.epoch, record.timestamp) for record in files.epochs}


def _new_epochs(run: Run, files: TrialFiles) -> list[list[Point]]:
    held, rows = run.epochs or set(), view.epoch_points(files.epochs)
    return [points for record, points in rows if (record.epoch, record.timestamp) not in held]


def _new_samples(run: Run, files: TrialFiles) -> list[list[Point]]:
    held, rows = run.samples or set(), view.system_points(files.system, files.started)
    return [points for sample, points in rows if sample.timestamp not in held]


def _results(run: Run, files: TrialFiles, arm: ArmRecord) -> list[Point]:
    """Size, and the final metrics of a complete trial, at its last epoch: the same values at the same place every time."""
    size = [point for point in view.size_points(arm, files.started) if run.metrics.get(point.key) != point.value]
    if not files.epochs:
        return size
    end = files.epochs[-1]
    return size + [Point(key, value, end.timestamp, end.epoch) for key, value in view.summary(files).items()]


def _portable(path: str) -> str:
    """An artifact path that survives URLs and every file system; the suffix stays."""
    *parents, name = path.split("/")
    stem, dot, suffix = name.rpartition(".")
    return "/".join([*map(clean, parents), f"{clean(stem)}{dot}{suffix}"])
