"""A search as data: its suggestions and baselines with what they reached in validation and on the test images."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd

from analysis.frames.files import Files
from analysis.frames.measures import NO_NUMBER, describe_gap, mean_and_spread
from analysis.frames.parsing import first_line, parse
from rdun.config import TrialConfig, from_dict
from rdun.results import EpochRecord, Score, SearchRecord, Store, Timing

NAN = float("nan")
COSTS = ("parameters", "macs", "stage_evaluations")
TestKey = frozenset[tuple[Any, ...]]


class Tested(NamedTuple):
    """Test PSNR in dB by data set, at the best checkpoint, mean over the seeds, and why there is none.

    Attributes:
        spread: standard deviations over the seeds; empty with one.
    """

    psnr: dict[str, float]
    reason: str = ""
    spread: Mapping[str, float] = MappingProxyType({})


NOT_TESTED = Tested({})


class Baseline(NamedTuple):
    """A setting to compare with: quantities by name as far as all its directories have them, means over the seeds; test PSNR,
    and why it has none; and the quantities' standard deviations over several seeds."""

    name: str
    quantities: dict[str, float]
    tested: Tested
    spreads: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class SearchFrames:
    """A search with what its trial directories say; everything a search's report shows comes from here.

    Attributes:
        tested: number of a complete trial, or of a duplicate of one -> test quality.
        best: numbers of the trials that no other one beats, by the first objective.
        hours: core-hours and GPU-hours ("core", "gpu") of all trials, complete or not, and of the baselines.
        codes: how many complete trials and trials of baselines were trained by which code: kind of the network and hashes in
            order -> count; empty where there is one code only.
    """

    record: SearchRecord
    baselines: tuple[Baseline, ...]
    tested: dict[int, Tested]
    best: tuple[int, ...]
    hours: Mapping[str, float]
    codes: Mapping[tuple[str, tuple[str, ...]], int]

    @property
    def several(self) -> bool:
        """Whether each setting has several seeds."""
        return len(self.record.seeds) > 1

    @property
    def quantities(self) -> list[str]:
        """Names of the objectives."""
        return [o["quantity"] for o in self.record.objectives]

    @cached_property
    def datasets(self) -> list[str]:
        """Test sets of any trial or baseline."""
        found = [*self.tested.values(), *(b.tested for b in self.baselines)]
        return list(dict.fromkeys(name for t in found for name in t.psnr))

    def complete(self) -> pd.DataFrame:
        """One line per complete trial: number, a column per objective, `best`; duplicates of earlier ones are left out."""
        trials = [t for t in self.record.trials if t.state == "complete"]
        rows = [(t.number, *t.objectives, t.number in self.best) for t in trials]
        return pd.DataFrame(rows, columns=["number", *self.quantities, "best"])


def load_search(record: SearchRecord, store: Store) -> SearchFrames:
    """Reads the directories of all trials, and of the baselines."""
    trials = [t for t in record.trials if t.state == "complete"]
    settings = [*(t.fingerprints for t in trials), *record.baselines.values()]
    files = {f: Files.read(store.trial(f)) for f in dict.fromkeys(f for prints in settings for f in prints)}
    single = _tested(files, store)
    tested = {prints[0]: _over_seeds([single[f] for f in prints]) for prints in settings}
    baselines = []
    for name, prints in record.baselines.items():
        means, spreads = _means([_reached(files[f], store, f) for f in prints])
        costs = record.baseline_quantities.get(name, {})
        baselines.append(Baseline(name, costs | means, tested[prints[0]], spreads))
    numbers = {t.number: tested[t.fingerprint] for t in record.trials if t.objectives and t.fingerprint in tested}
    others = {f: Files.read(store.trial(f)) for f in record.fingerprints() if f not in files}
    hours = Counter[str]()
    for file in [*files.values(), *others.values()]:
        hours.update(file.hours)
    best = tuple(t.number for t in record.best())
    return SearchFrames(record, tuple(baselines), numbers, best, hours, _codes(files, store))


def _codes(files: Mapping[str, Files], store: Store) -> Mapping[tuple[str, tuple[str, ...]], int]:
    """Configs are read only where there are several codes."""
    attempts = {f: file.run.attempts for f, file in files.items() if file.run and file.run.status == "complete"}
    own = {
        f: codes for f, found in attempts.items() if (codes := tuple(dict.fromkeys(a.code for a in found if a.code)))
    }
    if len({code for codes in own.values() for code in codes}) < 2:
        return {}
    return Counter((str(store.trial(f).read_json("config.json")["model"]["kind"]), codes) for f, codes in own.items())


def _over_seeds(tested: Sequence[Tested]) -> Tested:
    """The test quality of a setting, where all its trials have one."""
    means, spreads = _means([t.psnr for t in tested])
    return Tested(means, next((t.reason for t in tested if t.reason), ""), spreads)


def _means(seeds: Sequence[dict[str, float]]) -> tuple[dict[str, float], dict[str, float]]:
    """Means of what all have, and standard deviations of several."""
    common = [name for name in seeds[0] if all(name in own for own in seeds)]
    found = {name: mean_and_spread(own[name] for own in seeds) for name in common}
    spreads = {name: spread for name, (_, spread) in found.items()} if len(seeds) > 1 else {}
    return {name: mean for name, (mean, _) in found.items()}, spreads


def _tested(files: dict[str, Files], store: Store) -> dict[str, Tested]:
    """Only trials that were tested on the same images, ratios, matrices and by the same protocol stand in one column."""
    reasons = {f: describe_gap(*file.status()) for f, file in files.items() if file.status()[0] != "complete"}
    scores, errors = parse({f: file.scores for f, file in files.items() if f not in reasons}, Score)
    reasons |= {f: f"scores.csv: {error}" for f, error in errors.items()}
    scores = scores[(scores["checkpoint"] == "best") & (scores["split"] == "test") & (scores["unit"] == "image")]
    scores = scores[scores["metric"] == "psnr"].astype({"fingerprint": object, "dataset": object})
    rows_of = {str(f): rows for f, rows in scores.groupby("fingerprint", sort=False)}
    values: dict[str, dict[str, tuple[TestKey, float]]] = {}
    for fingerprint in [f for f in files if f not in reasons]:
        own = rows_of.get(fingerprint, scores[:0])
        try:
            own = own[own["recursions"] == _evaluations(store, fingerprint)]
        except (ValueError, TypeError, KeyError, OSError) as error:
            reasons[fingerprint] = f"config.json cannot be read: {first_line(error)}"
            continue
        values[fingerprint] = {str(name): _on_one_set(rows) for name, rows in own.groupby("dataset")}
    return _alike(files, values, reasons)


def _on_one_set(rows: pd.DataFrame) -> tuple[TestKey, float]:
    """What a trial was tested on, and the mean over it."""
    keys = rows[["image", "ratio", "matrix", "protocol"]].itertuples(index=False, name=None)
    return frozenset(keys), float(rows["value"].mean(skipna=False))


def _alike(
    files: dict[str, Files], values: dict[str, dict[str, tuple[TestKey, float]]], reasons: dict[str, str]
) -> dict[str, Tested]:
    """The values of the trials that were tested as most of them; why there is none of the others."""
    usual: dict[str, TestKey] = {}
    for name in dict.fromkeys(name for own in values.values() for name in own):
        usual[name] = Counter(own[name][0] for own in values.values() if name in own).most_common(1)[0][0]
    found: dict[str, Tested] = {}
    for f in files:
        own = values.get(f, {})
        alike = {name: value for name, (key, value) in own.items() if key == usual[name]}
        known = {name: value for name, value in alike.items() if math.isfinite(value)}
        other = "tested on other images or by another protocol than most trials" if len(alike) < len(own) else ""
        unknown = NO_NUMBER if len(known) < len(alike) else ""
        found[f] = Tested(
            known, reasons.get(f) or other or unknown or ("" if known else "complete, but without test scores")
        )
    return found


def _evaluations(store: Store, fingerprint: str) -> int:
    """Stage applications of a reconstruction as the trial is meant to be tested."""
    return sum(from_dict(TrialConfig, store.trial(fingerprint).read_json("config.json")).test_counts)


def _reached(files: Files, store: Store, fingerprint: str) -> dict[str, float]:
    """Quantities of a baseline that its trial knows, named as objectives are: validation at the best epoch, parameters, stage
    applications, steps, samples, seconds of training."""
    if files.status()[0] != "complete" or files.run is None:
        return {}
    epochs, _ = parse({"": files.epochs}, EpochRecord)
    timings, _ = parse({"": files.timings}, Timing)
    found = {"parameters": float(files.run.facts.get("parameters", NAN))}
    if len(epochs):
        best = epochs.iloc[int(epochs["validation_psnr"].to_numpy().argmax())]
        found |= {name: float(best[name]) for name in ("validation_psnr", "validation_ssim")}
        found |= {"steps": float(epochs["step"].iloc[-1]), "samples": float(epochs["samples"].iloc[-1])}
    with suppress(ValueError, TypeError, KeyError, OSError):  # a config that this version cannot read
        found["stage_evaluations"] = float(_evaluations(store, fingerprint))
    seconds = timings.loc[timings["name"] == "train_seconds", "value"]
    found |= {"train_seconds": float(seconds.iloc[0])} if len(seconds) else {}
    return {name: value for name, value in found.items() if not math.isnan(value)}
