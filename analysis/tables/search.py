"""Tables of a search: the best settings, everything that was tried, and what mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from analysis.frames.search import COSTS, NAN, NOT_TESTED, Baseline, SearchFrames, Tested
from analysis.numbers import listed, plural
from analysis.statistics.importance import PARTS, Importance
from analysis.tables.table import Column, Interval, Number, Table, Text
from analysis.words.search_words import chosen, quantity, setting
from rdun.results import SearchTrial

TOP = 10


def best_table(frames: SearchFrames) -> Table:
    """The Pareto set, or the best ten for one objective, above the baselines."""
    record, several = frames.record, len(frames.record.objectives) > 1
    shown = [t for t in record.trials if t.number in frames.best] if several else frames.record.ranked()[:TOP]
    order = {n: i for i, n in enumerate(frames.best)} if several else {}
    shown = sorted(shown, key=lambda t: order[t.number]) if several else shown
    rows = [_row(frames, t) for t in shown] + [_baseline_row(frames, b) for b in frames.baselines]
    gaps: dict[tuple[int, str], str] = {}
    for line, tested in enumerate([*(frames.tested[t.number] for t in shown), *(b.tested for b in frames.baselines)]):
        gaps |= {(line, f"test {d}"): tested.reason for d in frames.datasets if d not in tested.psnr}
    what = (
        "All settings for which no other one is at least as good in every objective and better in one"
        if several
        else f"The best {plural(len(shown), 'setting')}"
    )
    table = Table(
        name="best",
        title="Pareto set" if several else "Best settings",
        caption=(
            f"{what}, sorted by {quantity(frames.quantities[0]).name}, and the baselines. Selection is on validation; test PSNR "
            f"is a mean over images, ratios and matrices at the best checkpoint{over_seeds(frames)}. Multiply-accumulates (MMAC, "
            "millions) are those of the test counts."
        ),
        frame=pd.DataFrame(rows),
        columns=(Text(key="trial", header="Trial"), *_columns(frames, [str(n) for n in record.space])),
        group="kind" if frames.baselines else "",
        gaps=gaps,
    )
    return replace(table, links=_links(table))


def _links(table: Table) -> dict[tuple[int, str], tuple[str, ...]]:
    """Every line leads from its name and its numbers to its trial."""
    linked = [c.keys[0] for c in table.columns if not isinstance(c, Text) or c.key == "trial"]
    return {
        (line, key): tuple(prints[:1]) for line, prints in enumerate(fingerprints(table)) if prints for key in linked
    }


def over_seeds(frames: SearchFrames) -> str:
    """What the caption says of the seeds, where there are several."""
    seeds = frames.record.seeds
    named = f"seeds {listed([str(seed) for seed in seeds])}"
    return f"; qualities and times are means ± standard deviation over {named}" if len(seeds) > 1 else ""


def fingerprints(table: Table) -> list[list[str]]:
    """Those of the lines of a table of settings; none where a setting has no trial."""
    return [list(prints) for prints in table.frame["fingerprints"]] if len(table.frame) else []


def trials_table(frames: SearchFrames) -> Table:
    """All suggestions in the order they were made, with state and reason, then the baselines."""
    rows = [_row(frames, t) | _exact(frames, t) for t in frames.record.trials]
    rows += [_baseline_row(frames, b) for b in frames.baselines]
    return Table(
        name="trials",
        title="All trials",
        caption=(
            "In the order they were suggested. Infeasible: against a constraint, or of values that do not fit together; never "
            "trained. Duplicate: the same setting as an earlier trial, whose end it has. Running: in work, or cut off and to be "
            "continued. Stopped early: not trained to the end, by the rule under How it was made; nothing else counts it. "
            f"Baselines stand last{over_seeds(frames)}."
        ),
        frame=pd.DataFrame(rows),
        columns=(
            Text(key="trial", header="Trial"),
            Text(key="state", header="State"),
            Text(key="setting", header="Setting"),
            *_columns(frames, []),
            Text(key="reason", header="Reason"),
        ),
    )


def importance_table(found: Sequence[Importance], frames: SearchFrames) -> Table:
    """Shares of importance with the values that were searched."""
    return Table(
        name="importance",
        title="Importance of the parameters",
        caption=(
            f"For {quantity(frames.quantities[0]).name}, by PED-ANOVA over {plural(len(frames.complete()), 'complete trial')}: "
            "how much the best quarter of the trials (at least five) differs from all trials in this parameter, as a share "
            "of the sum. It says where good settings lie, not in which direction; that a setting does not depend on a "
            "parameter counts as such a difference. Without a tenth: smallest and largest share "
            f"when each of {PARTS} tenths of the trials is left out; a wide range means too few trials. No random numbers: the "
            "same at every call."
        ),
        frame=pd.DataFrame(
            [
                {
                    "parameter": i.parameter,
                    "space": frames.record.space[i.parameter],
                    "share": 100 * i.share,
                    "low": 100 * i.low,
                    "high": 100 * i.high,
                }
                for i in found
            ]
        ),
        columns=(
            Text(key="parameter", header="Parameter"),
            Text(key="space", header="Values"),
            Number(key="share", header="Share", unit="%", digits=0),
            Interval(low="low", high="high", header="Without a tenth", unit="%", digits=0, signed=False),
        ),
    )


def _columns(frames: SearchFrames, parameters: Sequence[str]) -> list[Column]:
    shown = [*frames.quantities, *(c for c in COSTS if c not in frames.quantities)]
    heads = {"macs": "MMAC", "stage_evaluations": "Stages"}
    numbers: list[Column] = []
    for name in shown:
        known = quantity(name)
        head, unit = heads.get(name, known.name[:1].upper() + known.name[1:]), "" if name == "macs" else known.unit
        spread = f"{name} sd" if frames.several and known.measured else ""
        numbers.append(Number(key=name, header=head, unit=unit, digits=known.digits, spread=spread))
    tests = [
        Number(key=f"test {d}", header=f"Test PSNR, {d}", unit="dB", spread=f"test {d} sd" if frames.several else "")
        for d in frames.datasets
    ]
    return [*(Text(key=f"value {p}", header=p, align="right") for p in parameters), *numbers, *tests]


def _row(frames: SearchFrames, trial: SearchTrial) -> dict[str, Any]:
    known = trial.quantities | dict(zip(frames.quantities, trial.objectives, strict=False))
    spreads = dict(zip(frames.quantities, trial.spreads, strict=False))
    tested = frames.tested.get(trial.number, NOT_TESTED)
    row: dict[str, Any] = {"kind": "Trials", "trial": str(trial.number), "state": trial.state, "reason": trial.reason}
    row |= {"setting": setting(trial), "fingerprints": trial.fingerprints}
    row |= {f"value {name}": chosen(trial.values[name]) if name in trial.values else "" for name in frames.record.space}
    return row | _numbers(frames, known, spreads) | _tests(frames, tested)


def _exact(frames: SearchFrames, trial: SearchTrial) -> dict[str, Any]:
    """Fractions with all their digits: of the CSV file, the values may be used again."""
    return {f"value {n}": v for n, v in trial.values.items() if n in frames.record.space and isinstance(v, float)}


def _baseline_row(frames: SearchFrames, baseline: Baseline) -> dict[str, Any]:
    row: dict[str, Any] = {
        "kind": "Baselines",
        "trial": baseline.name,
        "state": "baseline",
        "reason": baseline.tested.reason,
        "setting": "",
    }
    row |= {"fingerprints": frames.record.baselines[baseline.name], "baseline": True}
    row |= {f"value {name}": "" for name in frames.record.space}
    return row | _numbers(frames, baseline.quantities, baseline.spreads) | _tests(frames, baseline.tested)


def _numbers(frames: SearchFrames, known: dict[str, float], spreads: Mapping[str, float]) -> dict[str, float]:
    names = [*frames.quantities, *(c for c in COSTS if c not in frames.quantities)]
    values = {name: known.get(name, NAN) / quantity(name).divisor for name in names}
    return values | {f"{name} sd": spreads.get(name, NAN) for name in names if quantity(name).measured}


def _tests(frames: SearchFrames, tested: Tested) -> dict[str, float]:
    values = {f"test {d}": tested.psnr.get(d, NAN) for d in frames.datasets}
    return values | {f"test {d} sd": tested.spread.get(d, NAN) for d in frames.datasets}
