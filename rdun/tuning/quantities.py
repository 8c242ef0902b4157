"""What a setting of a search costs, and what its trial has reached. No Optuna and no Ray here."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from rdun.config import TrialConfig
from rdun.plan import QUANTITIES
from rdun.results import TrialDirectory, reached
from rdun.search import QUALITIES, Search

SHOWN = ("parameters", "macs", "stage_evaluations")


def shown(config: TrialConfig) -> dict[str, float]:
    """The costs that are kept with every suggestion."""
    return {name: QUANTITIES[name](config) for name in SHOWN}


def excesses(search: Search, config: TrialConfig) -> dict[str, float]:
    """How far a setting is beyond the lowest bound of each quantity; within it, zero or a negative number."""
    bounds: dict[str, float] = {}
    for constraint in search.constraints:
        bounds[constraint.quantity] = min(bounds.get(constraint.quantity, math.inf), constraint.at_most)
    return {quantity: QUANTITIES[quantity](config) - at_most for quantity, at_most in bounds.items()}


def beyond(search: Search, config: TrialConfig) -> list[str]:
    """The bounds of the search that a setting exceeds, in words."""
    values = [(QUANTITIES[c.quantity](config), c) for c in search.constraints]
    return [f"{c.quantity} is {value:,.10g}, above {c.at_most:,.10g}" for value, c in values if value > c.at_most]


def objectives(
    search: Search, trials: Sequence[TrialDirectory], config: TrialConfig
) -> tuple[list[float], list[float]]:
    """The values of the search's objectives, of a setting whose trials are complete: means over its seeds, and their spreads.

    Returns:
        Means and sample standard deviations in the order of the objectives; the latter empty with one seed.
    """
    values = [[_measured(o.quantity, trial, config) for trial in trials] for o in search.objectives]
    spreads = [statistics.stdev(own) for own in values] if len(trials) > 1 else []
    return [statistics.fmean(own) for own in values], spreads


def _measured(quantity: str, trial: TrialDirectory, config: TrialConfig) -> float:
    if quantity not in QUALITIES:
        return QUANTITIES[quantity](config)
    epochs = trial.epochs()
    return epochs[-1].seconds if quantity == "train_seconds" else reached(epochs, quantity)[-1]
