"""A study in MLflow: study > arm > trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rdun.results import ArmRecord, CellRecord, Folder, PlanRecord, Store
from rdun.tracking import view
from rdun.tracking.client import Run
from rdun.tracking.copier import Copier
from rdun.tracking.curves import copy_curves
from rdun.tracking.runs import Runs
from rdun.tracking.trials import Place
from rdun.tracking.view import Identity


class StudyCopier(Copier):
    """Copies a study, from its plan.json and its trials."""

    def __init__(self, home: Folder, store: Store, uri: str) -> None:
        super().__init__(home, store, uri)
        self._read()
        self.name = self.plan.name
        self.command = str(self.plan.provenance.get("command", f"python studies/run_ablation.py {self.name}"))
        self._arm_ids = {arm.name: view.arm_identity(self._top, arm) for arm in self.plan.arms}
        self._where = self._all_places()

    def _read(self) -> None:
        self.plan = PlanRecord.load(self.home)

    def _root(self) -> tuple[Identity, str, Mapping[str, Any]]:
        return self._top, self.plan.title or self.name, self.plan.provenance

    @property
    def _top(self) -> Identity:
        return Identity(self.plan.name, store=self.store_id)

    def _places(self) -> Mapping[str, Sequence[Place]]:
        return self._where

    def _wanted(self) -> set[Identity]:
        return {*self._arm_ids.values(), *(place.identity for places in self._where.values() for place in places)}

    def _all_places(self) -> dict[str, list[Place]]:
        arms = {arm.name: arm for arm in self.plan.arms}
        found: dict[str, list[Place]] = {}
        for cell in self.plan.cells:
            for number, fingerprint in enumerate(cell.fingerprints, 1):
                found.setdefault(fingerprint, []).append(self._place(arms[cell.arm], cell, number))
        return found

    def _place(self, arm: ArmRecord, cell: CellRecord, number: int) -> Place:
        """Names the run: the seed first, as tables cut long names off; the trials of a cell are numbered if it has several."""
        trial = f", trial {number}" if len(cell.fingerprints) > 1 else ""
        return Place(
            identity=self._top._replace(arm=arm.name, seed=str(cell.seed), fingerprint=cell.fingerprints[number - 1]),
            name=f"seed {cell.seed}{trial}: {arm.name}",
            parent=(self._arm_ids[arm.name], arm.name),
            title=f"{arm.name}, seed {cell.seed}{trial}",
            about=f"layout {arm.layout}, {arm.parameters:,} parameters",
            params=view.arm_params(arm),
            sizes=view.arm_sizes(arm),
        )

    def _copy_rest(self, runs: Runs, root: Run, last: bool) -> None:
        for arm in self.plan.arms:
            run = runs.get(self._arm_ids[arm.name])
            if run is not None:
                self._copy_arm(runs, run, arm, last)
        self._copy_study(runs, root, last)

    def _copy_arm(self, runs: Runs, run: Run, arm: ArmRecord, last: bool) -> None:
        """Costs so far; means and curves over all seeds when they are there, over those that are when the run has ended."""
        cells = [cell.fingerprints for cell in self.plan.cells if cell.arm == arm.name]
        prints = [fingerprint for cell in cells for fingerprint in cell]
        whole = [cell for cell in cells if self.trials.complete(cell)]
        tags = self._arm_ids[arm.name].tags() | {"rdun.seeds": ", ".join(map(str, self.plan.seeds))}
        ended = max((self.trials.ended.get(fingerprint, 0) for fingerprint in prints), default=0) or run.started
        values = {"seeds_complete": float(len(whole)), **self._costs(prints)}
        if len(whole) == len(cells) or self.trials.overall(list(self._where), last) != "RUNNING":
            run = copy_curves(runs, run, whole, self.trials)
            summaries = [view.cell_means([self.trials.summaries[p] for p in cell]) for cell in whole]
            values |= view.averages(summaries)
        runs.log_latest(run, values | view.arm_sizes(arm))
        averaged = int(run.metrics.get("seeds_averaged", 0))
        tags["mlflow.note.content"] = view.arm_note(arm, len(whole), len(cells), averaged)
        runs.tracker.describe(run, view.arm_config(arm) | view.arm_params(arm), tags)
        runs.tracker.set_status(run, self.trials.overall(prints, last), ended)

    def _copy_study(self, runs: Runs, root: Run, last: bool) -> None:
        runs.tracker.describe(root, {}, self._top.tags() | view.study_tags(self.plan, self.answer, self.place))
        states, done = [self.trials.status.get(p) for p in self._where], self.trials.summaries.values()
        values = {
            "trials_planned": len(states),
            "trials_complete": states.count("FINISHED"),
            "trials_failed": states.count("FAILED"),
            "train_hours": sum(values.get("time/train_seconds", 0.0) for values in done) / 3600,
        }
        runs.log_latest(root, values | self._costs(list(self._where)))
        runs.tracker.set_status(root, self.trials.overall(list(self._where), last), self.trials.last(root.started))

    def _costs(self, fingerprints: Sequence[str]) -> dict[str, float]:
        return view.total_costs(self.trials.summaries.get(fingerprint, {}) for fingerprint in set(fingerprints))
