"""search.json: what a search asked for, what was tried and what came of it; all that a report needs beside the trials."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rdun.results.directory import Folder

SearchState = Literal["complete", "stopped early", "running", "failed", "infeasible", "duplicate"]


@dataclass(frozen=True, kw_only=True)
class SearchTrial:
    """One suggestion of a search.

    Attributes:
        number: its number in the Optuna study.
        values: the chosen values by parameter, without those that the setting does not depend on.
        fingerprints: of its trial directories, one per seed of the search; none where it is infeasible.
        state: "duplicate" has the fingerprints of an earlier suggestion, and its result; "running" includes what was cut off
            and goes on with the next run; "stopped early" was not trained to the end, by the search's own rule.
        objectives: in the order of the search's objectives, means over its seeds; empty unless complete, or a duplicate of a
            complete one.
        spreads: standard deviation of each objective over the seeds; empty where `objectives` is, or with one seed.
        quantities: what the setting costs, known before training: parameters, macs, stage_evaluations.
        reason: why it failed or is infeasible, or where it was stopped.
        retry_of: number of the failed suggestion that it tries again; None: it is a suggestion of its own.
    """

    number: int
    values: dict[str, Any]
    fingerprints: list[str]
    state: SearchState
    objectives: list[float]
    quantities: dict[str, float]
    reason: str = ""
    retry_of: int | None = None
    spreads: list[float] = field(default_factory=list)

    @property
    def fingerprint(self) -> str:
        """That of the first seed, by which the setting is known; empty where it is infeasible."""
        return next(iter(self.fingerprints), "")


@dataclass(frozen=True, kw_only=True)
class SearchRecord:
    """A search as it stands.

    Attributes:
        space: parameter -> its values as text, "1, 2, ..., 4" or "one of 4, 8, 16".
        objectives: such as {"quantity": "validation_psnr", "direction": "maximize"}.
        constraints: such as {"quantity": "parameters", "at_most": 20000}.
        seed: of the suggestions.
        seeds: of the trials of each setting.
        wanted: number of trials asked for.
        precision: what "auto" stands for in its settings.
        stopping: the rule that stops trials early, as text, or "none".
        baselines: name -> fingerprints, one per seed, of trials to compare with, outside the search.
        baseline_quantities: name -> what a baseline costs, as `SearchTrial.quantities`.
        provenance: as in a study's plan.
    """

    name: str
    title: str
    question: str
    method: str
    expectation: str
    scale: str
    space: dict[str, str]
    objectives: list[dict[str, str]]
    constraints: list[dict[str, Any]]
    sampler: str
    seed: int
    seeds: list[int]
    wanted: int
    trials: list[SearchTrial]
    precision: str = ""
    stopping: str = "none"
    baselines: dict[str, list[str]] = field(default_factory=dict)
    baseline_quantities: dict[str, dict[str, float]] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    def fingerprints(self) -> list[str]:
        """Of all trials, those of the baselines last."""
        settings = [*(trial.fingerprints for trial in self.trials), *self.baselines.values()]
        return [fingerprint for setting in settings for fingerprint in setting]

    def best(self) -> list[SearchTrial]:
        """The trials that no other one dominates, by the first objective: one, or the Pareto set; duplicates left out."""
        signs = [1 if objective["direction"] == "maximize" else -1 for objective in self.objectives]
        points = {
            trial.number: tuple(sign * value for sign, value in zip(signs, trial.objectives, strict=True))
            for trial in self.trials
            if trial.state == "complete"
        }

        def dominated(point: tuple[float, ...]) -> bool:
            others = points.values()
            return any(other != point and all(a >= b for a, b in zip(other, point, strict=True)) for other in others)

        kept = [trial for trial in self.trials if trial.number in points and not dominated(points[trial.number])]
        return sorted(kept, key=lambda trial: (-points[trial.number][0], trial.number))

    def ranked(self) -> list[SearchTrial]:
        """The complete trials from the best on, by a single objective; of several objectives, those of `best`."""
        if len(self.objectives) > 1:
            return self.best()
        sign = 1 if self.objectives[0]["direction"] == "maximize" else -1
        complete = [trial for trial in self.trials if trial.state == "complete"]
        return sorted(complete, key=lambda trial: (-sign * trial.objectives[0], trial.number))

    def tried(self) -> list[SearchTrial]:
        """The suggestions that count as trials: without infeasible ones, and without failures that were tried again."""
        again = {trial.retry_of for trial in self.trials}
        return [trial for trial in self.trials if trial.state != "infeasible" and trial.number not in again]

    def untried(self) -> int:
        """Trials asked for and not suggested yet."""
        return max(0, self.wanted - len(self.tried()))

    def left(self, wanted: int, *, retry_failed: bool) -> int:
        """Trials without an end, suggested or not, of so many; with `retry_failed` the failed ones are run again."""
        tried, to_run = self.tried(), ("running", "failed") if retry_failed else ("running",)
        return max(0, wanted - len(tried)) + sum(trial.state in to_run for trial in tried)

    def save(self, folder: Folder) -> None:
        folder.write_json("search.json", asdict(self))

    @staticmethod
    def load_if_there(folder: Folder) -> SearchRecord | None:
        """As `load`; None where there is no record."""
        return SearchRecord.load(folder) if folder.exists("search.json") else None

    @staticmethod
    def load(folder: Folder) -> SearchRecord:
        """Raises ValueError for a file that is damaged or of another version."""
        return folder.read_record(
            "search.json",
            lambda values: SearchRecord(**(values | {"trials": [SearchTrial(**t) for t in values["trials"]]})),
        )
