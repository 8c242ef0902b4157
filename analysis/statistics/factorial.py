"""Factorial designs within a family: which factors form a full grid, and the contrasts of their main effects and interactions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations, product
from typing import NamedTuple

from analysis.frames import Arm

Setting = tuple[str, ...]


class Grid(NamedTuple):
    """A full grid of levels within one family.

    Attributes:
        base: the arm that all others are compared with.
        levels: factor -> its levels, the base's one first.
        arms: levels, in the order of the factors -> arm.
    """

    family: str
    base: str
    levels: dict[str, list[str]]
    arms: dict[Setting, str]


class Change(NamedTuple):
    """A factor at a level instead of at the base's."""

    factor: str
    level: str
    instead: str


class Contrast(NamedTuple):
    """A weighted sum of arms.

    Attributes:
        kind: "factor" (one change) or "interaction" (two).
        settings: combinations of the other factors that are averaged.
        pairs: of one change, the arms with it, each with the one without it.
    """

    name: str
    kind: str
    family: str
    changes: tuple[Change, ...]
    weights: dict[str, float]
    settings: int
    pairs: tuple[tuple[str, str], ...]


def grids(arms: Iterable[Arm]) -> Iterator[Grid]:
    """The families whose arms are all compared with one base and have every combination of two or more varying factors once."""
    families: dict[str, list[Arm]] = {}
    for arm in arms:
        families.setdefault(arm.family, []).append(arm)
    for family, members in families.items():
        bases = [a for a in members if a.compare_to is None]
        if len(bases) != 1 or any(a.compare_to != bases[0].name for a in members if a is not bases[0]):
            continue
        ordered = [bases[0], *(a for a in members if a is not bases[0])]
        names = dict.fromkeys(n for a in ordered for n in a.factors)
        levels = {n: list(dict.fromkeys(a.factors.get(n, "") for a in ordered)) for n in names}
        levels = {n: found for n, found in levels.items() if len(found) > 1}
        cells = {tuple(a.factors.get(n, "") for n in levels): a.name for a in ordered}
        if len(levels) > 1 and len(ordered) == len(cells) == len(list(product(*levels.values()))):
            yield Grid(family, bases[0].name, levels, cells)


def contrasts(grid: Grid) -> Iterator[Contrast]:
    """Every level of every factor against the base's level, then every pair of those changes.

    Main effect: the mean over the other factors' combinations of y(level) - y(base level). Interaction of two changes: the mean
    of [y(both) - y(second)] - [y(first) - y(neither)].
    """
    changes = [Change(f, level, levels[0]) for f, levels in grid.levels.items() for level in levels[1:]]
    for change in changes:
        yield _contrast(grid, (change,))
    for pair in combinations(changes, 2):
        if pair[0].factor != pair[1].factor:
            yield _contrast(grid, pair)


def _contrast(grid: Grid, changes: tuple[Change, ...]) -> Contrast:
    signs = {c.factor: {c.level: 1, c.instead: -1} for c in changes}
    weights: dict[str, float] = {}
    for setting, arm in grid.arms.items():
        sign = 1
        for factor, level in zip(grid.levels, setting, strict=True):
            sign *= signs[factor].get(level, 0) if factor in signs else 1
        if sign:
            weights[arm] = float(sign)
    settings = len(weights) // 2 ** len(changes)
    words = " × ".join(f"{c.factor}: {c.level} minus {c.instead}" for c in changes)
    return Contrast(
        name=f"{grid.family}, {words}" if grid.family else words,
        kind="factor" if len(changes) == 1 else "interaction",
        family=grid.family,
        changes=changes,
        weights={arm: w / settings for arm, w in weights.items()},
        settings=settings,
        pairs=_pairs(grid, changes[0]) if len(changes) == 1 else (),
    )


def _pairs(grid: Grid, change: Change) -> tuple[tuple[str, str], ...]:
    place = list(grid.levels).index(change.factor)
    there = {s: arm for s, arm in grid.arms.items() if s[place] == change.level}
    return tuple((arm, grid.arms[*s[:place], change.instead, *s[place + 1 :]]) for s, arm in there.items())
