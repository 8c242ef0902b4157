"""Builders of arms: grids, one factor, leave one out, add one in, tied values, and settings of equal cost.

Changes are dotted fields with their values, as in `with_values`; a value may also be a function of the config as the plain
values leave it: `{"model.layers": 5, "recursion.train": lambda c: Fixed(counts=(20 // c.model.layers,))}`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from rdun.config import Fixed, TrialConfig, UniformRange, with_values
from rdun.study import Arm

Changes = Mapping[str, Any]
Levels = Mapping[str, Changes]


def apply(config: TrialConfig, changes: Changes) -> TrialConfig:
    """The config with the plain changes made together, then the computed ones in order."""
    plain = {name: value for name, value in changes.items() if not callable(value)}
    config = with_values(config, plain)
    for name, value in changes.items():
        if callable(value):
            config = with_values(config, {name: value(config)})
    return config


def vary(config: TrialConfig, factors: Mapping[str, Levels]) -> Iterator[tuple[dict[str, str], TrialConfig]]:
    """The full grid of named levels.

    Args:
        factors: factor -> level -> changes, e.g. `{"data": {"3 %": {"data.fraction": 0.03}, "100 %": {}}}`.

    Yields:
        The level of each factor, and the config with the changes of all of them; later factors win.
    """
    for combination in product(*(levels.items() for levels in factors.values())):
        changes = {key: value for _, level in combination for key, value in level.items()}
        yield dict(zip(factors, (name for name, _ in combination), strict=True)), apply(config, changes)


def grid(
    config: TrialConfig,
    factors: Mapping[str, Levels],
    *,
    base: Mapping[str, str],
    keep: Callable[[Mapping[str, str]], bool] | None = None,
) -> tuple[Arm, ...]:
    """One arm per combination (that `keep` accepts), named by its levels.

    Args:
        base: factor -> level of the factors that are compared; an arm is paired with the one that has these levels and its own
            levels of all other factors. `{}`: nothing is compared.

    Raises:
        ValueError: a factor or level of `base` that does not exist, or a base that `keep` leaves out.
    """
    for factor, level in base.items():
        if level not in factors.get(factor, {}):
            known = {name: list(levels) for name, levels in factors.items()}
            raise ValueError(f"base={{{factor!r}: {level!r}}} is not among the levels; choose from {known}")
    found = [(_name(levels), levels, c) for levels, c in vary(config, factors) if keep is None or keep(levels)]
    names, arms = {name for name, _, _ in found}, []
    for name, levels, changed in found:
        versus = _name({**levels, **base})
        if base and versus not in names:
            raise ValueError(f"arm {name!r} is compared with {versus!r}, which keep leaves out; keep it too")
        compare_to = versus if base and versus != name else None
        arms.append(Arm(name=name, configs=(changed,), factors=levels, compare_to=compare_to))
    return tuple(arms)


def one_factor(config: TrialConfig, factor: str, levels: Levels, *, base: str) -> tuple[Arm, ...]:
    """One arm per level of a single factor, each compared with the level `base`."""
    return grid(config, {factor: levels}, base={factor: base})


def leave_one_out(config: TrialConfig, parts: Levels, *, whole: str = "complete") -> tuple[Arm, ...]:
    """The complete setting, and one arm without each part. `parts`: its name -> the changes that take it away."""
    return one_factor(config, "without", {whole: {}, **_prefixed("without ", parts)}, base=whole)


def add_one_in(config: TrialConfig, parts: Levels, *, bare: str = "plain") -> tuple[Arm, ...]:
    """The plain setting, and one arm with each part. `parts`: its name -> the changes that put it in."""
    return one_factor(config, "with", {bare: {}, **_prefixed("with ", parts)}, base=bare)


def tied(columns: Mapping[str, Sequence[Any]], label: Callable[..., str]) -> dict[str, dict[str, Any]]:
    """Levels in which several fields move together: the n-th values of all columns are one level.

    Args:
        columns: dotted field -> its values, equally many.
        label: the name of a level, from its values in the order of the columns.

    Raises:
        ValueError: columns of different lengths, or labels that repeat.
    """
    if len({len(values) for values in columns.values()}) > 1:
        raise ValueError(
            f"tied columns have lengths { {name: len(v) for name, v in columns.items()} }; give equally many"
        )
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    levels = {label(*row.values()): row for row in rows}
    if len(levels) < len(rows):
        raise ValueError(
            f"tied levels are named {[label(*row.values()) for row in rows]}; give every level its own name"
        )
    return levels


def solve(
    config: TrialConfig,
    field: str,
    values: Iterable[Any],
    quantity: Callable[[TrialConfig], float],
    target: float,
    tolerance: float = 0.05,
) -> TrialConfig:
    """The setting whose `field`, out of `values`, brings a quantity nearest to a target: arms of equal cost.

    Args:
        quantity: such as those of `rdun.plan.QUANTITIES`: parameters, macs, steps, samples, stage evaluations.
        tolerance: largest relative difference that still counts as equal.

    Raises:
        ValueError: none of the values comes near enough; the message says how near.
    """
    found = [(abs(quantity(changed) - target), value, changed) for value, changed in _tried(config, field, values)]
    if not found:
        raise ValueError(f"{field} has no values to choose from; name at least one")
    off, value, best = min(found, key=lambda entry: entry[0])
    if off > tolerance * abs(target):
        raise ValueError(
            f"no value of {field} brings the quantity within {tolerance:.0%} of {target:,.6g}; the nearest is {value!r} with "
            f"{quantity(best):,.6g}: give more values, or a larger tolerance"
        )
    return best


def splits(total: int, layers: Iterable[int] | None = None, *, random: bool = False) -> dict[str, dict[str, Any]]:
    """Levels that hold layers x recursions: "20x1", "10x2", ... for every divisor of the total, or for these layers.

    Args:
        random: counts drawn from {1, ..., R} in training, tested at R; else R.

    Raises:
        ValueError: a number of layers that does not divide the total.
    """
    chosen = list(layers) if layers is not None else [n for n in range(total, 0, -1) if total % n == 0]
    for count in chosen:
        if count < 1 or total % count:
            raise ValueError(f"layers={count} do not divide {total} stage applications; use divisors of it")
    return {
        f"{count}x{total // count}": {"model.layers": count, "recursion.train": _counts(total // count, random=random)}
        for count in chosen
    }


def _counts(recursions: int, *, random: bool) -> Fixed | UniformRange:
    return UniformRange(low=(1,), high=(recursions,)) if random else Fixed(counts=(recursions,))


def equal(
    config: TrialConfig,
    levels: Levels,
    field: str,
    values: Sequence[Any],
    quantity: Callable[[TrialConfig], float],
    tolerance: float = 0.05,
) -> dict[str, dict[str, Any]]:
    """The same levels at one cost: each with the `field` that brings the quantity to the config's own (see `solve`).

    `one_factor(base, "depth", equal(base, splits(20), "model.channels", range(8, 129), QUANTITIES["parameters"]), base="20x1")`
    compares depths at equal parameters. A level that leaves the quantity as it is keeps the config's field.

    Raises:
        ValueError: a level for which no value comes near enough; the message names it.
    """
    target, found = quantity(config), {}
    for name, changes in levels.items():
        changed = apply(config, changes)
        if quantity(changed) == target:
            found[name] = dict(changes)
            continue
        try:
            solved = solve(changed, field, values, quantity, target, tolerance)
        except ValueError as error:
            raise ValueError(f"level {name!r}: {error}") from None
        found[name] = {**changes, field: value_of(solved, field)}
    return found


def value_of(config: TrialConfig, field: str) -> Any:
    """The value of a dotted field."""
    value: Any = config
    for part in field.split("."):
        value = getattr(value, part)
    return value


def _tried(config: TrialConfig, field: str, values: Iterable[Any]) -> Iterator[tuple[Any, TrialConfig]]:
    for value in values:
        yield value, with_values(config, {field: value})


def _prefixed(prefix: str, parts: Levels) -> dict[str, Changes]:
    return {prefix + name: changes for name, changes in parts.items()}


def _name(levels: Mapping[str, str]) -> str:
    return ", ".join(levels.values())
