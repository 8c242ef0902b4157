"""What another search over the same trial directories found out, as settings of this one. No Optuna and no Ray here."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rdun.config import Precision
from rdun.data import trial_fingerprint
from rdun.results import SearchRecord, Store
from rdun.search import Int, Parameter, Search, Values
from rdun.tuning.quantities import beyond

TRIES = 256
"""Values that are tried for the parameters of which the other search says nothing."""


def known_settings(search: Search, other: SearchRecord, store: Store, precision: Precision) -> dict[str, Values]:
    """The settings of `search` that `other` has complete, by first fingerprint, in its order; for seeds that `other` does not
    have, trials of anybody else count.

    A parameter that the other search did not have, or on which its setting does not depend, is read from the trial's config where
    it is a field of it; else its values are tried, of a fraction the bounds. Settings beyond a bound on costs are left out.

    Args:
        precision: what "auto" stands for in `search`.
    """
    found: dict[str, Values] = {}
    for trial in other.trials:
        if trial.state == "complete" and _complete(store, trial.fingerprints):
            config = store.trial(trial.fingerprint).read_json("config.json")
            for values in _completed(search, trial.values, config):
                own = _fingerprints(search, values, precision)
                if set(own) & set(trial.fingerprints):
                    if own[0] not in found and _complete(store, own):
                        found[own[0]] = values
                    break
    return found


def _complete(store: Store, fingerprints: Iterable[str]) -> bool:
    runs = [store.trial(fingerprint).run() for fingerprint in fingerprints]
    return all(run and run.status == "complete" for run in runs)


def _completed(search: Search, known: Values, config: Mapping[str, Any]) -> Iterator[Values]:
    """The known values, with the possible ones of all other parameters of the space."""
    fields = {name: value for name in search.space if (value := _field(config, name)) is not None}
    values = {name: value for name, value in {**fields, **known}.items() if name in search.space}
    if any(not search.space[name].holds(value) for name, value in values.items()):
        return
    open_ = {name: _tried(parameter) for name, parameter in search.space.items() if name not in values}
    for chosen in itertools.islice(itertools.product(*open_.values()), TRIES):
        yield values | dict(zip(open_, chosen, strict=True))


def _tried(parameter: Parameter) -> Iterable[Any]:
    if isinstance(parameter, Int):
        return itertools.islice(range(parameter.low, parameter.high + 1), TRIES)
    return parameter.examples()


def _field(config: Mapping[str, Any], name: str) -> Any:
    value: Any = config
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _fingerprints(search: Search, values: Values, precision: Precision) -> list[str]:
    if search.problem(values):
        return []
    config = search.config(values).resolved(precision)
    return [] if beyond(search, config) else [trial_fingerprint(trial) for trial in search.seeded(config)]
