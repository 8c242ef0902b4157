"""Which parameters of a search decided whether a trial is good, by PED-ANOVA: no random numbers, the same at every call."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial

from rdun.results import SearchRecord, SearchTrial

ENOUGH = 10
"""Complete trials below which no importance is computed."""
PARTS = 10
"""How rough a share is: the same computation once more without each tenth of the trials."""


class Importance(NamedTuple):
    """A parameter and its share of the importance of all, 0 to 1; low and high: over all leave-outs of a tenth of the trials."""

    parameter: str
    share: float
    low: float
    high: float


def importances(record: SearchRecord) -> list[Importance]:
    """Shares for the first objective, highest first; empty with fewer than `ENOUGH` complete trials or where nothing varies.

    PED-ANOVA (Watanabe et al., 2023) compares where the best quarter of the trials lies, or the best five where that is more,
    with where all trials lie; that a sampler looks at some regions more often than at others is so taken into account. A trial
    that does not depend on a parameter does not have it: the conditional form (2026) weights the trials that have it. The ranges
    come from `PARTS` fixed subsets (every tenth trial left out), so that they too are the same at every call.
    """
    trials = [t for t in record.trials if t.state == "complete"]
    if len(trials) < ENOUGH:
        return []
    kinds = {
        name: _distribution([t.values[name] for t in trials if name in t.values], log=space.endswith("logarithmic"))
        for name, space in record.space.items()
    }
    names = [name for name, kind in kinds.items() if not kind.single()]
    frozen = [_frozen(t, kinds) for t in trials]
    direction = record.objectives[0]["direction"]
    shares = _shares(frozen, direction, names)
    without = [_shares([t for i, t in enumerate(frozen) if i % PARTS != k], direction, names) for k in range(PARTS)]
    found = [
        Importance(name, share, *(pick([share, *(w.get(name, 0.0) for w in without if w)]) for pick in (min, max)))
        for name, share in shares.items()
    ]
    return sorted(found, key=lambda i: (-i.share, i.parameter))


def _shares(trials: list[FrozenTrial], direction: str, names: list[str]) -> dict[str, float]:
    """Importance of each parameter that any trial has as a part of the sum; empty where nothing can be told."""
    names = [name for name in names if any(name in t.params for t in trials)]
    if not names:
        return {}
    with _quiet():
        study = optuna.create_study(direction=direction)
        study.add_trials(trials)
        evaluator = PedAnovaImportanceEvaluator(target_quantile=max(0.25, 5 / len(trials)))
        found = get_param_importances(study, evaluator=evaluator, params=names)
    total = sum(found.values())
    return {name: share / total for name, share in found.items()} if total > 0 else {}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's line about a new study, and its warning of parameters that all settings but one have."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)


def _distribution(values: Sequence[Any], *, log: bool) -> BaseDistribution:
    """The range that the trials cover, on the scale of the space; anything but numbers is a choice."""
    kinds = {type(v) for v in values}
    if kinds == {int}:
        return IntDistribution(min(values), max(values), log=log and min(values) > 0)
    if kinds and kinds <= {int, float}:
        return FloatDistribution(min(values), max(values), log=log and min(values) > 0)
    return CategoricalDistribution(sorted(set(values), key=repr) or [None])


def _frozen(trial: SearchTrial, kinds: dict[str, BaseDistribution]) -> FrozenTrial:
    return optuna.trial.create_trial(
        params=trial.values, distributions={n: kinds[n] for n in trial.values}, value=trial.objectives[0]
    )
