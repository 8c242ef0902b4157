"""A search in MLflow: search > suggestion, and below that a trial per seed where there are several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rdun.results import Folder, SearchRecord, SearchTrial, Store
from rdun.tracking import view
from rdun.tracking.client import Run
from rdun.tracking.copier import Copier
from rdun.tracking.curves import copy_curves
from rdun.tracking.runs import Runs
from rdun.tracking.trials import Place
from rdun.tracking.view import Identity

STATUS = {"complete": "FINISHED", "duplicate": "FINISHED", "failed": "FAILED", "running": "RUNNING"}
"""State of a suggestion without a trial directory of its own -> status of its run; others were never trained: KILLED."""

SHOWN = ("complete", "running", "stopped early", "failed")
"""States of suggestions with trial directories: what failed may be tried again, what was stopped early be trained by a study."""


class SearchCopier(Copier):
    """Copies a search, from its search.json, which grows, and its trials."""

    def __init__(self, home: Folder, store: Store, uri: str) -> None:
        super().__init__(home, store, uri)
        self._read()
        self.name = self.record.name
        self.command = str(self.record.provenance.get("command", f"python studies/run_ablation.py {self.name}"))

    def _read(self) -> None:
        self.record = SearchRecord.load(self.home)
        self._shown = _shown(self.record)

    def _root(self) -> tuple[Identity, str, Mapping[str, Any]]:
        return self._top, self.record.title or self.record.name, self.record.provenance

    @property
    def _top(self) -> Identity:
        return Identity(search=self.record.name, store=self.store_id)

    def _wanted(self) -> set[Identity]:
        suggestions = {view.suggestion_identity(self._top, trial) for trial in self.record.trials}
        baselines = {self._baseline(name, prints).identity for name, prints in self.record.baselines.items()}
        return suggestions | baselines | {place.identity for places in self._places().values() for place in places}

    def _places(self) -> Mapping[str, Sequence[Place]]:
        found: dict[str, list[Place]] = {}
        for name, prints in self.record.baselines.items():
            for place in self._seeded(self._baseline(name, prints), prints):
                found.setdefault(place.identity.fingerprint, []).append(place)
        for trial in self._shown.values():
            for place in self._seeded(self._place(trial), trial.fingerprints):
                found.setdefault(place.identity.fingerprint, []).append(place)
        return found

    def _seeded(self, place: Place, prints: Sequence[str]) -> Iterator[Place]:
        """The place of a setting's only trial, or below it those of its trials, one per seed."""
        if len(prints) == 1:
            yield place
            return
        for seed, fingerprint in zip(self.record.seeds, prints, strict=True):
            yield place._replace(
                identity=place.identity._replace(seed=str(seed), fingerprint=fingerprint),
                name=f"seed {seed}: {place.name}",
                parent=(place.identity, place.name),
                title=f"{place.title}, seed {seed}",
            )

    def _place(self, trial: SearchTrial) -> Place:
        parameters = trial.quantities.get("parameters")
        size = "" if parameters is None else f", {parameters:,.0f} parameters"
        return Place(
            identity=view.suggestion_identity(self._top, trial),
            name=_name(trial),
            parent=None,
            title=f"trial {trial.number}",
            about=view.values_text(trial.values) + size,
            params=view.suggestion_params(trial),
            sizes=view.suggestion_sizes(trial),
        )

    def _baseline(self, name: str, prints: Sequence[str]) -> Place:
        identity = self._top._replace(suggestion=f"baseline {name}", fingerprint=prints[0])
        return Place(identity, f"baseline: {name}", None, f"baseline {name}", "outside the search", {}, {})

    def _copy_rest(self, runs: Runs, root: Run, last: bool) -> None:
        best = {trial.number for trial in self.record.best()}
        for trial in self.record.trials:
            self._copy_suggestion(runs, root, trial, best, last)
        for name, prints in self.record.baselines.items():
            run = runs.get(self._baseline(name, prints).identity)
            if run is not None and len(prints) > 1:
                self._copy_baseline(runs, run, name, prints, last)
        self._copy_search(runs, root, last)

    def _copy_suggestion(self, runs: Runs, root: Run, trial: SearchTrial, best: set[int], last: bool) -> None:
        """State and objectives; all of the run, where it shows no trial directory: these stand in order of their numbers."""
        identity, prints = view.suggestion_identity(self._top, trial), trial.fingerprints
        known, shown = self._last(prints) > 0, self._shown.get(trial.fingerprint) is trial
        if shown and not known and trial.state == "running":
            return  # about to begin
        run = runs.below(root, identity, _name(trial), root.started + trial.number)
        if shown and known and len(prints) > 1:
            run = self._log_seeds(runs, run, prints, trial.state == "complete")
        runs.tracker.describe(run, view.suggestion_params(trial), view.suggestion_tags(self.record, trial, best))
        values, moment = view.objectives(self.record, trial), self._last(prints) or run.started
        runs.log_changes(run, view.points(values | view.suggestion_sizes(trial), moment, trial.number))
        if shown and known and len(prints) == 1:
            return
        note = {"mlflow.note.content": view.suggestion_note(self.record, trial)}
        runs.tracker.describe(run, {}, identity.tags() | note)
        status = STATUS.get(trial.state, "KILLED")
        if status == "RUNNING" and last and "RUNNING" not in {self.trials.status.get(each) for each in prints}:
            status = "KILLED"
        runs.tracker.set_status(run, status, moment if shown else run.started)

    def _copy_baseline(self, runs: Runs, run: Run, name: str, prints: Sequence[str], last: bool) -> None:
        complete = self.trials.complete(prints)
        run = self._log_seeds(runs, run, prints, complete)
        runs.tracker.describe(run, {}, {"mlflow.note.content": view.baseline_note(name, prints, complete)})
        status = self.trials.overall(prints, last)
        runs.tracker.set_status(run, status, self._last(prints) or run.started)

    def _log_seeds(self, runs: Runs, run: Run, prints: Sequence[str], complete: bool) -> Run:
        """What a setting with several seeds has cost so far, and its means and curves over them when all are complete."""
        summaries = [self.trials.summaries[f] for f in prints if f in self.trials.summaries]
        values = view.total_costs(summaries)
        if complete and len(summaries) == len(prints):
            run = copy_curves(runs, run, [[fingerprint] for fingerprint in prints], self.trials)
            values |= view.averages(summaries)
        runs.log_latest(run, values)
        return run

    def _last(self, prints: Sequence[str]) -> int:
        """The last moment of a setting's trials; 0: none is there."""
        return max((self.trials.ended.get(fingerprint, 0) for fingerprint in prints), default=0)

    def _copy_search(self, runs: Runs, root: Run, last: bool) -> None:
        tags = self._top.tags() | view.search_tags(self.record, self.answer, self.place)
        runs.tracker.describe(root, view.search_params(self.record), tags)
        states = [trial.state for trial in self.record.trials]
        values: dict[str, float] = {key: 0 for key in root.metrics if key.startswith("trials_")}
        values |= {"trials_planned": self.record.wanted}
        values |= {f"trials_{state}": states.count(state) for state in dict.fromkeys(("complete", "failed", *states))}
        costs = view.total_costs(self.trials.summaries.get(fingerprint, {}) for fingerprint in self._places())
        runs.log_latest(root, values | costs | view.best_values(self.record))
        runs.tracker.set_status(root, self._overall(last), self.trials.last(root.started))

    def _overall(self, last: bool) -> str:
        """FINISHED when all that was asked for has an end; failed suggestions are part of a search."""
        states = [trial.state for trial in self.record.trials]
        running = "running" in states or "RUNNING" in self.trials.status.values()
        ends = {self.trials.overall(prints, last=True) for prints in self.record.baselines.values()}
        if not running and ends <= {"FINISHED", "FAILED"} and not self.record.untried():
            return "FINISHED"
        return "KILLED" if last and "RUNNING" not in self.trials.status.values() else "RUNNING"


def _name(trial: SearchTrial) -> str:
    return f"trial {trial.number}"


def _shown(record: SearchRecord) -> dict[str, SearchTrial]:
    """First fingerprint -> the suggestion whose run shows the trials: of several, the first by state in `SHOWN`."""
    found: dict[str, SearchTrial] = {}
    for state in SHOWN:
        for trial in record.trials:
            if trial.state == state:
                found.setdefault(trial.fingerprint, trial)
    return found
