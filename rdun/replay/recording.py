"""The curves of a study or search that was run: the finite space of a replay."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from rdun.results import EpochRecord, Folder, PlanRecord, SearchRecord, Store
from rdun.streams import stream


@dataclass(frozen=True)
class Curve:
    """A complete trial: its identity, its epochs, and the processor threads that it took."""

    fingerprint: str
    epochs: tuple[EpochRecord, ...]
    threads: int

    @property
    def seconds(self) -> list[float]:
        """Seconds of training steps of each epoch."""
        ends = [0.0, *(epoch.seconds for epoch in self.epochs)]
        return [b - a for a, b in itertools.pairwise(ends)]


@dataclass(frozen=True)
class Recording:
    """What was asked for, the complete trials in the order they were asked for, and why others are left out.

    Attributes:
        tested: complete trials without a training, of weights that are only tested: part of a record, not of a replay.
        quantity: what counts, more is better: the search's objective where it is a validation quality, else validation PSNR.
    """

    record: SearchRecord | PlanRecord
    store: Store
    curves: tuple[Curve, ...]
    tested: tuple[str, ...] = ()
    gaps: dict[str, str] = field(default_factory=dict)
    quantity: str = "validation_psnr"

    def chosen(self, order: tuple[int, ...]) -> list[Curve]:
        """The curves in another order."""
        return [self.curves[index] for index in order]


def load_recording(home: Folder, store: Store) -> Recording:
    """Reads the record of a study or search and the curves of its trials, each once; baselines of a search are left out.

    Raises:
        ValueError: no record, or no complete trial.
    """
    record: SearchRecord | PlanRecord
    if home.exists("search.json"):
        record = SearchRecord.load(home)
        prints = [fingerprint for trial in record.trials for fingerprint in trial.fingerprints]
        first = record.objectives[0]["quantity"]
        quantity = first if first in ("validation_psnr", "validation_ssim") else "validation_psnr"
    elif home.exists("plan.json"):
        record, quantity = PlanRecord.load(home), "validation_psnr"
        prints = [fingerprint for cell in record.cells for fingerprint in cell.fingerprints]
    else:
        raise ValueError(f"{home.path} has neither search.json nor plan.json; name a study or search that was run")
    curves, tested, gaps = list[Curve](), list[str](), dict[str, str]()
    for fingerprint in dict.fromkeys(prints):
        found = _curve(store, fingerprint)
        if isinstance(found, str):
            gaps[fingerprint] = found
        elif found:
            curves.append(found)
        else:
            tested.append(fingerprint)
    if not curves and not tested:
        raise ValueError(f"{home.path} has no complete trial; finish it first")
    return Recording(record, store, tuple(curves), tuple(tested), gaps, quantity)


def _curve(store: Store, fingerprint: str) -> Curve | str | None:
    """A trial's curve, or why it cannot be used; None: it is complete, and has no training."""
    folder = store.trial(fingerprint)
    try:
        run, epochs = folder.run(), tuple(folder.epochs())
        trains = run is None or folder.read_json("config.json")["optim"]["epochs"] > 0
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"its files cannot be read: {error}"
    if run is None or run.status != "complete":
        return "not recorded" if run is None else f"{run.status}: {run.reason}".removesuffix(": ")
    if not trains:
        return None
    if [epoch.epoch for epoch in epochs] != list(range(1, len(epochs) + 1)) or not epochs:
        return f"its epochs are {[epoch.epoch for epoch in epochs]}, not 1, 2, ..."
    curve = Curve(fingerprint, epochs, max(1, run.attempts[-1].threads) if run.attempts else 1)
    if not all(math.isfinite(seconds) and seconds >= 0 for seconds in curve.seconds):
        return "its seconds do not increase"
    return curve


def orders(count: int, number: int) -> Iterator[tuple[int, ...]]:
    """The order of the record, and then random ones, each from its own seed 1, 2, ..."""
    yield tuple(range(count))
    for seed in range(1, number):
        yield tuple(int(index) for index in stream(seed, "replay").permutation(count))
