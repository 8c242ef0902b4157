"""What past trials took, read from their directories."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from rdun.config import TrialConfig, from_dict
from rdun.plan.machine import Machine
from rdun.plan.measurements import Measurement, keys
from rdun.plan.reconstructed import Reconstructed, reconstructed
from rdun.results import SCORED_IN, TRAINED_IN, EpochRecord, Folder, RunInfo, Store, TrialDirectory

NEWEST = 300
"""Trials that are read at most, the newest ones, so that a plan never waits for a large store."""


def past_runs(store: Store, machine: Machine) -> list[Measurement]:
    """Measurements of the newest trials that ran on this kind of machine; directories that cannot be read are passed over."""
    found = []
    for name in _newest(store):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            measured = _measured(store.trial(name), machine)
            if measured:
                found.append(measured)
    return found


def _newest(store: Store) -> list[str]:
    folder = Folder(store.path)
    if not folder.exists():
        return []
    entries = sorted(folder.fs.ls(folder.path, detail=True), key=lambda entry: float(entry.get("mtime", 0)))
    return [str(entry["name"]).rstrip("/").rsplit("/", 1)[-1] for entry in entries[-NEWEST:]]


def _measured(folder: TrialDirectory, machine: Machine) -> Measurement | None:
    run = folder.run()
    places = {(attempt.device, attempt.threads, attempt.recompute) for attempt in run.attempts} if run else set()
    if run is None or places != {machine.place}:
        return None
    config, records = from_dict(TrialConfig, folder.read_json("config.json")), folder.epochs()
    if not records and run.status != "complete":
        return None
    trained = [] if TRAINED_IN in run.facts else records  # elsewhere, maybe on another machine
    between = [(b.timestamp - a.timestamp) / 1000 - (b.seconds - a.seconds) for a, b in pairwise(trained)]
    epoch = max(0.0, statistics.median(between)) if between else None
    samples, gpu = folder.system(), machine.kind == "cuda"
    return Measurement(
        source="past runs",
        **keys(config)._asdict(),
        device=machine.device,
        threads=machine.threads,
        recompute=machine.recompute,
        step=trained[-1].seconds / trained[-1].step if trained else None,
        evaluations=statistics.fmean(record.stage_evaluations for record in trained) if trained else 0.0,
        epoch=epoch,
        scoring=_scoring(run, trained, epoch),
        reconstructed=_reconstructed(config),
        memory_mib=max((sample.memory_mib for sample in samples), default=0.0),
        gpu_memory_mib=run.facts.get("peak_memory_bytes", 0) / 2**20 if gpu else 0.0,
    )


def _reconstructed(config: TrialConfig) -> Reconstructed | None:
    try:
        return reconstructed(config)
    except (OSError, ValueError):  # its steps tell all the same
        return None


def _scoring(run: RunInfo, records: Sequence[EpochRecord], epoch: float | None) -> float | None:
    """Seconds outside the epochs, of a trial whose last attempt trained its last epoch, if any, and measured all its scores."""
    last = run.attempts[-1]
    own = records[last.resumed_at_epoch :]
    if run.status != "complete" or last.ended is None or SCORED_IN in run.facts or not (own or len(run.attempts) == 1):
        return None
    whole = (datetime.fromisoformat(last.ended) - datetime.fromisoformat(last.started)).total_seconds()
    before = records[-len(own) - 1].seconds if len(own) < len(records) else 0.0
    trained = own[-1].seconds - before if own else 0.0
    return max(0.0, whole - trained - len(own) * (epoch or 0.0))
