"""A plan for people: tables of arms, trials and settings, and every trial as CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rdun.config import TrialConfig
from rdun.plan import Changes, Estimate, Forecast, Part, Plan, Trial, cost, steps, unequal_costs

LISTED = 60
"""Trials that are listed one by one; a larger plan has the table of arms only."""
SHOWN = 5
"""Kinds of trials of which the summary tells how they share a GPU, arms that are told to be new or orphaned, and their seeds."""
COSTS = ("param.", "MMAC", "steps", "memory", "time")
"""Columns of what one trial takes."""
COLUMNS = (
    "fingerprint",
    "arm",
    "seed",
    "parameters",
    "macs_per_block",
    "steps",
    "memory_mib",
    "gpu_memory_mib",
    "seconds_left",
    "estimated_from",
    "state",
)


def print_plan(plan: Plan, forecast: Forecast, console: Console | None = None) -> None:
    """Two tables: the arms with their costs, and the trials (of a plan that is not too large) with their estimates.

    Between them stands where compared arms differ in a cost.
    """
    console = console or Console()
    console.print(Text(plan.study.question, style="bold"))
    console.print(_arms(plan))
    for line in unequal_costs(plan.record):
        console.print(Text(line))
    if len(plan.trials) <= LISTED:
        console.print(_trials(plan, forecast, wide=console.width >= 100))
    else:
        console.print(f"{len(plan.trials):,} trials: --plan-csv FILE lists them one by one", highlight=False)


def _table(*columns: str, left: int = 1) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, expand=False)
    for index, column in enumerate(columns):
        plain = index < left
        table.add_column(column, justify="left" if plain else "right", no_wrap=not plain, overflow="fold")
    return table


def _arms(plan: Plan) -> Table:
    table = _table("arm", "layers", "parameters", "MMAC/block", "steps", "samples", "apps/step")
    for arm in plan.record.arms:
        table.add_row(
            Text(arm.name),
            arm.layout,
            f"{arm.parameters:,}",
            f"{arm.macs / 1e6:,.1f}",
            f"{arm.steps:,}",
            f"{arm.samples:,}",
            f"{arm.stage_evaluations_train:g}",
        )
    return table


def _trials(plan: Plan, forecast: Forecast, *, wide: bool) -> Table:
    table = _table("trial", "arm", "seed", *COSTS, "state", left=2)
    for trial in plan.trials:
        table.add_row(
            _shown(trial.fingerprint, wide),
            Text(trial.arms[0]),
            str(trial.config.seed),
            *_costs(trial.config, forecast.estimates.get(trial.fingerprint), wide),
            "reused" if trial.state == "complete" else trial.state,
        )
    return table


class Setting(NamedTuple):
    """A setting of a search, with its first trial that has no end."""

    name: str
    values: Mapping[str, Any]
    trial: Trial
    estimate: Estimate


def print_settings(settings: Iterable[Setting], console: Console | None = None) -> None:
    """A table of settings with what one trial of each takes."""
    console = console or Console()
    wide = console.width >= 100
    table = _table("trial", "setting", *COSTS, "state", left=2)
    for name, values, trial, estimate in settings:
        text = ", ".join(f"{parameter} {_value(value)}" for parameter, value in values.items())
        table.add_row(
            _shown(trial.fingerprint, wide),
            Text(f"{name}: {text}" if text else name),
            *_costs(trial.config, estimate, wide),
            trial.state,
        )
    console.print(table)


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _shown(fingerprint: str, wide: bool) -> str:
    return fingerprint[: 16 if wide else 6]


def _costs(config: TrialConfig, estimate: Estimate | None, wide: bool) -> list[str]:
    """The cells of COSTS; without an estimate, of a trial that does not run."""
    parameters, macs = cost(config)
    return [
        f"{parameters:,}" if wide else _short(parameters),
        f"{macs / 1e6:,.1f}",
        f"{steps(config):,}",
        _memory(estimate) if estimate else "-",
        _time(estimate) if estimate else "-",
    ]


def summary(plan: Plan, forecast: Forecast) -> list[str]:
    """The total in lines: time, hours, money, where that is from and what it leaves out; and how trials share GPUs."""
    left, machine = len(forecast.estimates), forecast.machine
    if not left:
        return []
    known = left - forecast.unknown
    lines = []
    if known:
        price = plan.study.resources.price
        money = f", {price.of(forecast.hours)}" if price else ""
        some = f" for {known} of {left} trials" if forecast.unknown else ""
        slots = f"{forecast.at_once} trial{'s' * (forecast.at_once > 1)} at a time"
        lines.append(
            f"Estimate{some}: {clock(forecast.seconds)} with {slots}, {forecast.hours:,.3g} {machine.unit}{money}, "
            f"from {' and '.join(forecast.sources())}{_without(forecast)}"
        )
    if forecast.unknown:
        lines.append(
            f"Time of {forecast.unknown} of {left} trials is unknown: nothing comparable ran on {machine.device}, "
            f"{machine.threads} thread{'s' * (machine.threads > 1)}; --probe measures some steps of each network"
        )
    return lines + sharing(forecast.parts.values())


def sharing(parts: Iterable[Part]) -> list[str]:
    """How many trials run on one GPU, and why; nothing without GPUs."""
    found = Counter((part.gpus, part.why) for part in parts if part.gpus)
    lines = []
    for (gpus, why), count in found.most_common(SHOWN):
        most = f"{int(1 / gpus)} at a time on each" if gpus <= 1 else f"{gpus:g} for each trial"
        whose = f" ({count} of {found.total()} trials)" if len(found) > 1 else ""
        lines.append(f"GPU: {most}, {why}{whose}")
    return lines + [f"GPU: and {len(found) - SHOWN} more kinds of trials"] * (len(found) > SHOWN)


def changes_lines(changes: Changes) -> list[str]:
    """What the plan is beside that of the study's last run: how many trials, and which are new and which are orphaned."""
    line = f"Since the last run: {len(changes.kept)} trials kept, {len(changes.added)} new, {len(changes.orphaned)} orphaned"
    new = [f"  new: {_seeds_by_arm(changes.added)}"] * bool(changes.added)
    if not changes.orphaned:
        return [line, *new]
    shown = ", ".join([*changes.orphaned][:3]) + (", ..." if len(changes.orphaned) > 3 else "")
    line = f"{line} ({changes.orphaned_bytes / 1e6:,.1f} MB on disk: {shown})"
    if changes.precision:
        line += (
            f"; they are of the same settings in {changes.precision}, which this machine does not choose by itself: "
            f"--set precision={changes.precision} goes on with them"
        )
    return [line, *new, f"  orphaned: {_seeds_by_arm(changes.orphaned)}"]


def _seeds_by_arm(cells: Mapping[str, tuple[str, int]]) -> str:
    """`unrolled (seeds 0, 2), recursive (seed 2) and 3 more arms`."""
    seeds: dict[str, list[int]] = {}
    for arm, seed in dict.fromkeys(cells.values()):
        seeds.setdefault(arm, []).append(seed)
    text = ", ".join(
        f"{arm} (seed{'s' * (len(own) > 1)} {', '.join(map(str, own[:SHOWN]))}{', ...' * (len(own) > SHOWN)})"
        for arm, own in [*seeds.items()][:SHOWN]
    )
    more = len(seeds) - SHOWN
    return text + (f" and {more} more arm{'s' * (more > 1)}" if more > 0 else "")


def write_csv(plan: Plan, forecast: Forecast, path: Path) -> None:
    """Every trial with its estimate, one per line, in full."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_row(trial, forecast.estimates.get(trial.fingerprint, Estimate())) for trial in plan.trials)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(out.getvalue())


def _row(trial: Trial, estimate: Estimate) -> list[object]:
    parameters, macs = cost(trial.config)
    numbers = (estimate.memory_mib, estimate.gpu_memory_mib, estimate.seconds)
    return [
        trial.fingerprint,
        "; ".join(trial.arms),
        trial.config.seed,
        parameters,
        macs,
        steps(trial.config),
        *("" if number is None else round(number, 3) for number in numbers),
        estimate.source,
        trial.state,
    ]


def _without(forecast: Forecast) -> str:
    parts = forecast.left_out()
    return f"; {' and '.join(parts)} left out" if parts else ""


def _time(estimate: Estimate) -> str:
    return "?" if estimate.seconds is None else clock(estimate.seconds)


def _memory(estimate: Estimate) -> str:
    mib = estimate.gpu_memory_mib or estimate.memory_mib
    if mib is None:
        return "?"
    return f"{mib / 1024:.1f} GiB" if mib >= 1024 else f"{mib:.0f} MiB"


def _short(number: int) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)


def clock(seconds: float) -> str:
    """A duration: `48 s`, `12 min`, `3.5 h`, `9.2 days`."""
    for size, unit in ((86_400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
