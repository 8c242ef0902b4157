"""What a search runs next, as far as that is known before. No Ray here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from rdun.config import Precision, TrialConfig
from rdun.results import Store
from rdun.search import Search, Values
from rdun.tuning.in_work import Suggestion
from rdun.tuning.optuna_record import READ
from rdun.tuning.optuna_study import is_known_before
from rdun.tuning.suggestions import Suggestions


@dataclass(frozen=True)
class Upcoming:
    """A setting that is going to run.

    Attributes:
        name: number of the suggestion, or name of the baseline.
        values: those of the space that the setting depends on; empty for a baseline.
        fingerprint, config: of the first of its trials that has no end.
    """

    name: str
    values: Mapping[str, Any]
    fingerprint: str
    config: TrialConfig


@dataclass(frozen=True)
class Preview:
    """The settings that a search begins with, in order.

    Attributes:
        more: whether suggestions follow that depend on results.
        infeasible: why suggestions between them are never trained, one reason each.
        gave_up: why no more is suggested, if that is so.
    """

    settings: tuple[Upcoming, ...]
    more: bool
    infeasible: tuple[str, ...]
    gave_up: str


def preview(
    search: Search,
    database: Path,
    store: Store,
    precision: Precision,
    learned: Mapping[str, Values],
    *,
    retry_failed: bool,
    most: int,
) -> Preview:
    """The settings that a search runs next, whatever comes of them: baselines and what an earlier driver left, then suggestions
    as long as they depend on no result that is to come. The first one never does. Asked of a copy; nothing is changed.

    Args:
        database: the search's; it need not be there, and another driver may be at work on it.
        learned: as for `Suggestions.learn`.
        most: settings.

    Raises:
        ValueError: as for `Suggestions`.
    """
    memory, there = optuna.storages.InMemoryStorage(), f"sqlite:///{database}"
    if database.exists() and search.name in optuna.get_all_study_names(there):  # else its driver died while it made it
        optuna.copy_study(from_study_name=search.name, from_storage=there, to_storage=memory)
    suggestions = Suggestions(search, memory, store, precision, search.trials, retry_failed=retry_failed)
    suggestions.learn(learned)
    before = len(suggestions.study.get_trials(deepcopy=False))
    found, more = _upcoming(suggestions, most)
    new = suggestions.study.get_trials(deepcopy=False)[before:]
    if more:
        new = [trial for trial in new if trial.number < int(found[-1].name)]
    reasons = tuple(trial.user_attrs["reason"] for trial in new if "reason" in trial.user_attrs)
    return Preview(found, more, reasons, suggestions.gave_up)


def _upcoming(suggestions: Suggestions, most: int) -> tuple[tuple[Upcoming, ...], bool]:
    """The settings, and whether others follow that depend on results."""
    found: dict[str, Upcoming] = {}
    asked, made = False, suggestions.made()
    while len(found) < most and (trial := suggestions.next()):
        name, new = _name(suggestions, trial), suggestions.made() > made
        if name in found:  # another seed
            continue
        made = suggestions.made()
        if new and asked and not is_known_before(suggestions.search.sampler, made - 1):
            return tuple(found.values()), True
        asked |= new
        found[name] = Upcoming(name, _values(suggestions, trial), trial.fingerprint, trial.config)
    return tuple(found.values()), False


def _name(suggestions: Suggestions, trial: Suggestion) -> str:
    if trial.number is not None:
        return str(trial.number)
    return next(name for name, (prints, _) in suggestions.baselines.items() if trial.fingerprint in prints)


def _values(suggestions: Suggestions, trial: Suggestion) -> dict[str, Any]:
    if trial.number is None:
        return {}
    asked = suggestions.study.get_trials(deepcopy=False)[trial.number]
    return {name: asked.params[name] for name in asked.user_attrs[READ]}
