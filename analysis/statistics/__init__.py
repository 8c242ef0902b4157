"""Paired differences, their intervals, and verdicts. scipy and statsmodels do the mathematics."""

from analysis.statistics.claims import ClaimResult, check_claims
from analysis.statistics.corrections import holm
from analysis.statistics.effects import Effect, main_effects
from analysis.statistics.gaps import compare_gaps_of_arms
from analysis.statistics.intervals import (
    Estimate,
    bootstrap_interval,
    crossed_interval,
    crossed_p,
    t_estimate,
)
from analysis.statistics.paired import Comparison, compare, compare_arms, most_pairs, paired_differences
from analysis.statistics.sensitivity import sensitivities
from rdun.significance import smallest_exact_p

__all__ = [
    "ClaimResult",
    "Comparison",
    "Effect",
    "Estimate",
    "bootstrap_interval",
    "check_claims",
    "compare",
    "compare_arms",
    "compare_gaps_of_arms",
    "crossed_interval",
    "crossed_p",
    "holm",
    "main_effects",
    "most_pairs",
    "paired_differences",
    "sensitivities",
    "smallest_exact_p",
    "t_estimate",
]
