"""How arms are grouped and named: a family shares one base arm, a treatment is what an arm changes in it.

In a study of {system, variant, data size} whose arms are compared with the unrolled network of the same system and size, the
families are (system, size) and the treatments are the variants. Colours follow treatments, panels follow families.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rdun.results import ArmRecord

SEPARATOR = " · "


class ArmLabel(NamedTuple):
    """Names of one arm.

    Attributes:
        root: the arm at the end of its `compare_to` chain.
        family: what it shares with its base, e.g. "COAST · 10 %"; empty where there is one family only.
        treatment: what it changes, e.g. "recursive".
        setting, series: family and treatment without the factor that is the training-set size.
    """

    root: str
    family: str
    treatment: str
    setting: str
    series: str


def label_arms(arms: Sequence[ArmRecord], fractions: Sequence[float]) -> dict[str, ArmLabel]:
    """One label per arm, from its factors and the `compare_to` links; `fractions` are the arms' parts of the training set."""
    roots = _roots(arms)
    within = _varying_within(arms, roots)
    names = _factor_names(arms)
    between = [n for n in names if n not in within and len({a.factors.get(n) for a in arms}) > 1]
    size = _size_factor(arms, names, fractions)
    treatments = {a.name: _join(a, within) or a.name for a in arms}
    if len({(roots[a.name], treatments[a.name]) for a in arms}) < len(arms):
        treatments = {a.name: a.name for a in arms}
    by_name = {a.name: a for a in arms}
    families = {root: _join(by_name[root], between) for root in dict.fromkeys(roots.values()) if root in by_name}
    if len(set(families.values())) < len(families):
        families = {root: root for root in families}
    settings = {a.name: _join(a, [n for n in between if n != size]) for a in arms}
    series = {a.name: _join(a, [n for n in within if n != size]) or a.name for a in arms}
    lines = {(settings[a.name], series[a.name], fraction) for a, fraction in zip(arms, fractions, strict=True)}
    if len(lines) < len(arms):  # two arms would be one point of a line
        series = {a.name: a.name for a in arms}
    return {
        a.name: ArmLabel(
            roots[a.name],
            families.get(roots[a.name], ""),
            treatments[a.name],
            settings[a.name],
            series[a.name],
        )
        for a in arms
    }


def shared(families: Iterable[str]) -> str:
    """What the names of families have in common: "COAST" of "COAST · 3 %" and "COAST · 100 %"; empty where that is nothing."""
    parts = [family.split(SEPARATOR) for family in families]
    return SEPARATOR.join(part for part in parts[0] if all(part in other for other in parts)) if parts else ""


def _roots(arms: Sequence[ArmRecord]) -> dict[str, str]:
    parents = {a.name: a.compare_to for a in arms}
    if not any(parents.values()):
        return {a.name: "" for a in arms}
    return {name: _follow(name, parents) for name in parents}


def _follow(name: str, parents: dict[str, str | None]) -> str:
    seen = [name]
    while (parent := parents.get(seen[-1])) in parents and parent not in seen:
        assert parent is not None
        seen.append(parent)
    return seen[-1]


def _factor_names(arms: Sequence[ArmRecord]) -> list[str]:
    return list(dict.fromkeys(name for a in arms for name in a.factors))


def _varying_within(arms: Sequence[ArmRecord], roots: dict[str, str]) -> list[str]:
    """Factors that differ inside at least one family, in order of first appearance."""
    members = [[a for a in arms if roots[a.name] == root] for root in dict.fromkeys(roots.values())]
    return [n for n in _factor_names(arms) if any(len({a.factors.get(n) for a in m}) > 1 for m in members)]


def _size_factor(arms: Sequence[ArmRecord], names: Iterable[str], fractions: Sequence[float]) -> str | None:
    """The factor that says how large the training set is: its values and the fractions determine one another."""
    if len(set(fractions)) < 2:
        return None
    for name in names:
        pairs = {(a.factors.get(name), f) for a, f in zip(arms, fractions, strict=True)}
        if len(pairs) == len({p[0] for p in pairs}) == len({p[1] for p in pairs}):
            return name
    return None


def _join(arm: ArmRecord, names: Iterable[str]) -> str:
    return SEPARATOR.join(arm.factors[n] for n in names if arm.factors.get(n))
