"""How often the 95 % intervals of the reports hold the truth, and how often verdicts are wrong, in studies whose truth is known.

    python benchmarks/coverage.py results/coverage.csv                    # 500 studies per setting
    python benchmarks/coverage.py coverage.csv --studies 2000

A study has four families (two systems x two sizes), and in each a base arm and three others, all with the same seeds and images:

    score(arm, seed, image) = level(image) + effect(arm) + seed(arm) + image(arm) + rest(arm, seed, image)

Paired differences have twice the variance of an arm's own terms; the standard deviations in `SCENARIOS` are those of the
differences. The first treatment has the effect, the other two never have one, and no family changes any.

Measured for one comparison, the main effect over the families and the interaction with the system, against two truths: the mean
difference on the very images of the study ("these images") and on all images that could have been drawn ("all images"). Then, per
study of twelve comparisons: how often any comparison without a true difference is called decided. And of one comparison without
one: how often it is called decided with all its seeds, and how often to one who looks after every seed from the second on.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from analysis.statistics import crossed_interval, crossed_p
from analysis.statistics.corrections import decided
from analysis.statistics.intervals import CONFIDENCE, Floats, bootstrap_means
from rdun.significance import LEVEL

FAMILIES, TREATMENTS = 4, 3
WEIGHTS = {
    "comparison": np.array([1.0, 0.0, 0.0, 0.0]),
    "main effect": np.full(FAMILIES, 1 / FAMILIES),
    "interaction": np.array([0.5, 0.5, -0.5, -0.5]),
}
EFFECT = 0.3
"""dB, of the first treatment where there is one."""
CHUNK = 20


class Scenario(NamedTuple):
    """Standard deviations of the differences of one comparison in dB; `skewed`: image and rest terms are exponential."""

    seed: float
    image: float
    rest: float
    skewed: bool = False


SCENARIOS = {
    "seeds and images alike": Scenario(0.08, 0.10, 0.15),
    "seeds dominate": Scenario(0.20, 0.05, 0.15),
    "images dominate": Scenario(0.02, 0.30, 0.15),
    "skewed images": Scenario(0.08, 0.30, 0.15, skewed=True),
}


class Studies(NamedTuple):
    """Simulated studies.

    Attributes:
        differences: (studies, families, treatments, seeds, images).
        given: mean differences on the images drawn, (studies, families, treatments).
        all_images: the same over all images, (families, treatments).
    """

    differences: Floats
    given: Floats
    all_images: Floats


def simulate(
    scenario: Scenario, effect: float, seeds: int, images: int, studies: int, generator: np.random.Generator
) -> Studies:
    """Studies with their truths; the base arm's terms are shared by the comparisons of a family."""
    arms = (studies, FAMILIES, TREATMENTS + 1)

    def noise(spread: float, skewed: bool, shape: tuple[int, ...]) -> Floats:
        drawn = generator.exponential(size=shape) - 1 if skewed else generator.normal(size=shape)
        return np.asarray(drawn * (spread / np.sqrt(2)))

    truth = np.zeros((FAMILIES, TREATMENTS + 1))
    truth[:, 1] = effect
    of_images = noise(scenario.image, scenario.skewed, (*arms, 1, images))
    scores = noise(scenario.rest, scenario.skewed, (*arms, seeds, images))
    scores += truth[..., None, None] + of_images + noise(scenario.seed, False, (*arms, seeds, 1))
    given = truth + of_images.mean(axis=(-2, -1))
    return Studies(scores[:, :, 1:] - scores[:, :, :1], given[..., 1:] - given[..., :1], truth[:, 1:] - truth[:, :1])


def t_intervals(tables: Floats) -> tuple[Floats, Floats, Floats]:
    """`t_estimate` of each table's means over its images, for a stack: low, high, p."""
    found = stats.ttest_1samp(tables.mean(axis=-1), 0.0, axis=-1)
    bounds = found.confidence_interval(CONFIDENCE)
    return np.asarray(bounds.low), np.asarray(bounds.high), np.asarray(found.pvalue)


def bootstrap_intervals(tables: Floats) -> tuple[Floats, Floats]:
    """`bootstrap_interval` of each table of a stack (studies, seeds, images): low, high."""
    parts = [tables[i : i + CHUNK] for i in range(0, len(tables), CHUNK)]
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    low, high = np.concatenate([np.quantile(bootstrap_means(p), tails, axis=-1) for p in parts], axis=1)
    return low, high


def coverage_rows(studies: Studies) -> Iterator[dict[str, Any]]:
    """Coverage of every interval for every estimand, against both truths; the first treatment."""
    for estimand, weights in WEIGHTS.items():
        tables = np.tensordot(studies.differences[:, :, 0], weights, axes=(1, 0))
        truths = {"these images": studies.given[..., 0] @ weights, "all images": studies.all_images[:, 0] @ weights}
        intervals = {
            "t over seeds": t_intervals(tables)[:2],
            "bootstrap": bootstrap_intervals(tables),
            "crossed t": crossed_interval(tables),
        }
        for (interval, (low, high)), (about, truth) in product(intervals.items(), truths.items()):
            hits = (low <= truth) & (truth <= high)
            yield {
                "measure": "coverage",
                "estimand": estimand,
                "interval": interval,
                "about": about,
                **_share(hits),
                "mean_width": round(float(np.mean(high - low)), 4),
            }


def holm_rows(p: Floats) -> Floats:
    """`holm` of each row; statsmodels collects garbage at every call, which takes longer than all else here."""
    order = np.argsort(p, axis=1)
    steps = np.take_along_axis(p, order, axis=1) * np.arange(p.shape[1], 0, -1)
    corrected = np.empty_like(p)
    np.put_along_axis(corrected, order, np.minimum(np.maximum.accumulate(steps, axis=1), 1.0), axis=1)
    return corrected


def verdict_rows(studies: Studies) -> Iterator[dict[str, Any]]:
    """How often a study calls any true null decided, and a true effect: uncorrected, after Holm, and by the report's rule.

    A null about all images is not one about these images, and the reverse: for the second, each comparison's mean image term is
    taken away.
    """
    null = np.broadcast_to(studies.all_images == 0, studies.differences.shape[1:3]).reshape(-1)
    shift = (studies.given - studies.all_images)[..., None, None]
    for about, tables in (("all images", studies.differences), ("these images", studies.differences - shift)):
        for rule, rejected in _rejections(tables.reshape(len(tables), -1, *tables.shape[-2:]), null).items():
            row = {"interval": rule, "about": about}
            yield {"measure": "any false verdict", **row, **_share(np.asarray(rejected[:, null].any(axis=1)))}
            if not null.all():
                yield {"measure": "true effect decided", **row, **_share(rejected[:, ~null][:, 0])}


def looking_rows(studies: Studies) -> Iterator[dict[str, Any]]:
    """How often the report's rule decides a comparison without a true difference: with all seeds, and at any look."""
    tables, null = studies.differences[:, 0, 1:2], np.array([True])
    looks = [_rejections(tables[:, :, :seeds], null)["the report's"][:, 0] for seeds in range(2, tables.shape[2] + 1)]
    for interval, found in (("with all seeds", looks[-1]), ("at any look", np.any(looks, axis=0))):
        about = {"estimand": "comparison", "interval": interval, "about": "all images"}
        yield {"measure": "false verdict on one", **about, **_share(found)}


def _rejections(tables: Floats, null: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Which comparisons are decided by each rule: (studies, comparisons). Of true effects, the first stands for all.

    The report's rule: `cautious_p` after Holm, and the bootstrap.
    """
    _, _, p = t_intervals(tables)
    corrected = holm_rows(p)
    agreed = corrected < LEVEL
    places = np.argwhere(agreed & (null | (np.arange(len(null)) == 0)))
    if len(places):
        bounds = bootstrap_intervals(tables[places[:, 0], places[:, 1]])
        for (study, place), low, high in zip(places, *bounds, strict=True):
            agreed[study, place] = decided(corrected[study, place], low, high)
    over_both = crossed_p(tables)
    cautious = holm_rows(np.maximum(p, over_both))
    return {
        "t, uncorrected": p < LEVEL,
        "t, Holm": corrected < LEVEL,
        "t, Holm and bootstrap": agreed,
        "crossed t, Holm": holm_rows(over_both) < LEVEL,
        "the report's": agreed & (cautious < LEVEL),
    }


def _share(hits: NDArray[np.bool_]) -> dict[str, float]:
    """The share of studies with its 95 % interval by Wilson."""
    low, high = proportion_confint(int(hits.sum()), len(hits), method="wilson")
    return {
        "studies": len(hits),
        "share": round(float(hits.mean()), 4),
        "share_low": round(float(low), 4),
        "share_high": round(float(high), 4),
    }


def measure(studies: int, seeds: tuple[int, ...], images: tuple[int, ...]) -> pd.DataFrame:
    """All settings: scenario x effect x seeds x images; with an effect on the largest set of images only."""
    rows = []
    for place, (name, effect, n, m) in enumerate(product(SCENARIOS, (0.0, EFFECT), seeds, images)):
        if effect and m < max(images):
            continue
        drawn = simulate(SCENARIOS[name], effect, n, m, studies, np.random.default_rng(place))
        setting = {"scenario": name, "effect": effect, "seeds": n, "images": m}
        rows += [setting | row for row in (*coverage_rows(drawn), *verdict_rows(drawn), *looking_rows(drawn))]
    return pd.DataFrame(rows)


def summary(rows: pd.DataFrame) -> str:
    """Shares by number of seeds, lowest and highest over scenarios, effects and images."""
    keys = ["measure", "estimand", "interval", "about"]
    found = rows.fillna({"estimand": "", "about": ""}).groupby([*keys, "seeds"], sort=False)["share"]
    text = found.agg(lambda s: f"{100 * s.mean():.1f} ({100 * s.min():.1f} to {100 * s.max():.1f})")
    return str(text.unstack("seeds").to_string())


@click.command(context_settings={"show_default": True})
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--studies", default=500, type=click.IntRange(min=1), help="Simulated studies per setting.")
def main(target: Path, studies: int) -> None:
    """Writes the CSV and prints the summary."""
    rows = measure(studies, (2, 3, 5, 10), (4, 11, 68))
    target.parent.mkdir(parents=True, exist_ok=True)
    rows.to_csv(target, index=False)
    click.echo("Percent of studies: mean over settings (lowest to highest), by number of seeds")
    click.echo(summary(rows))


if __name__ == "__main__":
    main()
