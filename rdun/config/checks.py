"""Refusing impossible values in one line: the field, the value, the remedy."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Union

if TYPE_CHECKING:
    from rdun.config.schema import OptimConfig


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


def check_warmup(optim: OptimConfig, steps: int) -> None:
    """Raises ValueError for a training of so many steps that ends before it reaches its learning rate."""
    remedy = (
        f"the training ends after {steps:,} steps (optim.epochs={optim.epochs}), before it reaches optim.lr={optim.lr:g}; warm "
        "up over fewer steps, or train longer"
    )
    check(not optim.epochs or optim.warmup <= steps, "optim.warmup", optim.warmup, remedy)


class Typed:
    """A dataclass that refuses values of other types than its fields have, before it looks at the values themselves.

    A whole number is a number too. A text for a `Literal` is left to the codec, which knows near names.

    Raises:
        ValueError: the message names class, field, value and what it should be.
    """

    def __post_init__(self) -> None:
        cls: Any = type(self)
        for name, hint, exact, items in _quick(cls):  # plans make hundreds of thousands of these
            value = getattr(self, name)
            kind = type(value)
            if kind in exact or (kind is tuple and items and all(type(item) in items for item in value)):
                continue
            if not _fits(value, hint):
                meant = tuple(value) if isinstance(value, (list, range)) else (value,)
                tuples = typing.get_origin(hint) is tuple and _fits(meant, hint)
                example = f"; write {_short(meant)}" if tuples else ""
                raise ValueError(f"{cls.__name__}.{name}={_short(value)} should be {describe(hint)}{example}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


@cache
def hints(cls: Any) -> dict[str, Any]:
    """Types of the fields of a dataclass, by name."""
    found = typing.get_type_hints(cls)
    return {f.name: found[f.name] for f in dataclasses.fields(cls)}


@cache
def _quick(cls: Any) -> list[tuple[str, Any, frozenset[type], frozenset[type]]]:
    """Of each field the name, the type, the classes whose instances fit for sure, and those of the items of a tuple."""
    found = []
    for name, hint in hints(cls).items():
        items = _exact(typing.get_args(hint)[0]) if typing.get_origin(hint) is tuple else frozenset[type]()
        found.append((name, hint, _exact(hint), items))
    return found


def _exact(hint: Any) -> frozenset[type]:
    if typing.get_origin(hint) in (Union, types.UnionType):
        return frozenset[type]().union(*map(_exact, typing.get_args(hint)))
    if typing.get_origin(hint) is Literal:
        return frozenset({str})
    return frozenset({int, float} if hint is float else {hint}) if isinstance(hint, type) else frozenset()


def describe(hint: Any) -> str:
    """A type in words."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(arg) for arg in args)
    if origin is tuple:
        return f"a tuple, each item {describe(args[0])}"
    if origin is Mapping:
        return f"a dictionary, each key {describe(args[0])}, each value {describe(args[1])}"
    if origin is Callable:
        return "a function"
    if origin is Literal:
        return f"one of {', '.join(map(repr, args))}"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text", types.NoneType: "None"}
    return words.get(hint) or str(hint.__name__)


def _fits(value: Any, hint: Any) -> bool:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, arg) for arg in args)
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(item, args[0]) for item in value)
    if origin is Mapping:
        return isinstance(value, Mapping) and all(_fits(k, args[0]) and _fits(v, args[1]) for k, v in value.items())
    if origin is Callable:
        return callable(value)
    if origin is Literal:
        return isinstance(value, str)
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)
