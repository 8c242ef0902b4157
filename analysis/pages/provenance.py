"""How a study was made, as label and value pairs; keys it does not know are shown as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from analysis.numbers import duration, plural
from rdun.results import PlanRecord, SearchRecord

LABELS = {
    "command": "Command",
    "started": "Started",
    "finished": "Finished",
    "seconds": "Duration",
    "revision": "Git revision",
    "machine": "Machine",
    "cpu": "Processor",
    "cores": "Cores",
    "device": "Device",
    "threads": "Threads per trial",
    "trials to run": "Trials to run",
    "earlier runs": "Earlier runs",
    "price": "Price of a GPU-hour, or core-hour without a GPU",
}


class DatasetNote(NamedTuple):
    """A data set: name, content hash, its files."""

    name: str
    hash: str
    files: tuple[str, ...]


class Provenance(NamedTuple):
    """`facts`: label and value; `versions`: package and version; `datasets`: files and hashes."""

    facts: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    datasets: tuple[DatasetNote, ...]


def provenance(plan: PlanRecord | SearchRecord) -> Provenance:
    """Everything plan.json or search.json records about the run; missing keys are left out."""
    record = plan.provenance
    facts = [(label, _value(key, record)) for key, label in LABELS.items() if record.get(key) not in (None, "", [])]
    if isinstance(plan, SearchRecord):
        facts += [("Sampler", plan.sampler), ("Seed of the suggestions", str(plan.seed))]
        facts += [("Seeds of the trials", ", ".join(map(str, plan.seeds)))]
    else:
        facts.append(("Seeds", ", ".join(map(str, plan.seeds)) or "none"))
    known = {*LABELS, "dirty", "versions", "datasets"}
    facts += [(str(k), _flat(v)) for k, v in record.items() if k not in known and v not in (None, "", [])]
    versions = record.get("versions")
    datasets = record.get("datasets")
    return Provenance(
        tuple(facts),
        tuple((str(k), str(v)) for k, v in versions.items()) if isinstance(versions, Mapping) else (),
        tuple(_dataset(str(n), d) for n, d in datasets.items()) if isinstance(datasets, Mapping) else (),
    )


def _value(key: str, record: Mapping[str, Any]) -> str:
    value = record[key]
    if key == "seconds" and isinstance(value, (int, float)):
        return duration(float(value))
    if key == "revision":
        return f"{value} with uncommitted changes" if record.get("dirty") else str(value)
    return _flat(value)


def _dataset(name: str, record: Any) -> DatasetNote:
    if not isinstance(record, Mapping):
        return DatasetNote(name, str(record), ())
    files = record.get("files") or []
    return DatasetNote(name, str(record.get("hash", "")), tuple(str(f) for f in files))


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_flat(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return plural(len(value), "value") if len(value) > 20 else ", ".join(_flat(v) for v in value)
    return str(value)
