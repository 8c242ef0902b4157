"""Running a search: what is left of an earlier run, then new suggestions; and its end in a few lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from studies.planning import check_room
from studies.planning_search import lay_out_search, print_space, print_upcoming
from studies.session import (
    INTERRUPTED,
    ROOT,
    Weights,
    copied_to_tracker,
    data_sets,
    machine,
    precision,
    priced,
    print_elsewhere,
    print_kept,
    print_tracker,
    provenance,
    say,
    stopped,
    with_pdf,
)

if TYPE_CHECKING:
    from analysis.report import Report
    from rdun.config import Precision, TrialConfig
    from rdun.plan import Machine
    from rdun.results import Held, Keep, Runs, SearchRecord, SearchTrial, Store
    from rdun.search import Search, Values
    from rdun.tuning import Suggestions
    from studies.planning_search import Outlook

SHOWN = 10


def run_search(
    search: Search,
    runs: Runs,
    cpus: int | None,
    *,
    dry_run: bool,
    retry_failed: bool,
    keep: Keep,
    probe: bool = False,
    learn_from: str | None = None,
) -> None:
    """Continues a search up to its number of trials; exits with 1 if one has no end or none is complete.

    Args:
        learn_from: name of another search of these runs, whose complete trials are taken over where they are settings of this.
    """
    from rdun.data.download import provide
    from rdun.plan import QUANTITIES, check_checkpoints, check_store, going_on, search_code_warnings, without_end
    from rdun.results import Folder, SearchRecord
    from rdun.tracking import Mirror, tracking_uri
    from rdun.tuning import DATABASE, Suggestions

    provide(data_sets(_configs(search)))
    store, record = runs.store, SearchRecord.load_if_there(runs.folder(search.name))
    if dry_run:
        print_space(search)
        say(f"{search.name}: {_counts(record) if record else 'nothing done yet'}")
    left = record.left(search.trials, retry_failed=retry_failed) if record else search.trials
    auto = _precision(search, record)
    learned = _learned(search, learn_from, runs, auto) if learn_from else {}
    left = max(0, left - len(learned.keys() - set(record.fingerprints() if record else ())))
    trials = (trial for config in search.baselines.values() for trial in search.seeded(config.resolved(auto)))
    baselines = without_end(trials, store, retry_failed=retry_failed)
    shared = partial(lay_out_search, search, auto, left * len(search.seeds), baselines, store)
    place = machine(search.resources, cpus)
    if left or baselines:
        check_room(search.resources, place, dry_run=dry_run)
    outlook = shared(place, probe=probe)
    unread = (
        f"space {name!r} changes no setting at the bounds of the space; let build read it, or leave it out"
        for name in search.unread()
    )
    for warning in (*unread, *(search_code_warnings(record, store) if record else ())):
        click.echo(f"Warning: {warning}.", err=True)
    check_checkpoints(going_on(record, store, retry_failed=retry_failed) if record else ())
    parameters = QUANTITIES["parameters"]
    least = [min(parameters(search.config(values)) for values in search.corners())] * left * len(search.seeds)
    check_store(runs.place, [*least, *map(parameters, baselines)], write=not dry_run)
    if dry_run:
        print_upcoming(search, runs, auto, learned, outlook.estimate, retry_failed=retry_failed)
        return
    weights = Weights(store, keep)
    with runs.held(search.name) as held:
        home = held.home
        suggestions = Suggestions(search, home / DATABASE, store, auto, search.trials, retry_failed=retry_failed)
        suggestions.learn(learned)
        with Mirror(home, store, tracking_uri(ROOT)) as mirror:
            halted = _run(suggestions, held, store, cpus, outlook, shared, weights)
            report = _write_report(home, store)
            mirror.publish(report.answer)
        record = SearchRecord.load(Folder(home))
        _clear(record, weights, record.fingerprints())
        weights.drop(suggestions.stopped())
    if mirror.problem:
        click.echo(mirror.problem, err=True)
    _print_end(record, report)
    print_elsewhere(() if suggestions.finished() else suggestions.unfinished(), store)
    print_tracker(tracking_uri(ROOT))
    if suggestions.gave_up:
        click.echo(f"Gave up: {suggestions.gave_up}.", err=True)
    weights.report(record.fingerprints())
    say(f"Database: {home / DATABASE} (optuna-dashboard sqlite:///{home / DATABASE})")
    print_kept(runs, search.name)
    if halted:
        stopped(halted)
    if not suggestions.finished() or not record.best():
        sys.exit(1)


def _learned(search: Search, name: str, runs: Runs, precision: Precision) -> Mapping[str, Values]:
    """What another search of these runs has found out, as settings of this one; prints how much that is.

    Raises:
        ValueError: no such search, or nothing of it fits.
    """
    from rdun.results import SearchRecord
    from rdun.tuning import known_settings

    names = runs.searches()
    if name not in names:
        raise ValueError(
            f"--learn-from={name}: {runs.place} has "
            + (
                f"no such search; choose one of {', '.join(names)}"
                if names
                else "no search yet; leave --learn-from out"
            )
        )
    other = SearchRecord.load(runs.folder(name))
    learned = known_settings(search, other, runs.store, precision)
    complete = sum(trial.state == "complete" for trial in other.trials)
    if not learned:
        raise ValueError(
            f"--learn-from={name}: none of its {complete} complete trials is a setting of {search.name!r}, whose space, data, "
            f"bounds, training, seeds or precision ({precision}) are others; leave --learn-from out"
        )
    say(
        f"Learned: {len(learned)} of the {complete} complete trials of {name} are settings of this search, and count as its own"
    )
    return learned


def _precision(search: Search, record: SearchRecord | None) -> Precision:
    """What "auto" stands for: as the search was begun, on whatever machine, else what it is here."""
    here, begun = precision(), cast("Precision", record.precision) if record else None
    if begun and begun != here and any(config.precision == "auto" for config in _configs(search)):
        remedy = f"--set precision={here} begins another search"
        click.echo(f"Warning: precision=auto goes on as {begun}, as it began, and is {here} here; {remedy}.", err=True)
    return begun or here


def _clear(record: SearchRecord, weights: Weights, prints: Iterable[str]) -> list[str]:
    """Of these trials, keeps the weights of settings that no other is better than, and of the baselines, of the best seed of
    each; returns the trials of all of these."""
    settings = [*(trial.fingerprints for trial in record.best()), *record.baselines.values()]
    best = [fingerprint for setting in settings for fingerprint in setting]
    weights.clear([*prints, *best], settings)
    return best


def _run(
    suggestions: Suggestions,
    held: Held,
    store: Store,
    cpus: int | None,
    outlook: Outlook,
    shared: Callable[[Machine], Outlook],
    weights: Weights,
) -> str:
    """Starts a cluster and runs; what ended it before its end, if anything. Record and database are up to date after every trial,
    also on an object store.

    Args:
        outlook: on this machine.
        shared: the same for another machine.
    """
    from rdun import monitor, tuning
    from rdun.results import Folder, SearchRecord

    start, search, halted, folder = time.monotonic(), suggestions.search, "", Folder(held.home)
    known = SearchRecord.load_if_there(folder)
    before = known.provenance if known else {}
    marked = _mark_stopped(suggestions, store, set())  # of a driver that was killed
    if suggestions.finished():  # by an earlier run, or all of it was learned
        new = {"finished": monitor.now(), "seconds": 0}
        made = before or provenance({}, _configs(search), search.resources, to_run=0) | new
        replace(suggestions.record(), provenance=made | priced(search.resources)).save(folder)
        return ""
    facts = provenance(before, _configs(search), search.resources, suggestions.left())
    best, price, used = list[str](), search.resources.price, ""

    def kept() -> None:
        try:
            held.keep()
        except ValueError as error:
            click.echo(f"{error}; this run tries it again after its next trial", err=True)

    def save(fingerprint: str = "") -> None:
        record = replace(suggestions.record(), provenance=facts)
        record.save(folder)
        kept()
        for trial in record.trials:
            if fingerprint in trial.fingerprints and trial.state not in ("duplicate", "running"):
                say(f"{sum(t.state != 'running' for t in record.trials)} tried{used} | {_line(record, trial)}")
                best[:] = _clear(record, weights, [*trial.fingerprints, *best])
        weights.drop(_mark_stopped(suggestions, store, marked))

    def took(hours: float, unit: str) -> None:
        nonlocal used
        used = f", {hours:.3g} {unit}" + (f" ({price.of(hours)})" if price else "")

    try:
        with tuning.cluster(cpus=cpus) as capacity:
            save()
            elsewhere = tuning.gpu_machine(search.resources, capacity)
            tuning.run_search(
                suggestions, store, capacity, save, save, (shared(elsewhere) if elsewhere else outlook).part, took
            )
    except KeyboardInterrupt:
        halted = INTERRUPTED
    except tuning.Halted as halt:
        halted = str(halt)
    suggestions.settle()
    _mark_stopped(suggestions, store, marked)
    tuning.mark_unfinished(suggestions.unfinished(), store, interrupted=bool(halted), reason=halted)
    facts |= {"finished": monitor.now(), "seconds": round(time.monotonic() - start)}
    save()
    return halted


def _mark_stopped(suggestions: Suggestions, store: Store, marked: set[str]) -> set[str]:
    """Marks the trials that were stopped early and are over, but for those that are marked; adds and returns them."""
    from rdun.stopping import name_of
    from rdun.tuning import mark_stopped

    left = {fingerprint: epoch for fingerprint, epoch in suggestions.stopped().items() if fingerprint not in marked}
    marked |= (new := mark_stopped(left, name_of(suggestions.search.stopping), store))
    return new


def from_record(search: Search, runs: Runs, sync: bool) -> None:
    """The end of a search once more, its report, and with `sync` the tracker's copy, from its record."""
    from rdun.results import SearchRecord

    folder = runs.folder(search.name)
    record = SearchRecord.load_if_there(folder)
    if record is None:
        raise ValueError(
            f"search {search.name!r} has no results in {folder.path}; run it first, without --report-only or --sync"
        )
    with runs.changed(search.name) as home:
        report = copied_to_tracker(_write_report, home, runs.store) if sync else _write_report(home, runs.store)
    if report:
        _print_end(record, report)


def _write_report(home: Path, store: Store) -> Report:
    from analysis.search_report import write_search_report

    return with_pdf(write_search_report(home, store))


def _configs(search: Search) -> Iterable[TrialConfig]:
    return [*(search.config(values) for values in search.corners()), *search.baselines.values()]


def _print_end(record: SearchRecord, report: Report) -> None:
    click.echo(f"{record.name}: {_counts(record)}")
    best = record.best()
    if best and len(record.objectives) > 1:
        say(f"No other trial is better in every objective than these {len(best)}:")
    for trial in best[:SHOWN]:
        say(f"  {_line(record, trial)}")
    if len(best) > SHOWN:
        say(f"  and {len(best) - SHOWN} more")
    click.echo(f"Answer:  {report.answer}\nReport:  {report.path}")


def _counts(record: SearchRecord) -> str:
    states = [trial.state for trial in record.trials]
    return f"{', '.join(f'{states.count(s)} {s}' for s in dict.fromkeys(states)) or 'none'} of {record.wanted} trials"


def _line(record: SearchRecord, trial: SearchTrial) -> str:
    values = ", ".join(f"{name} {value}" for name, value in trial.values.items())
    names = [objective["quantity"] for objective in record.objectives]
    spreads = trial.spreads or [0.0] * len(names)
    reached = ", ".join(
        f"{name} {value:,.6g}" + (f" ± {spread:.2g}" if spread else "")
        for name, value, spread in zip(names, trial.objectives, spreads, strict=False)
    )
    return f"trial {trial.number}: {values}: " + (reached or f"{trial.state}{': ' * bool(trial.reason)}{trial.reason}")
