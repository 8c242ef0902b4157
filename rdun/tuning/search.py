"""A search through Ray Tune: Tune asks for the next trial as soon as there is room for one."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any

from ray import tune
from ray.tune.search import Searcher

from rdun.config import TrialConfig
from rdun.plan import LITTLE, Part
from rdun.results import Store
from rdun.stopping import name_of
from rdun.tuning.cluster import Capacity, trial_resources
from rdun.tuning.in_work import Suggestion
from rdun.tuning.nodes import check_nodes
from rdun.tuning.relay import Silent
from rdun.tuning.stopping import Stopper
from rdun.tuning.suggestions import Suggestions
from rdun.tuning.trials import run_tuner, setting
from rdun.tuning.waiting import grows_now
from rdun.tuning.watch import PERIOD


def run_search(
    suggestions: Suggestions,
    store: Store,
    capacity: Capacity,
    on_start: Callable[[], None],
    on_end: Callable[[str], None],
    part: Callable[[TrialConfig], Part] | None = None,
    used: Callable[[float, str], None] | None = None,
) -> None:
    """Runs what the suggestions give out until there is nothing more to start and all of it is over.

    Ray's own OptunaSearch is not used: it would tell Optuna by Tune's results, know nothing of trial directories, and lose a
    trial that its driver did not see the end of.

    Args:
        on_start: is told when a suggestion has been given out.
        on_end: is told the fingerprint of each trial that is over, after Optuna.
        part: of a GPU, for a setting; None: what the search says, else a quarter.
        used: is told the hours that the trials have held so far, and their unit.

    Raises:
        ValueError: a trial asks for more than the cluster has.
    """
    check_nodes(suggestions.search.baselines.values() or [suggestions.search.base], store, capacity)
    search, stopper = suggestions.search, None
    if search.stopping:
        stopper = Stopper(search.stopping, search.objectives[0].quantity, search.epochs(), search.seed)
    searcher = _Searcher(suggestions, capacity, on_start, on_end, stopper, part)
    tuning = tune.TuneConfig(search_alg=searcher, scheduler=stopper, num_samples=sys.maxsize)
    run_tuner(suggestions.search.name, suggestions.search.resources, store, _Says(used), capacity, tuning, {})


class _Says(Silent):
    """Says what waits, and hands on the hours."""

    def __init__(self, tell: Callable[[float, str], None] | None) -> None:
        self.tell = tell

    def used(self, hours: float, unit: str) -> None:
        if self.tell:
            self.tell(hours, unit)

    def waits(self, fingerprint: str, why: str) -> None:
        print(f"trial {fingerprint}: {why}", file=sys.stderr)

    def waiting(self, why: str) -> None:
        print(why, file=sys.stderr)


class _Searcher(Searcher):
    """Tune's calls to the suggestions."""

    def __init__(
        self,
        suggestions: Suggestions,
        capacity: Capacity,
        on_start: Callable[[], None],
        on_end: Callable[[str], None],
        stopper: Stopper | None,
        part: Callable[[TrialConfig], Part] | None,
    ) -> None:
        super().__init__()
        self.suggestions, self.capacity, self.part = suggestions, capacity, part
        self.on_start, self.on_end, self.stopper = on_start, on_end, stopper
        self.running: dict[str, str] = {}
        self.shares: dict[str, dict[str, float]] = {}
        self.known: set[str] = set()
        self._seen, self._grows, self._looked = capacity, False, -math.inf

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its searcher for a restore, which is not used here

    def save(self, checkpoint_path: str) -> None:
        """Nothing: every suggestion is in the database before it is given out."""

    def suggest(self, trial_id: str) -> Any:
        if self._is_full():
            return None
        found = self.suggestions.next()
        if found is None:
            return Searcher.FINISHED
        part = self.part(found.config) if self.part else Part()
        self.running[trial_id] = found.fingerprint
        self.shares[trial_id] = trial_resources(self.suggestions.search.resources, self.capacity, planned=part.gpus)
        self.on_start()
        rule = self._judged(found) if self.stopper and found.number is not None else ""
        return {"trial": setting(found.fingerprint, found.config, part, rule)}

    def _is_full(self) -> bool:
        """Whether there is no room for another like the smallest that runs. Asked for when it can start, it knows all results.

        Where machines are started for trials that wait, one waits.
        """
        if not self.shares:
            return False
        self._look()
        room = {"cpu": self._seen.cpus, "gpu": self._seen.gpus}
        shares = [[share[kind] for share in self.shares.values()] for kind in room]
        least = [min(taken) for taken in shares]
        left = [has - sum(taken) for has, taken in zip(room.values(), shares, strict=True)]
        slots = sum(machine.holds(*least) for machine in self._seen.machines) - len(self.shares)
        if slots > 0 and all(rest >= small - LITTLE for rest, small in zip(left, least, strict=True)):
            return False
        return slots < 0 or min(left) < -LITTLE or not self._grows

    def _look(self) -> None:
        """Sees what a cluster of several machines has, now and then."""
        if self.capacity.address != "local" and time.monotonic() > self._looked + PERIOD:
            self._seen, self._grows, self._looked = self.capacity.now(), grows_now(), time.monotonic()

    def _judged(self, found: Suggestion) -> str:
        """Lets the rule know what has ended without it, and the trial that begins; the rule's name."""
        assert self.stopper is not None
        self.known.add(found.fingerprint)
        for fingerprint, curve in self.suggestions.curves(self.known).items():
            self.known.add(fingerprint)
            self.stopper.knows(fingerprint, curve)
        self.stopper.may_stop(found.fingerprint, found.config.optim.epochs)
        return name_of(self.suggestions.search.stopping)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        self.shares.pop(trial_id, None)
        fingerprint = self.running.pop(trial_id, None)
        if fingerprint is None:
            return
        stopped_at = self.stopper.stopped.get(fingerprint, 0) if self.stopper else 0
        self.suggestions.ended(fingerprint, died=error, stopped_at=stopped_at)
        self.on_end(fingerprint)
