"""A search through Ray Tune: Tune asks for the next trial as soon as there is room for one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ray import tune
from ray.tune.search import Searcher

from rdun.results import Store
from rdun.stopping import name_of
from rdun.study import Resources
from rdun.tuning.cluster import Capacity, trial_resources
from rdun.tuning.nodes import check_nodes
from rdun.tuning.stopping import Stopper
from rdun.tuning.suggestions import Suggestion, Suggestions
from rdun.tuning.trials import Silent, run_tuner, setting


def run_search(
    suggestions: Suggestions,
    store: Store,
    capacity: Capacity,
    on_start: Callable[[], None],
    on_end: Callable[[str], None],
) -> None:
    """Runs what the suggestions give out until there is nothing more to start and all of it is over.

    Ray's own OptunaSearch is not used: it would tell Optuna by Tune's results, know nothing of trial directories, and lose a
    trial that its driver did not see the end of.

    Args:
        on_start: is told when a suggestion has been given out.
        on_end: is told the fingerprint of each trial that is over, after Optuna.

    Raises:
        ValueError: a trial asks for more than the cluster has.
    """
    check_nodes(suggestions.search.baselines.values() or [suggestions.search.base], store)
    slots = _slots(suggestions.search.resources, capacity)
    search, stopper = suggestions.search, None
    if search.stopping:
        stopper = Stopper(search.stopping, search.objectives[0].quantity, search.epochs(), search.seed)
    searcher = _Searcher(suggestions, slots, on_start, on_end, stopper)
    tuning = tune.TuneConfig(search_alg=searcher, scheduler=stopper, num_samples=sys.maxsize)
    run_tuner(suggestions.search.name, suggestions.search.resources, store, Silent(), capacity, tuning, {})


def _slots(wanted: Resources, capacity: Capacity) -> int:
    """Trials that the cluster holds at once: a suggestion is asked for when it can start, knowing all results so far."""
    one = trial_resources(wanted, capacity)
    by_gpu = int(capacity.gpus / one["gpu"]) if one["gpu"] else sys.maxsize
    return max(1, min(int(capacity.cpus / one["cpu"]), by_gpu))


class _Searcher(Searcher):
    """Tune's calls to the suggestions."""

    def __init__(
        self,
        suggestions: Suggestions,
        slots: int,
        on_start: Callable[[], None],
        on_end: Callable[[str], None],
        stopper: Stopper | None,
    ) -> None:
        super().__init__()
        self.suggestions, self.slots = suggestions, slots
        self.on_start, self.on_end, self.stopper = on_start, on_end, stopper
        self.running: dict[str, str] = {}
        self.known: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its searcher for a restore, which is not used here

    def save(self, checkpoint_path: str) -> None:
        """Nothing: every suggestion is in the database before it is given out."""

    def suggest(self, trial_id: str) -> Any:
        if len(self.running) >= self.slots:
            return None
        found = self.suggestions.next()
        if found is None:
            return Searcher.FINISHED
        self.running[trial_id] = found.fingerprint
        self.on_start()
        rule = self._judged(found) if self.stopper and found.number is not None else ""
        return {"trial": setting(found.fingerprint, found.config, rule)}

    def _judged(self, found: Suggestion) -> str:
        """Lets the rule know what has ended without it, and the trial that begins; the rule's name."""
        assert self.stopper is not None
        self.known.add(found.fingerprint)
        for fingerprint, curve in self.suggestions.curves().items():
            if fingerprint not in self.known:
                self.known.add(fingerprint)
                self.stopper.knows(fingerprint, curve)
        self.stopper.may_stop(found.fingerprint, found.config.optim.epochs)
        return name_of(self.suggestions.search.stopping)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        fingerprint = self.running.pop(trial_id, None)
        if fingerprint is None:
            return
        stopped_at = self.stopper.stopped.get(fingerprint, 0) if self.stopper else 0
        self.suggestions.ended(fingerprint, died=error, stopped_at=stopped_at)
        self.on_end(fingerprint)
