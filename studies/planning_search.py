"""The plan of a search, printed: its space, what is known to run next, and what all of it is going to take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import click

from studies.planning import LATER, is_elsewhere, measured
from studies.session import is_quiet, say

if TYPE_CHECKING:
    from rdun.config import Precision, TrialConfig
    from rdun.plan import Estimate, Machine, Part
    from rdun.results import Runs, Store
    from rdun.search import Search, Values

    Parts = Callable[[TrialConfig], Part]


class Outlook(NamedTuple):
    """What settings take after so many epochs, and which part of a GPU."""

    estimate: Callable[[TrialConfig, int], Estimate]
    part: Parts


def print_space(search: Search) -> None:
    """The space of a search: its parameters, how many settings it has, and what they cost at its bounds."""
    from rdun.plan import QUANTITIES

    say(search.question)
    for name, parameter in search.space.items():
        say(f"  {name}: {parameter}")
    if search.baselines:
        say(f"Baselines, trained first: {', '.join(search.baselines)}")
    if search.stopping:
        say(f"Early stopping: {search.stopping}")
    size, each = search.size(), f", each with {len(search.seeds)} seeds" if len(search.seeds) > 1 else ""
    say(
        f"Settings: {'infinitely many' if size is None else f'{size:,}'}; {search.trials} trials by {search.sampler}{each}"
    )
    if unfit := search.unfit():
        values, problem = unfit[0]
        where = ", ".join(f"{name} {value}" for name, value in values.items())
        say(
            f"  bounds of the space whose values do not fit together, and are never trained: {len(unfit)} ({where}: {problem})"
        )
    costs = [
        {name: QUANTITIES[name](config) for name in ("parameters", "macs", "steps")}
        for config in (search.config(values) for values in search.corners())
    ]
    for name in costs[0]:
        low, high = (pick(cost[name] for cost in costs) for pick in (min, max))
        bounds = "".join(f", at most {c.at_most:,.10g}" for c in search.constraints if c.quantity == name)
        say(f"  {name}: {low:,.10g} to {high:,.10g} at the bounds of the space{bounds}")


def lay_out_search(
    search: Search,
    auto: Precision,
    left: int,
    baselines: Sequence[TrialConfig],
    store: Store,
    place: Machine,
    *,
    probe: bool = False,
) -> Outlook:
    """Prints what the trials that are left take, between the fastest and the slowest bound of the space, and how they share GPUs.

    Args:
        left: trials of suggestions; `baselines`: the others, which take what they take.

    Raises:
        ValueError: more than the budget even if all are as fast as the fastest bound, or nobody knows.
    """
    from rdun.plan import Estimator, part_of
    from rdun.plan_view import clock, sharing

    limit = search.resources
    configs = [search.config(values).resolved(auto) for values in search.corners()]
    estimator = Estimator(measured([*configs, *baselines], store, place, probe=probe), place)

    peaks = [estimator.estimate(config).gpu_memory_mib or 0.0 for config in configs]
    highest = max(peaks) if all(peaks) else None

    def part(config: TrialConfig) -> Part:
        found = estimator.estimate(config)
        if found.gpu_memory_mib is None:  # no more than at the bounds of the space, if that is known
            found = replace(found, gpu_memory_mib=highest, source="bounds of the space")
        return part_of(search.resources, place, found, left + len(baselines))

    outlook = Outlook(estimator.estimate, part)
    for line in sharing(part(config) for config in configs):
        say(line)
    if limit.budget is not None and is_elsewhere() and not place.gpus:
        click.echo(LATER, err=True)
        limit = replace(limit, budget=None)

    def known(configs: Iterable[TrialConfig]) -> list[tuple[float, float]]:
        """Seconds and hours of those of which the time is known."""
        return [(t, place.hours(t, part(c).gpus)) for c in configs if (t := estimator.estimate(c).seconds) is not None]

    times, more = known(configs), known(baselines)
    if not left + len(baselines) or (not times and limit.budget is None):
        return outlook
    if not times:
        raise ValueError(
            f"budget={limit.budget:g} {place.unit} cannot be checked: no bound of the space has a known time; measure some steps "
            "with --probe, or leave the budget out"
        )
    (low, high), hours = ([pick(values) for pick in (min, max)] for values in zip(*times, strict=True))
    hours = [left * each + sum(own for _, own in more) for each in hours]
    trials = f"{left} trials" + (f" and {len(more)} of baselines" if more else "")
    trials += f" (without {len(baselines) - len(more)} of baselines)" if len(more) < len(baselines) else ""
    money = f", {limit.price.of(hours[0])} to {limit.price.of(hours[1])}" if limit.price else ""
    say(
        f"Estimate: {clock(low)} to {clock(high)} per trial at {len(times)} of {len(configs)} bounds of the space; "
        f"{hours[0]:.3g} to {hours[1]:.3g} {place.unit}{money} for {trials}"
    )
    if limit.budget is not None and hours[0] > limit.budget:
        raise ValueError(
            f"budget={limit.budget:g} {place.unit} is exceeded: {trials} take at least {hours[0]:.3g} {place.unit}; raise "
            "the budget, or ask for fewer trials"
        )
    if limit.budget is not None and hours[1] > limit.budget:
        click.echo(
            f"Warning: {trials}, all of the slowest kind, would exceed budget={limit.budget:g} {place.unit}.", err=True
        )
    return outlook


def print_upcoming(
    search: Search,
    runs: Runs,
    auto: Precision,
    learned: Mapping[str, Values],
    estimate: Callable[[TrialConfig, int], Estimate],
    *,
    retry_failed: bool,
) -> None:
    """The settings that run next, as far as they depend on no result that is to come.

    Raises:
        ValueError: the search was begun with other parameters, objectives or settings.
    """
    from rich.console import Console

    from rdun.plan import States, Trial, epochs_done
    from rdun.plan_view import LISTED, Setting, print_settings
    from rdun.tuning import DATABASE, preview

    with runs.seen(search.name) as home:
        ahead = preview(search, home / DATABASE, runs.store, auto, learned, retry_failed=retry_failed, most=LISTED)
    states, rows = States(runs.store), list[Setting]()
    for found in ahead.settings:
        state = states.of(found.fingerprint, found.config)
        trial = Trial(fingerprint=found.fingerprint, config=found.config, state=state, arms=())
        rows.append(Setting(found.name, found.values, trial, estimate(trial.config, epochs_done(trial, runs.store))))
    if rows:
        first = f"The first {LISTED} trials" if len(rows) == LISTED else "Trials"
        say(f"{first} to run" + ("; what is suggested after them depends on results:" if ahead.more else ":"))
        print_settings(rows, Console(quiet=is_quiet()))
    if ahead.infeasible:
        say(
            f"Infeasible suggestions among them, never trained: {len(ahead.infeasible)} (the first: {ahead.infeasible[0]})"
        )
    if ahead.gave_up:
        click.echo(f"Warning: no more than these are found: {ahead.gave_up}.", err=True)
