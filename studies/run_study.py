"""Running a study: plan it, train what is missing, report."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rdun.cli import InputError
from studies.session import ROOT, data_sets, precision, provenance

if TYPE_CHECKING:
    from analysis.report import Report
    from rdun.plan import Plan
    from rdun.results import Store
    from rdun.study import Study


def run_study(study: Study, folder: Path, cpus: int | None, dry_run: bool) -> None:
    """Plans a study, trains what is missing and reports; exits with 1 if a trial is not complete, 130 after Ctrl-C."""
    from analysis.reference import check_places
    from rdun.data.download import provide
    from rdun.plan import check_checkpoints, check_store, make_plan
    from rdun.results import Folder, Lease, Store

    check_places({arm.name: arm.published for arm in study.arms})
    provide(data_sets(config for _, _, configs in study.cells() for config in configs))
    store, home = Store(folder / "trials"), folder / "studies" / study.name
    plan = make_plan(study, store, precision())
    _print_plan(plan, table=dry_run)
    if dry_run:
        return
    check_store(plan, str(folder))
    check_checkpoints(plan, store)
    with Lease(Folder(home)):
        incomplete = _train_and_report(plan, store, home, cpus)
    if incomplete:
        sys.exit(1)


def _train_and_report(plan: Plan, store: Store, home: Path, cpus: int | None) -> bool:
    """Runs what is missing, then writes report and tracker; True if a trial is not complete."""
    from rdun.monitor import now
    from rdun.results import Folder
    from rdun.tracking import Mirror, tracking_uri

    uri, start, interrupted = tracking_uri(ROOT), time.monotonic(), False
    with ExitStack() as stack:
        train = stack.enter_context(_training(plan, store, cpus)) if plan.missing() else None
        plan.record.provenance.update(_provenance(plan, home))  # nothing is written before the cluster stands
        plan.record.save(Folder(home))
        with Mirror(plan.record, store, uri) as mirror:
            if train:
                interrupted = train()
                stack.close()  # the workers are gone before anything is said of their trials
                _mark(plan, store, interrupted)
                plan.record.provenance.update(finished=now(), seconds=round(time.monotonic() - start))
                plan.record.save(Folder(home))
            report = _write_report(home, store)
            mirror.publish(home, report.answer)
    after = plan.refreshed(store).counts()
    if mirror.problem:
        click.echo(mirror.problem, err=True)
    _print_end(plan, after, report, uri)
    if interrupted:
        click.echo("Stopped. The same command goes on where this one stopped.", err=True)
        sys.exit(130)
    return after["complete"] < len(plan.trials)


@contextmanager
def _training(plan: Plan, store: Store, cpus: int | None) -> Iterator[Callable[[], bool]]:
    """A cluster that can hold the trials, and the function that runs them; it tells whether Ctrl-C ended it."""
    from rdun.progress import Progress
    from rdun.tuning import cluster, run_trials, trial_resources

    with cluster(cpus=cpus) as capacity:
        trial_resources(plan.study.resources, capacity)

        def train() -> bool:
            try:
                with Progress(plan, store) as progress:
                    run_trials(plan, store, progress, capacity)
            except KeyboardInterrupt:
                return True
            return False

        yield train


def _mark(plan: Plan, store: Store, interrupted: bool) -> None:
    from rdun.tuning import mark_unfinished

    mark_unfinished((trial.fingerprint for trial in plan.missing()), store, interrupted=interrupted)


def from_results(study: Study, folder: Path, sync: bool) -> None:
    """Rebuilds the report of a study, and with `sync` the tracker's copy, from the trial directories."""
    from rdun.results import Folder, PlanRecord, Store

    store, home = Store(folder / "trials"), folder / "studies" / study.name
    if not (home / "plan.json").is_file():
        raise ValueError(
            f"study {study.name!r} has no results in {home}; run it first, without --report-only or --sync"
        )
    report = _write_report(home, store)
    if sync:
        from rdun.tracking import TrackerError, tracking_uri
        from rdun.tracking import sync as copy_to_tracker

        try:
            copy_to_tracker(PlanRecord.load(Folder(home)), store, tracking_uri(ROOT), home, report.answer)
        except TrackerError as error:
            raise InputError(error) from error
    click.echo(f"Answer:  {report.answer}\nReport:  {report.path}")


def _write_report(home: Path, store: Store) -> Report:
    from analysis.pdf import write_pdf
    from analysis.report import write_report
    from rdun.results import Folder

    report = write_report(home, store)
    if problem := write_pdf(Folder(home)):
        click.echo(problem, err=True)
    return report


def _provenance(plan: Plan, home: Path) -> dict[str, Any]:
    """How this run is made; that of the run before if there is nothing to train."""
    from rdun.results import Folder, PlanRecord

    before = PlanRecord.load(Folder(home)).provenance if (home / "plan.json").is_file() else {}
    if before and not plan.missing():
        return before
    configs = [trial.config for trial in plan.trials]
    return provenance(before, configs, plan.study.resources.threads, len(plan.missing()))


def _print_plan(plan: Plan, *, table: bool) -> None:
    counts = plan.counts()
    states = ", ".join(f"{n} {state}" for state, n in counts.items() if n)
    if table:
        from rdun.progress import print_arms

        print_arms(plan)
    click.echo(f"{plan.study.name}: {len(plan.study.arms)} arms x {len(plan.study.seeds)} seeds, {states} trials")


def _print_end(plan: Plan, counts: dict[str, int], report: Report, uri: str) -> None:
    click.echo(f"{counts['complete']} of {len(plan.trials)} trials complete, {counts['failed']} failed.")
    click.echo(f"Answer:  {report.answer}")
    click.echo(f"Report:  {report.path}")
    click.echo(
        f"Tracker: make ui, or in the venv at {ROOT}: mlflow ui" if uri.startswith("sqlite") else f"Tracker: {uri}"
    )
