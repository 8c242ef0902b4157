"""A search in Optuna's terms: its study in a SQLite file, distributions and samplers."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import InMemoryStorage

from rdun.config import Precision, digest, to_dict
from rdun.search import Choice, Int, Parameter, Search
from rdun.streams import seed_for

DATABASE = "search.db"
"""File of a search's study, in its folder."""
START = 10
"""Random trials before a model is fitted, and the population of NSGA-II."""
PRECISION = "precision"
"""Attribute of a study: what "auto" stands for in its settings."""


def open_study(search: Search, database: Path | InMemoryStorage) -> optuna.Study:
    """The search's study, new or as it was left."""
    if isinstance(database, Path):
        database.parent.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=f"sqlite:///{database}" if isinstance(database, Path) else database,
        study_name=search.name,
        directions=[objective.direction for objective in search.objectives],
        load_if_exists=True,
    )
    asked = {
        "space": {name: repr(parameter) for name, parameter in search.space.items()},
        "objectives": [[o.quantity, o.direction] for o in search.objectives],
        "constraints": [[c.quantity, c.at_most] for c in search.constraints],
        "sampler": search.sampler,
        "seed": search.seed,
        "seeds": list(search.seeds),
        "settings": digest([to_dict(replace(search.config(values), seed=0)) for values in search.corners()]),
    }
    if search.stopping:
        asked["stopping"] = repr(search.stopping)
    known = study.user_attrs.get("asked", asked)
    for name in {**asked, **known}:
        if known.get(name) != asked.get(name):
            raise ValueError(
                f"search {search.name!r} was begun with {name}={known.get(name)}, now it is {asked.get(name)}; "
                f"give the search another name (with --learn-from {search.name} it begins with what this one knows), "
                f"or remove its {DATABASE}"
            )
    study.set_user_attr("asked", asked)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "experimental": names for optuna-dashboard
        study.set_metric_names([objective.quantity for objective in search.objectives])
    return study


def precision_of(study: optuna.Study, precision: Precision) -> Precision:
    """What "auto" stands for: as the search was begun, on whatever machine it goes on; of a new one, `precision`."""
    known: Precision | None = study.user_attrs.get(PRECISION)
    if known is None:
        study.set_user_attr(PRECISION, precision)
    return known or precision


def report(study: optuna.Study, number: int, values: Iterable[float]) -> None:
    """Tells what a running trial of one objective had reached after epochs 1, 2, ...; what was told before stays."""
    frozen = study.get_trials(deepcopy=False)[number]
    trial = optuna.Trial(study, frozen._trial_id)
    for epoch, value in enumerate(values, start=1):
        if epoch not in frozen.intermediate_values:
            trial.report(value, epoch)


def mark(study: optuna.Study, number: int, name: str, value: object) -> None:
    """Sets an attribute of a running trial, at once and for good."""
    optuna.Trial(study, study.get_trials(deepcopy=False)[number]._trial_id).set_user_attr(name, value)


def distribution(parameter: Parameter) -> BaseDistribution:
    """A parameter of a space as Optuna's."""
    if isinstance(parameter, Choice):
        return CategoricalDistribution(parameter.options)
    if isinstance(parameter, Int):
        return IntDistribution(parameter.low, parameter.high, log=parameter.log)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log)


def sampler(name: str, seed: int, number: int) -> optuna.samplers.BaseSampler:
    """A sampler for one suggestion: chance comes from the seed and the number, all else from the study's history."""
    own = seed_for(seed, f"suggestion {number}") % 2**32
    if name == "random":
        return optuna.samplers.RandomSampler(seed=own)
    if name == "tpe":
        return optuna.samplers.TPESampler(seed=own, n_startup_trials=START)
    if name == "gp":
        return optuna.samplers.GPSampler(seed=own, n_startup_trials=START)
    if name == "nsga2":
        return optuna.samplers.NSGAIISampler(seed=own, population_size=START)
    return optuna.samplers.QMCSampler(seed=seed, scramble=True)  # one sequence, of which the study keeps the place


def is_known_before(name: str, number: int) -> bool:
    """Whether a sampler's suggestion of this number, infeasible ones counted, depends on no result."""
    return name in ("random", "qmc") or number < START
