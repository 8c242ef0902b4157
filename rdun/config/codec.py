"""Configs to and from plain dictionaries, and changes by dotted name. Unknown keys and wrong types are refused."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Literal, TypeVar, Union

from rdun.config.checks import describe, hints

T = TypeVar("T")
JSON = dict[str, Any]
KIND = "kind"


def to_dict(config: Any, *, omit_defaults: bool = False) -> JSON:
    """A config as JSON-ready values; members of a union carry their `kind`."""
    out: JSON = {}
    if KIND in vars(type(config)):
        out[KIND] = config.kind
    for name, default in _defaults(config.__class__):
        value = getattr(config, name)
        if omit_defaults and value == default:
            continue
        out[name] = _encode(value, omit_defaults)
    return out


def from_dict(cls: type[T], values: Mapping[str, Any]) -> T:
    """The inverse of `to_dict`.

    Raises:
        ValueError: an unknown key, a value of the wrong type or out of range; the message names the key and the remedy.
    """
    return typing.cast(T, _decode(cls, values, ""))


def with_values(config: T, changes: Mapping[str, Any]) -> T:
    """A copy with dotted fields replaced: `with_values(c, {"optim.lr": 3e-4, "model.layers": 5})`.

    All changes are applied before the result is checked, so they may depend on each other. A union member may be replaced
    as a whole by a config object or by a dictionary with its `kind`; fields of it that are named too are set in the new one.
    """
    values = to_dict(config)
    for name, value in sorted(changes.items(), key=lambda change: change[0].count(".")):
        *parents, last = name.split(".")
        node, cls = values, _resolved(type(config), values)
        hint: Any = None
        for depth, parent in enumerate(parents):
            _check_key(cls, parent, ".".join(parents[: depth + 1]), hint)
            node = node[parent]
            if not isinstance(node, dict):
                raise ValueError(
                    f"{name} cannot be set: {'.'.join(parents[: depth + 1])} is {node!r} and has no fields"
                )
            hint = hints(cls)[parent]
            cls = _resolved(hint, node)
        _check_key(cls, last, name, hint)
        node[last] = _encode(value, False)
    return from_dict(type(config), values)


def parse_value(config: object, name: str, text: str) -> Any:
    """The value of a dotted field from a command line: numbers, true/false, none, and comma-separated tuples."""
    cls: Any = type(config)
    node: Any = config
    hint: Any = None
    *parents, last = name.split(".")
    for depth, parent in enumerate(parents):
        _check_key(cls, parent, ".".join(parents[: depth + 1]), hint)
        node, hint = getattr(node, parent), hints(cls)[parent]
        if not dataclasses.is_dataclass(node):
            group, kinds = ".".join(parents[: depth + 1]), _kinds(hint)
            remedy = f"; set {group} to {' or '.join(kinds)} beside it" if kinds else ""
            raise ValueError(f"{name} cannot be set: {group} is {node!r} and has no fields{remedy}")
        cls = type(node)
    _check_key(cls, last, name, hint)
    return _parse(hints(cls)[last], text.strip(), name)


def _parse(hint: Any, text: str, name: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return [_parse(args[0], part.strip(), name) for part in text.strip("()[]").split(",") if part.strip()]
    if origin in (Union, types.UnionType):
        if type(None) in args and text.lower() == "none":
            return None
        rest = [a for a in args if a is not type(None)]
        return {KIND: text} if dataclasses.is_dataclass(rest[0]) else _parse(rest[0], text, name)
    if hint is bool and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if hint in (int, float):
        try:
            return hint(text)
        except ValueError:
            raise ValueError(f"{name}={text!r} is not {describe(hint)}") from None
    return text


def _encode(value: Any, omit_defaults: bool) -> Any:
    if value is None or isinstance(value, (str, int, float)):  # nearly all: plans of thousands of trials wait for this
        return value
    if isinstance(value, (tuple, list)):
        return [_encode(v, omit_defaults) for v in value]
    if isinstance(value, Mapping):  # a copy: fields of it may be set
        return {key: _encode(item, omit_defaults) for key, item in value.items()}
    return to_dict(value, omit_defaults=omit_defaults) if dataclasses.is_dataclass(value) else value


def _decode(hint: Any, value: Any, name: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint) or (origin in (Union, types.UnionType) and isinstance(value, Mapping)):
        if not isinstance(value, Mapping):
            raise ValueError(f"{name}={value!r} should be a group of fields, {_names(hints(hint))}")
        cls = _resolved(hint, value, name)
        fields = {key: item for key, item in value.items() if not (key == KIND and KIND in vars(cls))}
        for key in fields:
            _check_key(cls, key, _join(name, key))
        known = hints(cls)
        return cls(**{key: _decode(known[key], item, _join(name, key)) for key, item in fields.items()})
    if origin in (Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        rest = [a for a in args if a is not type(None)]
        if len(rest) == 1:
            return _decode(rest[0], value, name)
        raise ValueError(f"{name}={value!r} should be one of {_names(_kinds(hint))}, given as {{'kind': ...}}")
    if origin is Literal:
        if value not in args:
            raise ValueError(f"{name}={value!r} is not known; {_suggest(value, args)}")
        return value
    if origin is tuple:
        items = value if isinstance(value, (list, tuple)) else [value]
        return tuple(_decode(args[0], item, name) for item in items)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ValueError(
                f"{name} has {len(str(value))} digits, which no number here has; use a smaller one"
            ) from None
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{name}={value!r} should be {describe(hint)}")
    return value


def _resolved(hint: Any, value: Mapping[str, Any], name: str = "") -> Any:
    """The dataclass that `value` describes: the hint itself, or the union member of that kind."""
    if dataclasses.is_dataclass(hint):
        return hint
    kinds = _kinds(hint)
    if len(kinds) == 1 and KIND not in value:
        return next(iter(kinds.values()))
    kind = value.get(KIND)
    if not isinstance(kind, str) or kind not in kinds:
        raise ValueError(f"{_join(name, KIND)}={kind!r} is not known; {_suggest(kind, kinds)}")
    return kinds[kind]


def _kinds(hint: Any) -> dict[str, Any]:
    members: list[Any] = [a for a in typing.get_args(hint) if dataclasses.is_dataclass(a)]
    return {member.kind: member for member in members}


def _check_key(cls: Any, key: str, name: str, union: Any = None) -> None:
    """Refuses a field that the class has not; of a member of a union, with the members that have it."""
    known = hints(cls)
    if key in known:
        return
    group = name[: len(name) - len(key)]
    if others := [kind for kind, member in _kinds(union).items() if key in hints(member)]:
        place = group.rstrip(".")
        raise ValueError(
            f"unknown field {name!r}, as {place} is {cls.kind!r}; set {place} to {' or '.join(others)} beside it, or choose one "
            f"of {_names(known)}"
        )
    near = difflib.get_close_matches(key, known, n=1) or [path for path in _paths(cls) if path.split(".")[-1] == key]
    hint = f"did you mean {' or '.join(repr(group + path) for path in near)}? " if near else ""
    raise ValueError(f"unknown field {name!r}; {hint}choose one of {_names(known)}")


def _paths(cls: Any) -> list[str]:
    """Dotted names of all fields below a class, of every member of its unions."""
    found = []
    for name, hint in hints(cls).items():
        members = [m for m in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(m)]
        found += [name, *(f"{name}.{path}" for member in members for path in _paths(member))]
    return list(dict.fromkeys(found))


def _suggest(value: object, choices: Iterable[Any]) -> str:
    near = difflib.get_close_matches(str(value), [str(c) for c in choices], n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"choose one of {_names(choices)}"


def _names(choices: Iterable[Any]) -> str:
    return ", ".join(str(c) for c in choices)


def _join(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key


@cache  # defaults are frozen dataclasses, tuples and scalars, so they may be shared
def _defaults(cls: Any) -> list[tuple[str, Any]]:
    """Names of the fields with their defaults."""
    return [
        (f.name, f.default if f.default_factory is dataclasses.MISSING else f.default_factory())
        for f in dataclasses.fields(cls)
    ]
