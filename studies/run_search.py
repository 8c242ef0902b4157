"""Running a search: what is left of an earlier run, then new suggestions; and its end in a few lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from studies.session import data_sets, precision, provenance

if TYPE_CHECKING:
    from rdun.config import TrialConfig
    from rdun.results import SearchRecord, SearchTrial, Store
    from rdun.search import Search
    from rdun.tuning import Suggestions

SHOWN = 10


def run_search(search: Search, folder: Path, cpus: int | None, *, dry_run: bool, retry_failed: bool) -> None:
    """Continues a search up to its number of trials; exits with 1 if something has no end or no trial is complete."""
    from rdun.data.download import provide
    from rdun.results import Folder, Lease, SearchRecord, Store
    from rdun.tuning import Suggestions

    provide(data_sets(_configs(search)))
    store, home = Store(folder / "trials"), folder / "studies" / search.name
    if dry_run:
        _print_space(search, SearchRecord.load(Folder(home)) if (home / "search.json").is_file() else None)
        return
    with Lease(Folder(home)):
        suggestions = Suggestions(
            search, home / "search.db", store, precision(), search.trials, retry_failed=retry_failed
        )
        interrupted = _run(suggestions, home, store, cpus)
        record = SearchRecord.load(Folder(home))
        _print_end(record)
        _write_report(home, store)
    if suggestions.gave_up:
        click.echo(f"Gave up: {suggestions.gave_up}.", err=True)
    click.echo(f"Database: {home / 'search.db'} (optuna-dashboard sqlite:///{home / 'search.db'})")
    if interrupted:
        click.echo("Stopped. The same command goes on where this one stopped.", err=True)
        sys.exit(130)
    if not suggestions.finished() or not record.best():
        sys.exit(1)


def _run(suggestions: Suggestions, home: Path, store: Store, cpus: int | None) -> bool:
    """Starts a cluster and runs; True if Ctrl-C ended it. search.json is up to date after every trial."""
    from rdun import monitor, tuning
    from rdun.results import Folder, SearchRecord

    start, search, interrupted = time.monotonic(), suggestions.search, False
    before = SearchRecord.load(Folder(home)).provenance if (home / "search.json").is_file() else {}
    if suggestions.finished() and before:
        replace(suggestions.record(), provenance=before).save(Folder(home))
        return False
    facts = provenance(before, _configs(search), search.resources.threads, suggestions.left())

    def save(fingerprint: str = "") -> None:
        record = replace(suggestions.record(), provenance=facts)
        record.save(Folder(home))
        for trial in record.trials:
            if fingerprint and trial.fingerprint == fingerprint and trial.state != "duplicate":
                click.echo(f"{sum(t.state != 'running' for t in record.trials)} tried | {_line(record, trial)}")

    try:
        with tuning.cluster(cpus=cpus) as capacity:
            save()
            tuning.run_search(suggestions, store, capacity, save)
    except KeyboardInterrupt:
        interrupted = True
    suggestions.settle()
    tuning.mark_unfinished(suggestions.unfinished(), store, interrupted=interrupted)
    facts |= {"finished": monitor.now(), "seconds": round(time.monotonic() - start)}
    save()
    return interrupted


def from_record(search: Search, folder: Path) -> None:
    """The end of a search once more, and its report, from its record."""
    from rdun.results import Folder, SearchRecord, Store

    home = folder / "studies" / search.name
    if not (home / "search.json").is_file():
        raise ValueError(f"search {search.name!r} has no results in {home}; run it first, without --report-only")
    _print_end(SearchRecord.load(Folder(home)))
    _write_report(home, Store(folder / "trials"))


def _write_report(home: Path, store: Store) -> None:
    from analysis.pdf import write_pdf
    from analysis.search_report import write_search_report
    from rdun.results import Folder

    report = write_search_report(home, store)
    if problem := write_pdf(Folder(str(home))):
        click.echo(problem, err=True)
    click.echo(f"Answer:  {report.answer}\nReport:  {report.path}")


def _configs(search: Search) -> Iterable[TrialConfig]:
    return [*(search.config(values) for values in search.corners()), *search.baselines.values()]


def _print_space(search: Search, record: SearchRecord | None) -> None:
    from rdun.plan import QUANTITIES

    click.echo(search.question)
    for name, parameter in search.space.items():
        click.echo(f"  {name}: {parameter}")
    size = search.size()
    click.echo(
        f"Settings: {'infinitely many' if size is None else f'{size:,}'}; {search.trials} trials by {search.sampler}"
    )
    costs = [
        {name: QUANTITIES[name](config) for name in ("parameters", "macs", "steps")}
        for config in (search.config(values) for values in search.corners())
    ]
    for name in costs[0]:
        low, high = (pick(cost[name] for cost in costs) for pick in (min, max))
        bounds = "".join(f", at most {c.at_most:,.10g}" for c in search.constraints if c.quantity == name)
        click.echo(f"  {name}: {low:,.10g} to {high:,.10g} at the bounds of the space{bounds}")
    click.echo(f"{search.name}: {_counts(record) if record else 'nothing done yet'}")


def _print_end(record: SearchRecord) -> None:
    click.echo(f"{record.name}: {_counts(record)}")
    best = record.best()
    if best and len(record.objectives) > 1:
        click.echo(f"No other trial is better in every objective than these {len(best)}:")
    for trial in best[:SHOWN]:
        click.echo(f"  {_line(record, trial)}")
    if len(best) > SHOWN:
        click.echo(f"  and {len(best) - SHOWN} more")


def _counts(record: SearchRecord) -> str:
    states = [trial.state for trial in record.trials]
    return (
        ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)) + f" of {record.wanted} trials"
    )


def _line(record: SearchRecord, trial: SearchTrial) -> str:
    values = ", ".join(f"{name} {value}" for name, value in trial.values.items())
    names = [objective["quantity"] for objective in record.objectives]
    reached = ", ".join(f"{name} {value:,.6g}" for name, value in zip(names, trial.objectives, strict=False))
    return f"trial {trial.number}: {values}: " + (reached or f"{trial.state}{': ' * bool(trial.reason)}{trial.reason}")
