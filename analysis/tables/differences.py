"""The ablation table: every arm's difference to its base, and the same effects averaged over settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.frames import StudyFrames
from analysis.numbers import plural
from analysis.statistics import Comparison, Effect, most_pairs, smallest_exact_p
from analysis.tables.table import Interval, Number, Probability, Table, Text
from analysis.words.budgets import costs_beside, costs_caption
from analysis.words.certainty import shared_luck

MEASURED = (
    "In 500 simulated studies per setting the t-interval held the mean on the given images in 95\u00a0%, whatever the number of "
    "seeds. With few seeds the bootstrap is too narrow: with 11 or 68 test images and 2, 3, 5 and 10 seeds it held the mean over "
    "all images in 84, 89, 92 and 94\u00a0% (at worst, where seeds differ more than images, in 61, 77, 87 and 90\u00a0%), the "
    "crossed t in 93, 94, 95 and 95\u00a0% (at worst 87, 91, 94 and 93\u00a0%). In studies of twelve comparisons, any without a "
    "true difference was called decided in 2 to 5\u00a0% of the studies (at worst 6\u00a0%). With 4 images the crossed t held it "
    "in 99, 98, 97 and 96\u00a0%, and with 2 and 3 seeds 0\u00a0% had a false verdict: more is left undecided than need be."
)
"""From results/coverage.csv (benchmarks/coverage.py); a test compares them."""
KINDS = {
    "main": "Mean over settings",
    "factor": "Main effects of factors",
    "interaction": "Difference between settings",
}
"""Heads of the groups of effects, in order."""


def differences_table(frames: StudyFrames, comparisons: Sequence[Comparison], dataset: str) -> Table:
    """PSNR differences to the base arm with both intervals, Holm's p and the verdict."""
    found = [c for c in comparisons if c.dataset == dataset]
    head, names = compared(frames, found)
    rows: list[dict[str, Any]] = []
    for line, c in enumerate(found):
        rows.append(
            {
                "family": frames.arms[c.arm].family,
                "arm": c.arm,
                "versus": c.versus,
                "comparison": names[line],
                "costs": costs_beside(frames, [(c.arm, c.versus)]),
                "seeds": f"{len(c.seeds)} of {len(frames.plan.seeds)}",
                "mean": c.mean,
                "low": c.low,
                "high": c.high,
                "boot_low": c.boot_low,
                "boot_high": c.boot_high,
                "all_low": c.all_low,
                "all_high": c.all_high,
                "p": c.p,
                "p_all": c.p_all,
                "p_holm": c.p_holm,
                "images_better": 100 * c.images_better,
                "effect": c.effect,
                "verdict": verdict(c),
            }
        )
    return Table(
        name=f"differences-{dataset}",
        title=f"Differences to the base arm on {dataset}",
        caption=_caption(frames, found) + " " + costs_caption([row["costs"] for row in rows]),
        frame=pd.DataFrame(rows),
        columns=(
            Text(key="comparison", header=head),
            Text(key="seeds", header="Seeds", align="right"),
            Number(key="mean", header="Mean", unit="dB", digits=3, signed=True),
            Interval(low="low", high="high", header="95\u00a0% interval", unit="dB", digits=3),
            Interval(low="boot_low", high="boot_high", header="95\u00a0% bootstrap", unit="dB", digits=3),
            Interval(low="all_low", high="all_high", header="95\u00a0% all images", unit="dB", digits=3),
            Probability(key="p_holm", header="p (Holm)"),
            Number(key="images_better", header="Images up", unit="%", digits=0),
            Number(key="effect", header="Effect size d_z", digits=2, signed=True),
            Text(key="verdict", header="Verdict"),
            *costs_column(rows),
        ),
        group="family" if any(frames.families()) else "",
        gaps=without_pairs(found),
        notes=(shared_luck(frames), MEASURED),
    )


def compared(frames: StudyFrames, found: Sequence[Comparison]) -> tuple[str, list[str]]:
    """The head of a column of comparisons, and each one's name: without its base where all have the same."""
    treatment = {a.name: str(a.treatment) for a in frames.arms.values()}
    bases = list(dict.fromkeys(treatment[c.versus] for c in found))
    if len(bases) == 1:
        return f"Minus {bases[0]}", [treatment[c.arm] for c in found]
    return "Comparison", [f"{treatment[c.arm]} minus {treatment[c.versus]}" for c in found]


def verdict(c: Comparison) -> str:
    """What is said of a comparison in a table."""
    return "undecided: one seed" if len(c.seeds) == 1 and not c.same else c.verdict


def without_pairs(found: Sequence[Comparison]) -> dict[tuple[int, str], str]:
    """The gaps of a column "seeds": which pairs each line lacks, and why."""
    lacking = [[reason for _, reason in c.missing] or [c.reason] for c in found]
    return {(line, "seeds"): "; ".join(dict.fromkeys(why)) for line, why in enumerate(lacking) if any(why)}


def costs_column(rows: Sequence[dict[str, Any]]) -> tuple[Text, ...]:
    """A column of what arms cost beside the others, where any costs differ."""
    return (Text(key="costs", header="Costs"),) if any(row["costs"] for row in rows) else ()


def _caption(frames: StudyFrames, found: Sequence[Comparison]) -> str:
    n = len(frames.plan.seeds)
    pairs = most_pairs(frames, found)
    degrees = sorted({c.df for c in found if c.df > 0})
    df = f" (df = {', '.join(map(str, degrees))})" if degrees else ""
    return (
        f"PSNR differences, paired by seed, image, ratio and matrix, then averaged; {plural(n, 'seed')}. "
        f"The t-interval{df} treats seeds as drawn at random and the test images as given: it says nothing about other images. "
        "The bootstrap draws seeds and images anew. The interval for all images (crossed t) treats both as drawn at random. "
        "Higher or lower means that all agree: p, the larger of both t-tests, corrected by Holm for the "
        f"{_corrected([c.p_all for c in found], 'comparison')} on this test set, is below 0.05, and the bootstrap interval "
        "excludes zero. "
        f"With {plural(pairs, 'pair')}, an exact rank test cannot give p below {smallest_exact_p(pairs):.3g}. Images up: part of "
        "the test images with a positive mean difference. Effect size: Cohen's d_z, the mean over the standard deviation "
        "of the per-image differences."
    )


def _corrected(p_values: Sequence[float], noun: str) -> str:
    """ "5 comparisons", or "5 comparisons (of 6) that have a p": what has none is no test that Holm's correction counts."""
    known = sum(p == p for p in p_values)
    return plural(known, noun) + (f" (of {len(p_values)}) that have a p" if known < len(p_values) else "")


def effects_table(frames: StudyFrames, effects: Sequence[Effect], dataset: str) -> Table:
    """Main effects over settings and their interactions."""
    found = sorted((e for e in effects if e.dataset == dataset), key=lambda e: list(KINDS).index(e.kind))
    rows: list[dict[str, Any]] = [
        {
            "kind": KINDS[e.kind],
            "name": e.name,
            "settings": float(e.settings),
            "costs": costs_beside(frames, e.pairs),
            "seeds": f"{e.estimate.n} of {len(frames.plan.seeds)}",
            "mean": e.estimate.mean,
            "low": e.estimate.low,
            "high": e.estimate.high,
            "p_holm": e.p_holm,
            "boot_low": e.boot_low,
            "boot_high": e.boot_high,
            "all_low": e.all_low,
            "all_high": e.all_high,
            "verdict": e.verdict,
        }
        for e in found
    ]
    return Table(
        name=f"effects-{dataset}",
        title=f"Effects over all settings on {dataset}",
        caption=(
            "Each effect is computed per seed from the paired PSNR differences of all settings and then averaged "
            "over seeds; 95\u00a0% t-interval "
            "over seeds, bootstrap and crossed t (all images) over seeds and images, p (the larger of both t-tests) corrected "
            f"by Holm over the {_corrected([e.p_all for e in found], 'effect')} on this test set. A "
            "difference between settings asks whether the change does more in one than in the other. Main effects of factors, "
            "and interactions with ×, are those of a full grid within a family: a level minus the base's one, averaged over the "
            "other factors' combinations. " + costs_caption([row["costs"] for row in rows])
        ),
        frame=pd.DataFrame(rows),
        columns=(
            Text(key="name", header="Effect"),
            Number(key="settings", header="Settings", digits=0),
            Text(key="seeds", header="Seeds", align="right"),
            Number(key="mean", header="Mean", unit="dB", digits=3, signed=True),
            Interval(low="low", high="high", header="95\u00a0% interval", unit="dB", digits=3),
            Interval(low="boot_low", high="boot_high", header="95\u00a0% bootstrap", unit="dB", digits=3),
            Interval(low="all_low", high="all_high", header="95\u00a0% all images", unit="dB", digits=3),
            Probability(key="p_holm", header="p (Holm)"),
            Text(key="verdict", header="Verdict"),
            *costs_column(rows),
        ),
        group="kind",
        gaps={(line, "seeds"): e.reason for line, e in enumerate(found) if e.reason},
    )
