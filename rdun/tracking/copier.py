"""Copies a study's trial directories to MLflow: everything once, whatever was cut off, lost or copied before."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import fmean
from typing import NamedTuple

from rdun.results import ArmRecord, CellRecord, Folder, PlanRecord, RunInfo, Store, TrialDirectory
from rdun.tracking import view
from rdun.tracking.client import Run, Tracker, cause, is_refusal
from rdun.tracking.files import TrialFiles, milliseconds, read_trial
from rdun.tracking.trials import SETTLED, copy_files, has_conflict, is_copied
from rdun.tracking.view import Identity, Point

REPORT = ("report.html", "report.md", "report.pdf", "plan.json", "tables", "figures")
"""What is published of a study's folder."""
Held = Callable[[TrialDirectory], bool]


class Place(NamedTuple):
    """Where a trial appears: its arm, and the name and identity of its run there."""

    arm: ArmRecord
    name: str
    identity: Identity


class Copier:
    """One study and one tracker.

    Study, arms and trials are runs of one experiment, found by their tags; a trial that serves several arms has a run under each.
    `copy` may fail anywhere: `reset` forgets what was known about the tracker, and the next `copy` asks it again.

    Attributes:
        answer: the study's answer, once there is one.
        failures: fingerprint -> why this trial could not be read, or was refused; the others are copied all the same.
    """

    def __init__(self, plan: PlanRecord, store: Store, uri: str) -> None:
        self.plan, self.store, self.uri = plan, store, uri
        self.answer = ""
        self.failures: dict[str, str] = {}
        self._arms = {arm.name: arm for arm in plan.arms}
        self._arm_ids = {arm.name: view.arm_identity(plan.name, arm) for arm in plan.arms}
        self._places: dict[str, list[Place]] = {}
        for cell in plan.cells:
            for number, fingerprint in enumerate(cell.fingerprints, 1):
                self._places.setdefault(fingerprint, []).append(self._place(cell, number))
        self._status: dict[str, str] = {}
        self._ended: dict[str, int] = {}
        self._summaries: dict[str, dict[str, float]] = {}
        self.reset()

    def reset(self) -> None:
        """Forgets the tracker."""
        self._tracker: Tracker | None = None
        self._runs: dict[Identity, Run] = {}
        self._done: dict[str, RunInfo] = {}

    def copy(self, *, last: bool = False, held: Held | None = None) -> None:
        """One pass over the trial directories.

        Args:
            last: no trial goes on after this pass: what is unfinished is shown as KILLED.
            held: whether a trial that calls itself running still is, all the same.
        """

        def goes_on(folder: TrialDirectory) -> bool:
            return not last or (held is not None and held(folder))

        study, known = self._attach(), len(self.failures)
        present = set(Folder(self.store.path).names())
        for fingerprint in self._places:
            done = self._done.get(fingerprint)
            if fingerprint in present and not (done and done.status == "complete"):
                self._try_trial(fingerprint, study, goes_on)
        for arm in self.plan.arms:
            self._copy_arm(arm, last)
        self._copy_study(study, last)
        if len(self.failures) > known:  # a run may have been deleted under our hands: look again
            self.reset()

    def publish(self, folder: Folder) -> None:
        """Attaches the report to the study's run."""
        study, names = self._attach(), []
        for name in REPORT:
            if folder.exists(name):
                names += [str(path)[len(folder.path) + 1 :] for path in folder.fs.find(f"{folder.path}/{name}")]
        assert self._tracker is not None
        self._tracker.upload(study, {name: folder.read(name) for name in names})

    def _place(self, cell: CellRecord, number: int) -> Place:
        """Names the run: the seed first, as tables cut long names off; the trials of a cell are numbered if it has several."""
        trial = f", trial {number}" if len(cell.fingerprints) > 1 else ""
        identity = Identity(self.plan.name, cell.arm, str(cell.seed), cell.fingerprints[number - 1])
        return Place(self._arms[cell.arm], f"seed {cell.seed}{trial}: {cell.arm}", identity)

    def _attach(self) -> Run:
        """The study's run, made if need be. Runs that the plan no longer names are marked as earlier ones."""
        identity = Identity(self.plan.name)
        if self._tracker is None:
            tracker = Tracker(self.uri, self.plan.name)
            self._runs = tracker.runs()
            if identity not in self._runs:
                began = self.plan.provenance.get("started")
                started = milliseconds(began) if isinstance(began, str) and began else _now()
                self._runs[identity] = tracker.create(self.plan.title or self.plan.name, identity, started)
            wanted = {identity, *self._arm_ids.values()}
            wanted |= {place.identity for places in self._places.values() for place in places}
            for known, run in self._runs.items():
                tracker.describe(run, {}, {"rdun.plan": "current" if known in wanted else "earlier"})
            self._tracker = tracker
        return self._runs[identity]

    def _try_trial(self, fingerprint: str, study: Run, goes_on: Held) -> None:
        """Copies a trial if it has news. One that cannot be read or is refused does not keep the others from being copied."""
        folder = self.store.trial(fingerprint)
        try:
            info = folder.run()
            if info is None or self._done.get(fingerprint) == info:
                return
            files = read_trial(folder, info)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            self.failures[fingerprint] = f"{type(error).__name__}: {cause(error)}"
            return
        try:
            self._copy_trial(files, folder, study, goes_on)
        except Exception as error:
            if not is_refusal(error):
                raise
            self.failures[fingerprint] = cause(error)
        else:
            self.failures.pop(fingerprint, None)

    def _copy_trial(self, files: TrialFiles, folder: TrialDirectory, study: Run, goes_on: Held) -> None:
        fingerprint, info = files.run.fingerprint, files.run
        cut_off = info.status == "running" and not goes_on(folder)
        status = "KILLED" if cut_off else view.STATUS[info.status]
        for place in self._places[fingerprint]:
            self._copy_place(place, files, folder, study, status)
        self._status[fingerprint], self._ended[fingerprint] = status, files.ended
        if info.status == "complete":
            self._summaries[fingerprint] = view.summary(files)
        if info.status in SETTLED:
            self._done[fingerprint] = info

    def _copy_place(self, place: Place, files: TrialFiles, folder: TrialDirectory, study: Run, status: str) -> None:
        assert self._tracker is not None
        arm = self._run(self._arm_ids[place.arm.name], place.arm.name, files.started, study)
        run = self._run(place.identity, place.name, files.started, arm)
        if not is_copied(run, files):
            if has_conflict(self._tracker, run, files):
                self._tracker.delete(self._runs.pop(place.identity))
                run = self._run(place.identity, place.name, files.started, arm)
            copy_files(self._tracker, run, files, folder, place.arm)
        self._tracker.describe(run, {}, view.trial_tags(files, place.arm, place.identity))
        self._tracker.set_status(run, status, files.ended)

    def _run(self, identity: Identity, name: str, started: int, parent: Run) -> Run:
        """The run of an identity, made if need be, below its parent."""
        assert self._tracker is not None
        if identity not in self._runs:
            self._runs[identity] = self._tracker.create(name, identity, started, parent)
        run = self._runs[identity]
        self._tracker.describe(run, {}, {"mlflow.parentRunId": parent.run_id})
        return run

    def _copy_arm(self, arm: ArmRecord, last: bool) -> None:
        """Means and spread over seeds, when all of them are there."""
        assert self._tracker is not None
        run = self._runs.get(self._arm_ids[arm.name])
        if run is None:
            return
        cells = [cell.fingerprints for cell in self.plan.cells if cell.arm == arm.name]
        whole = [prints for prints in cells if all(p in self._summaries for p in prints)]
        tags = self._arm_ids[arm.name].tags() | {"rdun.seeds": ", ".join(map(str, self.plan.seeds))}
        tags["mlflow.note.content"] = view.arm_note(arm, len(whole), len(cells))
        self._tracker.describe(run, view.arm_config(arm) | view.arm_params(arm), tags)
        ended = max((self._ended.get(p, 0) for prints in cells for p in prints), default=0)
        points = view.size_points(arm, run.started)
        points.append(Point("seeds_complete", len(whole), ended or run.started, len(whole)))
        if cells and len(whole) == len(cells):
            means = view.seed_means([_mean([self._summaries[p] for p in prints]) for prints in cells])
            points += [Point(key, value, ended, len(cells)) for key, value in means.items()]
        self._log_changes(run, points)
        self._tracker.set_status(run, self._overall([p for prints in cells for p in prints], last), ended or _now())

    def _copy_study(self, study: Run, last: bool) -> None:
        assert self._tracker is not None
        self.answer = self.answer or study.tags.get("rdun.answer", "")
        self._tracker.describe(study, {}, Identity(self.plan.name).tags() | view.study_tags(self.plan, self.answer))
        states = [self._status.get(fingerprint) for fingerprint in self._places]
        seconds = sum(values.get("time/train_seconds", 0.0) for values in self._summaries.values())
        values = {
            "trials_planned": len(states),
            "trials_complete": states.count("FINISHED"),
            "trials_failed": states.count("FAILED"),
            "train_hours": seconds / 3600,
        }
        now = _now()
        self._log_changes(study, [Point(key, value, now, 0) for key, value in values.items()])
        self._tracker.set_status(study, self._overall(list(self._places), last), now)

    def _log_changes(self, run: Run, points: list[Point]) -> None:
        assert self._tracker is not None
        self._tracker.log(run, [[point for point in points if run.metrics.get(point.key) != point.value]])

    def _overall(self, fingerprints: list[str], last: bool) -> str:
        """The status of an arm or a study from its trials'."""
        states = {self._status.get(fingerprint) for fingerprint in fingerprints}
        if states == {"FINISHED"}:
            return "FINISHED"
        if not last or "RUNNING" in states:
            return "RUNNING"
        return "FAILED" if "FAILED" in states else "KILLED"


def _mean(summaries: list[dict[str, float]]) -> dict[str, float]:
    """The metrics of a cell: means over its trials, where all of them have the metric."""
    shared = set.intersection(*map(set, summaries))
    return {key: fmean(values[key] for values in summaries) for key in shared}


def _now() -> int:
    return time.time_ns() // 1_000_000
