"""Rules that stop the trials of a search early, by their validation quality so far. Standard library only."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Asha:
    """Asynchronous successive halving: at epoch `grace` and at each `reduction`-fold one, only the best go on.

    A trial goes on if it is among the best 1/`reduction` of those that came as far before it.
    """

    grace: int = 1
    reduction: int = 3

    def __str__(self) -> str:
        return f"asha (from epoch {self.grace}, 1 of {self.reduction} goes on)"

    def check(self, epochs: int) -> None:
        """Raises ValueError where it could not stop anything, or is not possible."""
        _check_grace(self.grace, epochs)
        if self.reduction < 2:
            raise ValueError(f"stopping reduction={self.reduction} is not possible; use 2 or more")


@dataclass(frozen=True)
class HyperBand:
    """Asynchronous HyperBand: trials are dealt to `brackets` of successive halving, the next of which has a later first decision.

    Bracket s = 0, 1, ... decides first at epoch `grace` * `reduction`**s. It protects settings that start slowly.
    """

    grace: int = 1
    reduction: int = 3
    brackets: int = 2

    def __str__(self) -> str:
        return f"hyperband ({self.brackets} brackets, from epoch {self.grace}, 1 of {self.reduction} goes on)"

    def check(self, epochs: int) -> None:
        """Raises ValueError where it could not stop anything, or is not possible."""
        Asha(self.grace, self.reduction).check(epochs)
        most = math.floor(math.log(epochs / self.grace, self.reduction) + 1e-9) + 1
        if not 1 <= self.brackets <= most:
            raise ValueError(
                f"stopping brackets={self.brackets} is not possible in {epochs} epochs; use 1 to {most}, or another grace"
            )


@dataclass(frozen=True)
class Median:
    """The median rule: stops a trial whose best value so far is below the median of the other trials' means so far.

    It decides from epoch `grace` on, where at least `others` other trials have come as far.
    """

    grace: int = 1
    others: int = 3

    def __str__(self) -> str:
        return f"median (from epoch {self.grace}, against {self.others} trials or more)"

    def check(self, epochs: int) -> None:
        """Raises ValueError where it could not stop anything, or is not possible."""
        _check_grace(self.grace, epochs)
        if self.others < 1:
            raise ValueError(f"stopping others={self.others} is not possible; use 1 or more")


Stopping = Asha | HyperBand | Median

STOPPINGS: dict[str, Stopping | None] = {"none": None, "asha": Asha(), "hyperband": HyperBand(), "median": Median()}
"""The rules by name, with their usual values; "none" trains every trial to its end."""


def name_of(stopping: Stopping | None) -> str:
    """A rule's name among STOPPINGS."""
    return next(name for name, rule in STOPPINGS.items() if type(rule) is type(stopping))


def _check_grace(grace: int, epochs: int) -> None:
    if not 1 <= grace < epochs:
        raise ValueError(f"stopping grace={grace} is not possible in {epochs} epochs; use 1 to {epochs - 1}")
