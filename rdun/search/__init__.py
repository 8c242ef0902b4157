"""Searches: a question, the space in which its answer is looked for, and what may be asked of it."""

from rdun.search.search import COSTS, QUALITIES, SAMPLERS, Constraint, Objective, Search
from rdun.search.space import Choice, Int, Parameter, Real, Values

__all__ = [
    "COSTS",
    "QUALITIES",
    "SAMPLERS",
    "Choice",
    "Constraint",
    "Int",
    "Objective",
    "Parameter",
    "Real",
    "Search",
    "Values",
]
