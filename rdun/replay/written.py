"""Folders of runs made from a recording: a compact copy, and what a replay leaves behind, ready for the usual report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from rdun.replay.recording import Recording
from rdun.results import Folder, PlanRecord, RunInfo, SearchRecord, SearchTrial, Store, TrialDirectory, with_ends

FILES = ("config.json", "epochs.csv", "scores.csv", "timing.csv")
"""All of a trial that a replay and its report read, beside run.json; weights, pictures, traces and loads are left out."""


def save_recording(recording: Recording, folder: str) -> None:
    """Writes the record and its complete trials, with those of baselines, to a folder of runs; without names of machines or of
    their folders."""
    record = recording.record
    command = re.sub(r"(?<!\S)/\S*/", "", str(record.provenance.get("command", "")))
    nameless = replace(record, provenance=record.provenance | {"machine": "", "command": command})
    nameless.save(Folder(f"{folder}/studies/{record.name}"))
    store = Store(f"{folder}/trials")
    trained = [curve.fingerprint for curve in recording.curves]
    for fingerprint in [*trained, *recording.tested, *_baselines(record)]:
        source, target = recording.store.trial(fingerprint), store.trial(fingerprint)
        if run := source.run():
            _copy(source, target, FILES)
            whole = with_ends(run, source.epochs(), source.system())  # the copy has no samples of the load
            target.write_run(replace(whole, attempts=tuple(replace(a, host="") for a in whole.attempts)))


def write_replayed(
    recording: Recording, ends: Mapping[str, int], rule: str, folder: str, provenance: Mapping[str, Any]
) -> Folder:
    """Writes what the replay by a rule leaves behind, as the study itself would have, but for its provenance.

    Args:
        ends: the last epoch of each trial.

    Returns:
        The folder of the study.
    """
    record, store = recording.record, Store(f"{folder}/trials")
    home = Folder(f"{folder}/studies/{record.name}")
    stopped = {c.fingerprint: ends[c.fingerprint] for c in recording.curves if ends[c.fingerprint] < len(c.epochs)}
    for fingerprint in [*ends, *_baselines(record)]:
        source, target = recording.store.trial(fingerprint), store.trial(fingerprint)
        if fingerprint in stopped:
            _copy(source, target, ("config.json",))
            target.write_epochs(source.epochs()[: stopped[fingerprint]])
            why = f"stopped early at epoch {stopped[fingerprint]} by {rule}, in a replay"
            target.write_run(RunInfo(fingerprint=fingerprint, status="stopped", reason=why))
        elif run := source.run():
            _copy(source, target, FILES)
            target.write_run(run)
    made = dict(record.provenance) | dict(provenance)
    if isinstance(record, PlanRecord):
        replace(record, provenance=made).save(home)
    else:
        trials = [_replayed(trial, stopped, rule) for trial in record.trials]
        replace(record, trials=trials, stopping=rule, provenance=made).save(home)
    return home


def _replayed(trial: SearchTrial, stopped: Mapping[str, int], rule: str) -> SearchTrial:
    if trial.fingerprint not in stopped or trial.state not in ("complete", "duplicate"):
        return trial
    reason = f"at epoch {stopped[trial.fingerprint]} by {rule}"
    state = "stopped early" if trial.state == "complete" else trial.state
    return replace(trial, state=state, objectives=[], reason=reason)


def _baselines(record: SearchRecord | PlanRecord) -> Iterable[str]:
    baselines = record.baselines.values() if isinstance(record, SearchRecord) else ()
    return [fingerprint for prints in baselines for fingerprint in prints]


def _copy(source: TrialDirectory, target: TrialDirectory, names: Iterable[str]) -> None:
    for name in names:
        if source.exists(name):
            target.write(name, source.read(name))
