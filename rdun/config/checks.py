"""Refusing impossible values in one line: the field, the value, the remedy."""

from __future__ import annotations


def check(ok: bool, name: str, value: object, remedy: str) -> None:
    """Raises ValueError unless `ok`."""
    if not ok:
        raise ValueError(f"{name}={value!r} is not possible; {remedy}")


def check_ratios(ratios: tuple[float, ...], remedy: str) -> None:
    """At least one ratio, each in (0, 1] and named once; `remedy` says what a ratio is."""
    check(len(ratios) > 0, "task.ratios", ratios, "name at least one ratio")
    for ratio in ratios:
        check(0 < ratio <= 1, "task.ratios", ratio, remedy)
    check(len(set(ratios)) == len(ratios), "task.ratios", ratios, "name each ratio once")


def check_seeds(name: str, seeds: tuple[int, ...]) -> None:
    """At least one seed, none negative, each named once."""
    check(len(seeds) > 0, name, seeds, "name at least one")
    check(min(seeds) >= 0, name, seeds, "use 0 or more")
    check(len(set(seeds)) == len(seeds), name, seeds, "name each seed once")
