"""Time and memory of trials, from what was measured."""

from __future__ import annotations

import heapq
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rdun.config import TrialConfig
from rdun.plan.costs import steps
from rdun.plan.machine import LITTLE, Machine
from rdun.plan.measurements import Keys, Measurement, keys
from rdun.plan.reconstructed import reconstructed


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a trial, or the rest of it, is expected to take.

    Attributes:
        seconds: on one slot; None: nothing comparable was measured.
        validation, scoring: whether these are in the seconds.
        tests: of the seconds, those of the scoring.
        memory_mib, gpu_memory_mib: as in `Measurement`; None: no equal training was measured.
        source: where it comes from; empty if nothing is known.
    """

    seconds: float | None = None
    validation: bool = False
    scoring: bool = False
    tests: float = 0.0
    memory_mib: float | None = None
    gpu_memory_mib: float | None = None
    source: str = ""


class Estimator:
    """Estimates from measurements on one kind of machine; others are left out."""

    def __init__(self, measurements: Iterable[Measurement], machine: Machine) -> None:
        self.machine = machine
        self._by: dict[str, dict[str, list[Measurement]]] = {name: defaultdict(list) for name in Keys._fields}
        for measured in measurements:
            if measured.place == machine.place:
                for name, found in self._by.items():
                    found[getattr(measured, name)].append(measured)
        self._known: dict[TrialConfig, Estimate] = {}

    def estimate(self, config: TrialConfig, epochs_done: int = 0) -> Estimate:
        """Of the epochs that are left and the scoring.

        The time per step is that of past runs of the same training, else of its probe, scaled from the stage applications that
        were drawn to those expected; else that of trainings that differ in layers and counts only, scaled in the same way. The
        times of validation and scoring are those of reconstructions of as many pixels by networks of the same stages, else of
        other numbers of pixels, in proportion.
        """
        plain = replace(config, seed=0)
        if epochs_done:
            return self._estimate(plain, epochs_done)
        if plain not in self._known:
            self._known[plain] = self._estimate(plain, 0)
        return self._known[plain]

    def _estimate(self, config: TrialConfig, epochs_done: int) -> Estimate:
        from rdun.models import mean_evaluations

        own = keys(config)
        trained, how = self._trained(own)
        epoch, scoring = self._tested(config, own)
        total = config.optim.epochs
        if epochs_done >= total:  # weights that are only tested
            source = self._by["tested"][own.tested][0].source if scoring is not None else ""
            known = scoring is not None
            return Estimate(seconds=scoring, validation=True, scoring=known, tests=scoring or 0.0, source=source)
        if not trained:
            return Estimate()
        expected = mean_evaluations(config.recursion, config.model.layers)
        step = statistics.median((m.step or 0.0) * expected / m.evaluations for m in trained)
        left = total - epochs_done
        exact = trained if how == "network" else []
        return Estimate(
            seconds=steps(config) * left / total * step + left * (epoch or 0.0) + (scoring or 0.0),
            validation=epoch is not None,
            scoring=scoring is not None,
            tests=scoring or 0.0,
            memory_mib=_largest(m.memory_mib for m in exact),
            gpu_memory_mib=_largest(m.gpu_memory_mib for m in exact),
            source=trained[0].source + ("" if exact else " of other depths"),
        )

    def _trained(self, own: Keys) -> tuple[list[Measurement], str]:
        for name, key in (("network", own.network), ("stage", own.stage)):
            found = [m for m in self._by[name].get(key, []) if m.step is not None and m.evaluations > 0]
            for source in ("past runs", "probe"):
                if kept := [m for m in found if m.source == source]:
                    return kept, name
        return [], ""

    def _tested(self, config: TrialConfig, own: Keys) -> tuple[float | None, float | None]:
        """Seconds of a validation, and of the scoring; None: nothing that tells was measured."""
        known = [(m, m.reconstructed) for m in self._by["tested"].get(own.tested, []) if m.reconstructed]
        if not known:
            return None, None
        epochs = [(m.epoch, done.validation) for m, done in known if m.epoch is not None]
        scorings = [(m.scoring, done.scoring) for m, done in known if m.scoring is not None]
        asked = reconstructed(config)
        return _in_proportion(epochs or scorings, asked.validation), _in_proportion(scorings or epochs, asked.scoring)


def _in_proportion(measured: Sequence[tuple[float, float]], amount: float) -> float | None:
    """Seconds of an amount, by pairs of seconds and amounts: of this very amount, where there are such."""
    equal = [seconds for seconds, done in measured if done == amount]
    return _median(equal or [seconds * amount / done for seconds, done in measured if done])


def makespan(trials: Iterable[tuple[float, float]], slots: int, gpus: int = 0) -> tuple[float, int]:
    """Trials that are started in order, each as soon as a slot and its part of one GPU, or its whole GPUs, are free.

    Args:
        trials: seconds and part of a GPU of each.

    Returns:
        Wall time, and the most trials at a time.
    """
    running: list[tuple[float, int, list[int], float]] = []
    now, most, wall, free = 0.0, 0, 0.0, [1.0] * gpus
    for number, (seconds, part) in enumerate(trials):
        each, count = min(part, 1.0), math.ceil(part)
        while running and (len(running) >= slots or len(_fitting(free, each)) < count):
            now, _, place, taken = heapq.heappop(running)
            for gpu in place:
                free[gpu] += taken
        place = _fitting(free, each)[:count]
        for gpu in place:
            free[gpu] -= each
        heapq.heappush(running, (now + seconds, number, place, each))
        most, wall = max(most, len(running)), max(wall, now + seconds)
    return wall, most


def _fitting(free: Sequence[float], part: float) -> list[int]:
    """The GPUs that have a part left, the fullest first, as Ray takes them."""
    return sorted((gpu for gpu, left in enumerate(free) if left >= part - LITTLE), key=lambda gpu: free[gpu])


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return statistics.median(found) if found else None


def _largest(values: Iterable[float]) -> float | None:
    return max(values, default=0.0) or None
