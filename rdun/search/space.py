"""What a search may choose from: whole numbers, fractions and choices. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rdun.config import Typed

MANY = 16
"""Whole numbers of a range beyond which not every one is tried to see whether a setting depends on it."""
LOGARITHMIC = ", logarithmic"
"""How a range that is searched in its logarithm is told."""

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Int(Typed):
    """A whole number from low to high, both included; `log`: small values as often as large ones."""

    low: int
    high: int
    log: bool = False

    def bounds(self) -> tuple[int, ...]:
        return self.low, self.high

    def examples(self) -> tuple[int, ...]:
        """All values, of many the bounds."""
        return tuple(range(self.low, self.high + 1)) if len(self) <= MANY else self.bounds()

    def holds(self, value: object) -> bool:
        return type(value) is int and self.low <= value <= self.high

    def __len__(self) -> int:
        return self.high - self.low + 1

    def __str__(self) -> str:
        few = ", ".join(map(str, range(self.low, self.high + 1))) if len(self) <= 3 else ""
        return (few or f"{self.low}, {self.low + 1}, ..., {self.high}") + LOGARITHMIC * self.log


@dataclass(frozen=True)
class Real(Typed):
    """A number from low to high; `log`: uniform in its logarithm."""

    low: float
    high: float
    log: bool = False

    def bounds(self) -> tuple[float, ...]:
        return float(self.low), float(self.high)  # as what is drawn between them: no whole numbers

    def examples(self) -> tuple[float, ...]:
        """The bounds."""
        return self.bounds()

    def holds(self, value: object) -> bool:
        return type(value) in (int, float) and self.low <= value <= self.high  # type: ignore[operator]

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}" + LOGARITHMIC * self.log


@dataclass(frozen=True)
class Choice(Typed):
    """One of some values without an order: numbers, texts, true or false, or None."""

    options: tuple[str | float | bool | None, ...]

    def bounds(self) -> tuple[Any, ...]:
        return self.options

    def examples(self) -> tuple[Any, ...]:
        """All options."""
        return self.options

    def holds(self, value: object) -> bool:
        return repr(value) in map(repr, self.options)  # 1 is not True

    def __len__(self) -> int:
        return len(self.options)

    def __str__(self) -> str:
        return f"one of {', '.join(map(str, self.options))}"


Parameter = Int | Real | Choice


def check_space(space: Mapping[str, Parameter]) -> None:
    """Raises ValueError for a space with nothing to choose, or with bounds that are none."""
    if not space:
        raise ValueError("search space={} is empty; name at least one parameter")
    if "seed" in space:
        raise ValueError(
            "space 'seed': the luckiest seed is no finding; leave it out, and repeat the best setting in a study"
        )
    for name, parameter in space.items():
        if isinstance(parameter, Choice):
            options = parameter.options
            if not options or len(set(map(repr, options))) < len(options):
                raise ValueError(f"space {name!r}: options={options} are not possible; name at least one, each once")
        elif not (math.isfinite(parameter.low) and math.isfinite(parameter.high) and parameter.low <= parameter.high):
            raise ValueError(
                f"space {name!r}: low={parameter.low}, high={parameter.high} is not possible; keep low at or below high"
            )
        elif parameter.log and parameter.low <= 0:
            raise ValueError(f"space {name!r}: low={parameter.low} has no logarithm; use a positive one, or log=False")
