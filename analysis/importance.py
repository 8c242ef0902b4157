"""Which parameters of a search decided whether a trial is good, by PED-ANOVA: no random numbers, the same at every call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from rdun.results import SearchRecord, SearchTrial

ENOUGH = 10
"""Complete trials below which no importance is computed."""


class Importance(NamedTuple):
    """A parameter and its share of the importance of all, 0 to 1."""

    parameter: str
    share: float


def importances(record: SearchRecord) -> list[Importance]:
    """Shares for the first objective, highest first; empty with fewer than `ENOUGH` complete trials or where nothing varies.

    PED-ANOVA (Watanabe et al., 2023) compares where the best quarter of the trials lies, or the best five where that is more,
    with where all trials lie; that a sampler looks at some regions more often than at others is so taken into account.
    """
    trials = [t for t in record.trials if t.state == "complete"]
    if len(trials) < ENOUGH:
        return []
    kinds = {name: _distribution([t.values[name] for t in trials if name in t.values]) for name in record.space}
    with _quiet():
        study = optuna.create_study(direction=record.objectives[0]["direction"])
    study.add_trials([_frozen(t, kinds) for t in trials])
    evaluator = PedAnovaImportanceEvaluator(target_quantile=max(0.25, 5 / len(trials)))
    names = [name for name, kind in kinds.items() if not kind.single()]
    shares = get_param_importances(study, evaluator=evaluator, params=names) if names else {}
    total = sum(shares.values())
    found = [Importance(name, share / total) for name, share in shares.items()] if total > 0 else []
    return sorted(found, key=lambda i: (-i.share, i.parameter))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's line about a new study."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _distribution(values: Sequence[Any]) -> BaseDistribution:
    """The range that the trials cover; anything but numbers is a choice."""
    kinds = {type(v) for v in values}
    if kinds == {int}:
        return IntDistribution(min(values), max(values))
    if kinds and kinds <= {int, float}:
        return FloatDistribution(min(values), max(values))
    return CategoricalDistribution(sorted(set(values), key=repr) or [None])


def _frozen(trial: SearchTrial, kinds: dict[str, BaseDistribution]) -> optuna.trial.FrozenTrial:
    return optuna.trial.create_trial(
        params=trial.values, distributions={n: kinds[n] for n in trial.values}, value=trial.objectives[0]
    )
