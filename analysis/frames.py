"""plan.json and trial directories as tidy DataFrames: one row per arm, per trial, per score, per epoch, per timing."""

from __future__ import annotations

import dataclasses
import io
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from analysis.families import label_arms
from rdun.config import TrialConfig, from_dict
from rdun.results import ArmRecord, EpochRecord, PlanRecord, Score, Store, Timing, TrialDirectory

TEXT = {"str": str, "int": np.int64, "float": np.float64}


class Arm(NamedTuple):
    """One arm of the plan, its configs read and its place in the study named (see `families.ArmLabel`).

    Attributes:
        fraction: part of the training blocks it uses.
        configs: one, or one per ratio.
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

    @property
    def ratios(self) -> tuple[float, ...]:
        """All ratios, rising."""
        return tuple(sorted({r for c in self.configs for r in c.task.ratios}))


@dataclass(frozen=True)
class StudyFrames:
    """A study as it stands on disk.

    Attributes:
        plan: what was asked for.
        store: where the trial directories are, for pictures.
        arms: by name, in the plan's order.
        trials: one row per arm, seed and fingerprint; status ("complete", "running", "stopped", "failed", "not run",
            "unreadable"), reason, ratios, facts, attempts, host, device, threads.
        scores: scores.csv of the complete trials with arm and seed; one trial may appear under several arms.
        epochs: epochs.csv of all trials with arm, seed and status.
        timings: timing.csv of the complete trials with arm and seed.
    """

    plan: PlanRecord
    store: Store
    arms: dict[str, Arm]
    trials: pd.DataFrame
    scores: pd.DataFrame
    epochs: pd.DataFrame
    timings: pd.DataFrame

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
        """Distinct trials of the plan."""
        return int(self.trials["fingerprint"].nunique())

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


def load_study(plan: PlanRecord, store: Store) -> StudyFrames:
    """Reads every trial directory that the plan names; what is missing or unreadable becomes a gap with its reason.

    Raises:
        ValueError: an arm's config that this version cannot read.
    """
    arms = _arms(plan)
    cells = [(c.arm, c.seed, i, f) for c in plan.cells for i, f in enumerate(c.fingerprints)]
    files = {f: _Files.read(store.trial(f)) for f in dict.fromkeys(f for *_, f in cells)}
    trials = pd.DataFrame(
        [_trial(arms[arm], seed, i, f, files[f]) for arm, seed, i, f in cells], columns=_TRIAL_COLUMNS
    )
    trials = _with_unplanned(trials, plan)
    scores, errors = _parse({f: files[f].scores for f in _complete(trials)}, Score)
    for fingerprint, error in errors.items():
        trials.loc[trials["fingerprint"] == fingerprint, ["status", "reason"]] = ["unreadable", f"scores.csv: {error}"]
    keys = trials[["arm", "seed", "fingerprint", "status"]]
    timings, _ = _parse({f: files[f].timings for f in _complete(trials)}, Timing)
    epochs, _ = _parse({f: v.epochs for f, v in files.items()}, EpochRecord)
    return StudyFrames(
        plan=plan,
        store=store,
        arms=arms,
        trials=trials,
        scores=keys.merge(scores, on="fingerprint", how="inner"),
        epochs=keys.merge(epochs, on="fingerprint", how="inner"),
        timings=keys.merge(timings, on="fingerprint", how="inner"),
    )


def _complete(trials: pd.DataFrame) -> list[str]:
    return [str(f) for f in trials.loc[trials["status"] == "complete", "fingerprint"].unique()]


def _arms(plan: PlanRecord) -> dict[str, Arm]:
    configs = [_configs(arm) for arm in plan.arms]
    fractions = [min((c.data.fraction for c in cs), default=1.0) for cs in configs]
    labels = label_arms(plan.arms, fractions)
    return {
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
        )
        for arm, cs, fraction in zip(plan.arms, configs, fractions, strict=True)
    }


def _configs(arm: ArmRecord) -> tuple[TrialConfig, ...]:
    try:
        return tuple(from_dict(TrialConfig, c) for c in arm.configs)
    except ValueError as error:
        raise ValueError(f"plan.json, arm {arm.name!r}: {error}; plan the study again with this version") from None


_NAMES = ("scores.csv", "epochs.csv", "timing.csv")


@dataclass(frozen=True)
class _Files:
    """Raw files of one trial directory; a file that does not exist is empty."""

    run: Any
    scores: bytes
    epochs: bytes
    timings: bytes
    error: str = ""

    @staticmethod
    def read(trial: TrialDirectory) -> _Files:
        try:
            run = trial.run()
            if run is None:
                return _Files(None, b"", b"", b"")
            scores, epochs, timings = (trial.read(n) if trial.exists(n) else b"" for n in _NAMES)
            return _Files(run, scores, epochs, timings)
        except (ValueError, TypeError, KeyError, OSError) as error:
            return _Files(None, b"", b"", b"", f"run.json cannot be read: {_first_line(error)}")


_TRIAL_COLUMNS = ["arm", "seed", "position", "fingerprint", "ratios", "status", "reason", "facts", "attempts"]
_TRIAL_COLUMNS += ["host", "device", "threads"]


def _trial(arm: Arm, seed: int, position: int, fingerprint: str, files: _Files) -> tuple[Any, ...]:
    ratios = arm.configs[position].task.ratios if len(arm.configs) > position else arm.ratios
    status, reason = _status(files)
    run = files.run
    last = run.attempts[-1] if run is not None and run.attempts else None
    place = (last.host, last.device, last.threads) if last else ("", "", 0)
    facts, attempts = (run.facts, len(run.attempts)) if run is not None else ({}, 0)
    return (arm.name, seed, position, fingerprint, ratios, status, reason, facts, attempts, *place)


def _status(files: _Files) -> tuple[str, str]:
    if files.error:
        return "unreadable", files.error
    if files.run is None:
        return "not run", "not run"
    if files.run.status != "complete":
        silent = "" if files.run.status == "running" else "no reason was recorded"
        return files.run.status, _first_line(files.run.reason) or silent
    if problem := _header_problem(files.scores, Score, "scores.csv"):
        return "unreadable", problem
    return "complete", ""


def _header_problem(content: bytes, row: type[Any], name: str) -> str:
    expected = [f.name for f in dataclasses.fields(row)]
    found = content.split(b"\n", 1)[0].decode(errors="replace").strip().split(",") if content else []
    if not content:
        return f"{name} is missing or empty"
    lacking = [c for c in expected if c not in found]
    return f"{name} lacks the columns {', '.join(lacking)}" if lacking else ""


def _with_unplanned(trials: pd.DataFrame, plan: PlanRecord) -> pd.DataFrame:
    """Adds a gap for every (arm, seed) the plan promises but gives no trial."""
    there = set(zip(trials["arm"], trials["seed"], strict=True))
    lacking = [(a.name, s) for a in plan.arms for s in plan.seeds if (a.name, s) not in there]
    rows: list[tuple[Any, ...]] = [
        (arm, seed, 0, "", (), "not run", "no trial is planned for this seed", {}, 0, "", "", 0)
        for arm, seed in lacking
    ]
    return pd.concat([trials, pd.DataFrame(rows, columns=_TRIAL_COLUMNS)], ignore_index=True) if rows else trials


def _parse(contents: dict[str, bytes], row: type[Any]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Many CSV files of one kind as one frame with a `fingerprint` column, and what is wrong with those that cannot be read.

    Files are parsed in one go, which is what makes a thousand trials quick; one by one only if that fails.
    """
    types = {f.name: TEXT[str(f.type)] for f in dataclasses.fields(row)}
    by_header: dict[bytes, dict[str, bytes]] = {}
    for fingerprint, content in contents.items():
        if not _header_problem(content, row, ""):
            head, _, body = content.partition(b"\n")
            by_header.setdefault(head, {})[fingerprint] = body if not body or body.endswith(b"\n") else body + b"\n"
    errors: dict[str, str] = {}
    frames = [_parse_alike(head, bodies, types, errors) for head, bodies in by_header.items()]
    if frames:
        return pd.concat(frames, ignore_index=True), errors
    return pd.DataFrame({n: pd.Series(dtype=t) for n, t in {**types, "fingerprint": str}.items()}), errors


def _parse_alike(head: bytes, bodies: dict[str, bytes], types: dict[str, Any], errors: dict[str, str]) -> pd.DataFrame:
    counts = [body.count(b"\n") for body in bodies.values()]
    try:
        frame = _read_csv(head + b"\n" + b"".join(bodies.values()), types)
        if sum(counts) == len(frame):
            return frame.assign(fingerprint=np.repeat(np.array(list(bodies), dtype=object), counts))
    except ValueError:
        pass  # at least one file is damaged: find out which
    frames = [_read_csv(head + b"\n", types).assign(fingerprint="")]
    for fingerprint, body in bodies.items():
        try:
            frames.append(_read_csv(head + b"\n" + body, types).assign(fingerprint=fingerprint))
        except ValueError as error:
            errors[fingerprint] = _first_line(error)
    return pd.concat(frames, ignore_index=True)


def _read_csv(content: bytes, types: dict[str, Any]) -> pd.DataFrame:
    numbers = {n: ["nan", ""] for n, t in types.items() if t is np.float64}
    return pd.read_csv(
        io.BytesIO(content),
        usecols=list(types),
        dtype=types,
        keep_default_na=False,
        na_values=numbers,
        float_precision="round_trip",
    )


def _first_line(message: object) -> str:
    return (str(message).strip().splitlines() or [""])[0][:300]
