"""plan.json and trial directories as tidy DataFrames: one row per arm, per trial, per score, per epoch, per timing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from analysis.frames.families import label_arms
from analysis.frames.files import Files
from analysis.frames.parsing import parse
from analysis.frames.protocols import Group, protocol_groups
from rdun.config import TrialConfig, from_dict, last_name
from rdun.results import ArmRecord, EpochRecord, PlanRecord, RunInfo, Score, Store, Timing, Trace


class Arm(NamedTuple):
    """One arm of the plan, its configs read and its place in the study named (see `families.ArmLabel`).

    Attributes:
        fraction: part of the training blocks it uses.
        configs: one, or one per ratio.
        published: its place in the published tables, see `reference.rows_of`.
    """

    name: str
    compare_to: str | None
    factors: dict[str, str]
    family: str
    treatment: str
    setting: str
    series: str
    parameters: int
    macs: int
    evaluations_train: float
    evaluations_test: int
    layout: str
    fraction: float
    configs: tuple[TrialConfig, ...]
    published: dict[str, str]

    @property
    def ratios(self) -> tuple[float, ...]:
        """All ratios, rising."""
        return tuple(sorted({r for c in self.configs for r in c.task.ratios}))

    @property
    def validated(self) -> tuple[float, ...]:
        """The ratios that validation looks at, rising."""
        return tuple(sorted({r for c in self.configs for r in c.data.validation_ratios or c.task.ratios}))


@dataclass(frozen=True)
class StudyFrames:
    """A study as it stands on disk.

    Attributes:
        plan: what was asked for.
        store: where the trial directories are, for pictures.
        arms: by name, family by family, else in the plan's order.
        trials: one row per arm, seed and fingerprint; status ("complete", "running", "stopped", "failed", "not run",
            "unreadable"), reason, ratios, facts, attempts, code (of the network), trained_on (places of the attempts that did its
            epochs), host, device, threads (of the last attempt), core_hours, gpu_hours (code and hours of all attempts).
        scores: scores.csv of the complete trials with arm and seed; one trial may appear under several arms.
        epochs: epochs.csv of all trials with arm, seed and status.
        timings: timing.csv of the complete trials with arm and seed.
        groups: families by protocol of whole test images; several name their test sets after themselves, "bsd68 (deblocked)".
        block_groups: families by protocol of the block scores.
    """

    plan: PlanRecord
    store: Store
    arms: dict[str, Arm]
    trials: pd.DataFrame
    scores: pd.DataFrame
    epochs: pd.DataFrame
    timings: pd.DataFrame
    groups: tuple[Group, ...]
    block_groups: tuple[Group, ...]

    @property
    def gaps(self) -> pd.DataFrame:
        """Trials that give no scores, each with its reason."""
        return self.trials[self.trials["status"] != "complete"]

    @property
    def complete(self) -> int:
        """Distinct complete trials."""
        return int(self.trials.loc[self.trials["status"] == "complete", "fingerprint"].nunique())

    @property
    def planned(self) -> int:
        """Distinct trials of the plan; a seed for which it has none, as in joined studies of different seeds, is not one."""
        return len(set(self.trials["fingerprint"]) - {""})

    @cached_property
    def fingerprints(self) -> dict[tuple[str, int], tuple[str, ...]]:
        """The trials of each planned cell (arm, seed)."""
        return {(cell.arm, cell.seed): tuple(cell.fingerprints) for cell in self.plan.cells}

    @cached_property
    def records(self) -> dict[str, ArmRecord]:
        """The arms as they were planned, by name."""
        return {arm.name: arm for arm in self.plan.arms}

    @cached_property
    def test_sets(self) -> list[str]:
        """Data sets with scores of whole test images."""
        rows = self.scores[(self.scores["split"] == "test") & (self.scores["unit"] == "image")]
        return [str(d) for d in rows["dataset"].unique()]

    def planned_sets(self) -> list[str]:
        """Names of the test sets that the arms ask for."""
        return list(
            dict.fromkeys(last_name(n) for a in self.arms.values() for c in a.configs for n in c.data.test)
        ) or ["test"]

    @cached_property
    def traces(self) -> pd.DataFrame:
        """traces.csv of the complete trials with arm and seed; read when first asked for."""
        trials = {f: self.store.trial(f) for f in _complete(self.trials)}
        rows, _ = parse({f: t.read("traces.csv") for f, t in trials.items() if t.exists("traces.csv")}, Trace)
        return _of_cells(self.trials, rows)

    @property
    def compares(self) -> bool:
        """Whether any arm is compared with another."""
        return any(a.compare_to for a in self.arms.values())

    def treatments(self) -> list[str]:
        """All treatments in the plan's order: the order of colours."""
        return list(dict.fromkeys(a.treatment for a in self.arms.values()))

    def families(self) -> list[str]:
        return list(dict.fromkeys(a.family for a in self.arms.values()))

    def members(self, family: str) -> list[Arm]:
        return [a for a in self.arms.values() if a.family == family]

    def group_of(self, arm: str) -> Group:
        return next(g for g in self.groups if self.arms[arm].family in g.families)

    def data_set(self, label: str) -> str:
        """The data set itself, without the name of a protocol group: "bsd68 (deblocked)" -> "bsd68"."""
        suffix = next((g.suffix for g in self.groups if g.suffix and label.endswith(g.suffix)), "")
        return label.removesuffix(suffix)

    def parts(self) -> list[StudyFrames]:
        """The study's protocol groups as studies of their own; only within one may image scores share a table."""
        return [self] if len(self.groups) == 1 else [replace(self._part(g), groups=(g,)) for g in self.groups]

    def block_parts(self) -> list[StudyFrames]:
        """The same for block scores."""
        groups = self.block_groups
        return [self] if len(groups) == 1 else [replace(self._part(g), block_groups=(g,)) for g in groups]

    def _part(self, group: Group) -> StudyFrames:
        arms = {name: arm for name, arm in self.arms.items() if arm.family in group.families}
        tables = (self.trials, self.scores, self.epochs, self.timings)
        trials, scores, epochs, timings = (t[t["arm"].isin(list(arms))] for t in tables)
        return replace(self, arms=arms, trials=trials, scores=scores, epochs=epochs, timings=timings)


def load_study(plan: PlanRecord, store: Store) -> StudyFrames:
    """Reads every trial directory that the plan names; what is missing or unreadable becomes a gap with its reason.

    Raises:
        ValueError: an arm's config that this version cannot read; arms of one family with scores of different protocols.
    """
    arms = _arms(plan)
    cells = [(c.arm, c.seed, i, f) for c in plan.cells for i, f in enumerate(c.fingerprints)]
    files = {f: Files.read(store.trial(f)) for f in dict.fromkeys(f for *_, f in cells)}
    trials = pd.DataFrame(
        [_trial(arms[arm], seed, i, f, files[f]) for arm, seed, i, f in cells], columns=_TRIAL_COLUMNS
    )
    trials = _with_unplanned(trials, plan)
    scores, errors = parse({f: files[f].scores for f in _complete(trials)}, Score)
    for fingerprint, error in errors.items():
        trials.loc[trials["fingerprint"] == fingerprint, ["status", "reason"]] = ["unreadable", f"scores.csv: {error}"]
    timings, _ = parse({f: files[f].timings for f in _complete(trials)}, Timing)
    epochs, _ = parse({f: v.epochs for f, v in files.items()}, EpochRecord)
    of_arms = _of_cells(trials, scores)
    groups, block_groups = (_groups(arms, trials, of_arms[of_arms["unit"] == unit]) for unit in ("image", "block"))
    return StudyFrames(
        plan=plan,
        store=store,
        arms=arms,
        trials=trials,
        scores=_labelled(of_arms, arms, groups),
        epochs=_of_cells(trials, epochs),
        timings=_of_cells(trials, timings),
        groups=groups,
        block_groups=block_groups,
    )


def _groups(arms: dict[str, Arm], trials: pd.DataFrame, scores: pd.DataFrame) -> tuple[Group, ...]:
    families = {a.name: a.family for a in arms.values()}
    kinds = {a.family: {(c.task.kind, c.model.deblock) for c in a.configs} for a in arms.values()}
    records = {h: record for facts in trials["facts"] for h, record in facts.get("protocols", {}).items()}
    return protocol_groups(scores, families, kinds, records)


def _labelled(scores: pd.DataFrame, arms: dict[str, Arm], groups: tuple[Group, ...]) -> pd.DataFrame:
    """Test sets of whole images named after the arm's protocol group, where there are several."""
    if len(groups) == 1:
        return scores
    suffixes = {a.name: g.suffix for g in groups for a in arms.values() if a.family in g.families}
    names = scores["dataset"].astype(object)
    labels = names.where(scores["unit"] == "block", names + scores["arm"].astype(object).map(suffixes))
    return scores.assign(dataset=labels.astype("category"))


def _of_cells(trials: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of trials with the arm, seed and status of every cell they answer."""
    cells = trials[["arm", "seed", "status"]].astype({"arm": "category", "status": "category"})
    codes = {f: i for i, f in enumerate(rows["fingerprint"].cat.categories)}
    cells["code"] = [codes.get(f, -1) for f in trials["fingerprint"]]
    return cells.merge(rows.assign(code=rows["fingerprint"].cat.codes.astype(np.int64)), on="code").drop(columns="code")


def _complete(trials: pd.DataFrame) -> list[str]:
    return [str(f) for f in trials.loc[trials["status"] == "complete", "fingerprint"].unique()]


def _arms(plan: PlanRecord) -> dict[str, Arm]:
    configs = [_configs(arm) for arm in plan.arms]
    fractions = [min((c.data.fraction for c in cs), default=1.0) for cs in configs]
    labels = label_arms(plan.arms, fractions)
    arms = {
        arm.name: Arm(
            name=arm.name,
            compare_to=arm.compare_to if arm.compare_to in labels else None,
            factors=arm.factors,
            family=labels[arm.name].family,
            treatment=labels[arm.name].treatment,
            setting=labels[arm.name].setting,
            series=labels[arm.name].series,
            parameters=arm.parameters,
            macs=arm.macs,
            evaluations_train=arm.stage_evaluations_train,
            evaluations_test=arm.stage_evaluations_test,
            layout=arm.layout,
            fraction=fraction,
            configs=cs,
            published=arm.published,
        )
        for arm, cs, fraction in zip(plan.arms, configs, fractions, strict=True)
    }
    families = list(dict.fromkeys(arm.family for arm in arms.values()))
    return dict(sorted(arms.items(), key=lambda item: families.index(item[1].family)))


def _configs(arm: ArmRecord) -> tuple[TrialConfig, ...]:
    try:
        return tuple(from_dict(TrialConfig, c) for c in arm.configs)
    except ValueError as error:
        raise ValueError(f"plan.json, arm {arm.name!r}: {error}; plan the study again with this version") from None


_TRIAL_COLUMNS = ["arm", "seed", "position", "fingerprint", "ratios", "status", "reason", "facts", "attempts"]
_TRIAL_COLUMNS += ["code", "trained_on", "host", "device", "threads", "core_hours", "gpu_hours"]


def _trial(arm: Arm, seed: int, position: int, fingerprint: str, files: Files) -> tuple[Any, ...]:
    known = len(arm.configs) > position
    ratios = arm.configs[position].task.ratios if known else arm.ratios
    status, reason = files.status()
    run = files.run
    last = run.attempts[-1] if run is not None and run.attempts else None
    place = (last.host, last.device, last.threads) if last else ("", "", 0)
    facts, attempts = (run.facts, len(run.attempts)) if run is not None else ({}, 0)
    code = tuple(dict.fromkeys(a.code for a in run.attempts if a.code)) if run is not None else ()
    trained = _trained_on(run, arm.configs[position].optim.epochs) if run is not None and known else ()
    spent = (files.hours.get("core", 0.0), files.hours.get("gpu", 0.0))
    history = (facts, attempts, code, trained, *place, *spent)
    return (arm.name, seed, position, fingerprint, ratios, status, reason, *history)


def _trained_on(run: RunInfo, epochs: int) -> tuple[str, ...]:
    """Places of the attempts whose epochs are part of a training of so many; none where another trial did it."""
    reached = [*(a.resumed_at_epoch for a in run.attempts[1:]), epochs]
    return tuple(sorted({a.place for a, end in zip(run.attempts, reached, strict=False) if end > a.resumed_at_epoch}))


def _with_unplanned(trials: pd.DataFrame, plan: PlanRecord) -> pd.DataFrame:
    """Adds a gap for every (arm, seed) the plan promises but gives no trial."""
    there = set(zip(trials["arm"], trials["seed"], strict=True))
    lacking = [(a.name, s) for a in plan.arms for s in plan.seeds if (a.name, s) not in there]
    rows: list[tuple[Any, ...]] = [
        (arm, seed, 0, "", (), "not run", "no trial is planned for this seed", {}, 0, (), (), "", "", 0, 0.0, 0.0)
        for arm, seed in lacking
    ]
    return pd.concat([trials, pd.DataFrame(rows, columns=_TRIAL_COLUMNS)], ignore_index=True) if rows else trials
