"""A search: a question whose settings are looked for in a space, instead of being named one by one. Standard library only."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from rdun.config import TrialConfig, Typed, canonical, with_values
from rdun.search.space import Parameter, Real, Values, check_space
from rdun.stopping import Stopping
from rdun.study import Resources, check_name, check_trial_seeds

SAMPLERS = ("random", "tpe", "gp", "qmc", "nsga2")
QUALITIES = ("validation_psnr", "validation_ssim", "train_seconds")
"""Known after training: at the best epoch by validation PSNR, in dB and 1; seconds of training steps."""
COSTS = ("parameters", "macs", "steps", "samples", "stage_evaluations")
"""Known before training: the names of `rdun.plan.QUANTITIES`."""

DRAWS = 500
"""Settings that are drawn to find one for a value that does not fit to the bounds of the others."""


@dataclass(frozen=True)
class Objective(Typed):
    """A quantity, of QUALITIES or COSTS, and what to do with it."""

    quantity: str
    direction: Literal["maximize", "minimize"]


@dataclass(frozen=True)
class Constraint(Typed):
    """A quantity of COSTS is at most a bound; a setting beyond it is never trained."""

    quantity: str
    at_most: float


@dataclass(frozen=True, kw_only=True)
class Search(Typed):
    """A question with the space in which its answer is looked for; checked when it is made.

    Attributes:
        name, title, question, method, expectation, scale: as in `rdun.study.Study`.
        base: the config that the values change; its seed is replaced.
        space: what is searched: dotted fields of the config, or parameters with names of their own that `build` reads. Some
            values may not fit together (`build` or a config raises ValueError): that suggestion is infeasible, never trained.
        build: makes the config from `base` and the values of all parameters, for values that depend on each other. A parameter
            that it does not read for some values makes equal configs, which are trained once. None: the dotted fields are set.
        objectives: one, or several (the search then looks for the settings that no other one beats in all of them). Selection is
            on validation.
        constraints: bounds on costs.
        baselines: settings to compare with, trained first, outside the search.
        trials: suggestions to try; infeasible ones are not counted.
        stopping: ends trials early that are behind the others at equal epochs; baselines are never ended. For one objective
            only, of validation quality: by quality alone the cheap settings of a Pareto set would be ended. For one seed only: a
            setting would be ended by the luck of one.
        seed: of the suggestions, and of nothing else.
        seeds: of the trials: each setting, also a baseline, is trained with each of them, and what counts are means over them.

    Raises:
        ValueError: a name, a bound, a quantity or a value of the space that is not possible.
    """

    name: str
    title: str
    question: str
    method: str
    expectation: str
    scale: str
    base: TrialConfig
    space: Mapping[str, Parameter]
    build: Callable[[TrialConfig, Values], TrialConfig] | None = None
    objectives: tuple[Objective, ...] = (Objective("validation_psnr", "maximize"),)
    constraints: tuple[Constraint, ...] = ()
    sampler: str = "tpe"
    trials: int = 20
    stopping: Stopping | None = None
    seed: int = 0
    seeds: tuple[int, ...] = (0,)
    baselines: Mapping[str, TrialConfig] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_numbers(self)
        check_space(self.space)
        _check_quantities(self)
        list(self.corners())
        if self.stopping:
            self.stopping.check(self.epochs())

    def config(self, values: Values) -> TrialConfig:
        """The setting of some values.

        Raises:
            ValueError: the values do not fit together. TypeError: `build` returns no config.
        """
        if not self.build:
            return with_values(self.base, values)
        config = self.build(self.base, values)
        if not isinstance(config, TrialConfig):
            raise TypeError(f"build returned {config!r:.80} for {dict(values)}; return a TrialConfig")
        return config

    def seeded(self, config: TrialConfig) -> tuple[TrialConfig, ...]:
        """The trials of a setting, one per seed."""
        return tuple(replace(config, seed=seed) for seed in self.seeds)

    def read(self, values: Values) -> list[str]:
        """Parameters that the setting depends on, in the order of the space: another value would give another config.

        The range of a layer that a network does not have is not read, for instance.
        """
        own = canonical(self.config(values))
        return [name for name in self.space if self._reads(own, values, name)]

    def unread(self) -> list[str]:
        """Parameters with a choice on which no setting at the bounds of the space depends, in the order of the space."""
        left = [name for name, parameter in self.space.items() if len({*parameter.examples()}) > 1]
        for values in self.corners():
            own = canonical(self.config(values))
            left = [name for name in left if not self._reads(own, values, name)]
        return left

    def _reads(self, own: TrialConfig, values: Values, name: str) -> bool:
        return any(self._differs(own, {**values, name: other}) for other in self.space[name].examples())

    def _differs(self, own: TrialConfig, values: Values) -> bool:
        try:
            return canonical(self.config(values)) != own
        except ValueError:
            return True

    def corners(self) -> Iterator[dict[str, Any]]:
        """Settings in which every bound and option of each parameter stands: all lowest, all highest, and every other one with
        the others lowest; where these values do not fit together, one with the others drawn.

        Raises:
            ValueError: a bound or option that stands in no setting.
        """
        possible = [values for values in self._bounds() if not self.problem(values)]
        yield from possible
        for name, parameter in self.space.items():
            for value in parameter.bounds():
                if repr(value) not in {repr(values[name]) for values in possible}:
                    yield self._drawn_with(name, value)

    def problem(self, values: Values) -> str:
        """Why some values do not fit together; empty where they do. Such a suggestion is told to be infeasible, with this."""
        try:
            self.config(values)
        except ValueError as error:
            return str(error)
        return ""

    def unfit(self) -> list[tuple[dict[str, Any], str]]:
        """The bounds of the space that are no setting, and why."""
        return [(values, problem) for values in self._bounds() if (problem := self.problem(values))]

    def _bounds(self) -> Iterator[dict[str, Any]]:
        lowest = {name: parameter.bounds()[0] for name, parameter in self.space.items()}
        yield lowest
        yield {name: parameter.bounds()[-1] for name, parameter in self.space.items()}
        for name, parameter in self.space.items():
            for value in parameter.bounds()[1:]:
                yield lowest | {name: value}

    def _drawn_with(self, name: str, value: Any) -> dict[str, Any]:
        chance = random.Random(0)
        for _ in range(DRAWS):
            drawn = {other: chance.choice(parameter.examples()) for other, parameter in self.space.items()}
            if not (problem := self.problem(drawn | {name: value})):
                return drawn | {name: value}
        where = {name: value}
        raise ValueError(f"search {self.name!r} has an impossible value in {where}, with any others: {problem}")

    def epochs(self) -> int:
        """The longest training of the space."""
        return max(self.config(values).optim.epochs for values in self.corners())

    def size(self) -> int | None:
        """Number of settings in the space; None if it is infinite."""
        if any(isinstance(parameter, Real) and parameter.low < parameter.high for parameter in self.space.values()):
            return None
        return math.prod(1 if isinstance(p, Real) else len(p) for p in self.space.values())


def _check_numbers(search: Search) -> None:
    check_name("search", search.name)
    check_trial_seeds("search", search.seeds)
    if search.sampler not in SAMPLERS:
        raise ValueError(f"search sampler={search.sampler!r} is not known; choose one of {', '.join(SAMPLERS)}")
    if search.trials < 1:
        raise ValueError(f"search trials={search.trials} is not possible; use at least 1")
    if search.seed < 0:
        raise ValueError(f"search seed={search.seed} is not possible; use 0 or more")
    if search.stopping and len(search.seeds) > 1:
        raise ValueError(
            f"search stopping={search.stopping} judges trials one by one, and each setting has {len(search.seeds)} seeds; "
            "use one seed, or leave stopping out"
        )
    if search.base.optim.epochs < 1:
        raise ValueError("optim.epochs=0 leaves nothing to choose by; a search trains for at least 1 epoch")


def _check_quantities(search: Search) -> None:
    names = [objective.quantity for objective in search.objectives]
    for objective in search.objectives:
        if objective.quantity not in QUALITIES + COSTS:
            known = ", ".join(QUALITIES + COSTS)
            raise ValueError(f"objective {objective.quantity!r} is not known; choose one of {known}")
        if objective.direction not in ("maximize", "minimize"):
            raise ValueError(f"objective direction={objective.direction!r} is not known; use maximize or minimize")
    if not set(names) & set(QUALITIES) or len(set(names)) < len(names):
        raise ValueError(
            f"search objectives={names} are not possible; name each once, and one of {', '.join(QUALITIES)}"
        )
    if search.stopping and names not in (["validation_psnr"], ["validation_ssim"]):
        raise ValueError(
            f"search stopping needs validation_psnr or validation_ssim as its only objective, not {names}; "
            "bound the costs with constraints, or leave stopping out"
        )
    if search.stopping and search.objectives[0].direction != "maximize":
        raise ValueError(f"search stopping: objective {names[0]} is minimized; maximize it, or leave stopping out")
    for constraint in search.constraints:
        if constraint.quantity not in COSTS:
            raise ValueError(
                f"constraint {constraint.quantity!r} is not known before training; choose one of {', '.join(COSTS)}"
            )
        if not math.isfinite(constraint.at_most):
            raise ValueError(f"constraint at_most={constraint.at_most} is not possible; use a finite bound")
