"""Which families of arms may share a table: those that were tested by the same protocols.

A protocol is the hash of how a test was measured and scored at one ratio. The arms of a family are compared with each other, so
all of them must agree. Families that differ come into groups of their own, each with its own tables and figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from analysis.numbers import listed, percent

Test = tuple[str, float]
"""Data set and ratio: what one protocol belongs to."""
Protocols = dict[Test, str]


class Group(NamedTuple):
    """Families tested by the same protocols; `name` is what tells them from other groups, empty if there is one only."""

    name: str
    families: tuple[str, ...]

    @property
    def suffix(self) -> str:
        return f" ({self.name})" if self.name else ""


def protocol_groups(
    scores: pd.DataFrame, families: Mapping[str, str], kinds: Mapping[str, object], records: Mapping[str, Any]
) -> tuple[Group, ...]:
    """The groups, in the order of the families.

    Args:
        scores: rows with arm, seed, dataset, ratio and protocol, all of whole images or all of blocks.
        families: family of each arm.
        kinds: what is known of each family's tests beforehand; places families that have no scores yet.
        records: what each protocol stands for, by hash.

    Raises:
        ValueError: arms of one family were tested by different protocols.
    """
    tests = _tests(scores, families)
    groups: list[list[str]] = []
    for family, own in tests.items():
        home = next((g for g in groups if all(_agree(own, tests[other]) for other in g)), None)
        if home is None:
            groups.append([family])
        else:
            home.append(family)
    order = list(dict.fromkeys(families.values()))
    if len(groups) < 2:
        return (Group("", tuple(order)),)
    for family in (f for f in order if f not in tests):
        next((g for g in groups if kinds[g[0]] == kinds[family]), groups[0]).append(family)
    names = _names([{t: p for f in g if f in tests for t, p in tests[f].items()} for g in groups], records)
    return tuple(Group(n, tuple(f for f in order if f in g)) for n, g in zip(names, groups, strict=True))


def _tests(scores: pd.DataFrame, families: Mapping[str, str]) -> dict[str, Protocols]:
    """The protocol of every test, by family."""
    columns = ["arm", "dataset", "ratio", "protocol"]
    rows = scores.drop_duplicates(columns)[[*columns, "seed"]]
    first: dict[tuple[str, Test], tuple[str, str]] = {}
    tests: dict[str, Protocols] = {}
    for arm, dataset, ratio, protocol, seed in rows.itertuples(index=False, name=None):
        family, test = families[arm], (str(dataset), float(ratio))
        label = f"protocol={protocol!r} (arm {arm!r}, seed {seed})"
        known, other = first.setdefault((family, test), (protocol, label))
        if known != protocol:
            raise ValueError(
                f"scores of different protocols cannot share a table: {other} and {label} on {dataset} at {percent(ratio)}; "
                "run the older trials again, or report them as a study of their own"
            )
        tests.setdefault(family, {})[test] = str(protocol)
    return tests


def _agree(one: Protocols, other: Protocols) -> bool:
    return all(one[test] == other[test] for test in one.keys() & other.keys())


def _names(groups: Sequence[Protocols], records: Mapping[str, Any]) -> list[str]:
    """What tells each group from the others, seen at the tests that all have but not alike; hashes where that is not recorded."""
    common = [t for t in sorted(set.intersection(*(set(g) for g in groups))) if len({g[t] for g in groups}) > 1]
    hashes = [list(dict.fromkeys(g[t] for t in common or sorted(g))) for g in groups]
    if all(h in records for own in hashes for h in own):
        facts = [[_facts(records[h]) for h in own] for own in hashes]
        keys = dict.fromkeys(k for own in facts for record in own for k in record)
        values = {k: [listed(list(dict.fromkeys(r[k] for r in own if k in r))) for own in facts] for k in keys}
        names = [", ".join(v[i] for v in values.values() if len(set(v)) > 1 and v[i]) for i in range(len(groups))]
        if len(set(names)) == len(groups):
            return names
    shared = set.intersection(*(set(own) for own in hashes))
    return ["protocol " + ", ".join(h[:8] for h in own if h not in shared) for own in hashes]


def _facts(record: Mapping[str, Any]) -> dict[str, str]:
    flat = {**record, **record["measurement"]}
    return {key: _words(key, value) for key, value in flat.items() if key != "measurement"}


def _words(key: str, value: Any) -> str:
    """`("network", "assembled image")` -> "deblocked", `("matrices", {"gauss-s0": 0.1})` -> "matrix gauss-s0"."""
    if key == "network":
        return "deblocked" if value == "assembled image" else str(value)
    if key == "matrices":
        names = list(value)
        if len(names) > 3:
            return f"{len(names)} matrices, {names[0]} to {names[-1]}"
        return f"{'matrix' if len(names) == 1 else 'matrices'} {', '.join(names)}"
    return f"{key} {value}"
