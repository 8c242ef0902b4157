"""The command line of studies: pick one, plan it, run what is missing, report."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rdun.cli import InputError, data_option
from rdun.results import Busy

if TYPE_CHECKING:
    from analysis.report import Report
    from rdun.config import TrialConfig
    from rdun.plan import Plan
    from rdun.results import Store
    from rdun.study import Study

ROOT = Path(__file__).resolve().parent.parent


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.argument("name", metavar="[STUDY]", default="quickstart")
@click.option("--dry-run", is_flag=True, help="Print the plan and stop: arms, costs, what is already done.")
@click.option("--report-only", is_flag=True, help="Rebuild the report from the trial directories; train nothing.")
@click.option("--sync", is_flag=True, help="Copy the trial directories to the tracker once more; train nothing.")
@click.option("--list", "list_studies", is_flag=True, help="List the studies with their questions.")
@click.option("--scale", type=click.Choice(["pocket", "full"]), help="Size of the paper's studies; default: pocket.")
@click.option("--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Set in all arms: optim.lr=3e-4.")
@click.option("--seeds", metavar="N,N,...", help="Seeds instead of the study's own: 0,1,2.")
@click.option("--cpus", type=click.IntRange(min=1), help="CPU cores of the private cluster; default: all.")
@click.option("--runs", type=click.Path(), help="Folder of trials and reports.", show_default="runs/")
@data_option
def main(
    name: str,
    dry_run: bool,
    report_only: bool,
    sync: bool,
    list_studies: bool,
    scale: str | None,
    changes: Sequence[str],
    seeds: str | None,
    cpus: int | None,
    runs: str | None,
) -> None:
    """Run a study: a name from --list, or the path of your own file with `def study() -> Study`.

    Trials that are done are reused, cut-off ones continue from their checkpoint: the same command finishes
    what was interrupted.
    """
    from studies.loading import changed, load_study

    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    if list_studies:
        return _print_studies()
    try:
        folder = Path(runs).resolve() if runs else ROOT / "runs"
        study = changed(load_study(name, scale), changes, seeds)
        if report_only or sync:
            return _from_results(study, folder, sync)
        _run(study, folder, cpus, dry_run)
    except (ValueError, OSError, Busy) as error:
        raise InputError(error) from error
    return None


def _print_studies() -> None:
    from studies.loading import load_study, study_names

    for name in study_names():
        click.echo(f"{name:20} {load_study(name).question}")


def _run(study: Study, folder: Path, cpus: int | None, dry_run: bool) -> None:
    from rdun.data.download import provide
    from rdun.plan import check_checkpoints, check_store, make_plan
    from rdun.results import Folder, Lease, Store

    provide(_data_sets(config for _, _, configs in study.cells() for config in configs))
    store, home = Store(folder / "trials"), folder / "studies" / study.name
    plan = make_plan(study, store, _precision())
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


def _from_results(study: Study, folder: Path, sync: bool) -> None:
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
    from analysis.report import write_report

    return write_report(home, store)


def _precision() -> Any:
    """What "auto" means here; asked of PyTorch on this machine."""
    import torch

    from rdun.config import TrialConfig
    from rdun.trial import resolve_precision

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return resolve_precision(TrialConfig(), device).precision


def _provenance(plan: Plan, home: Path) -> dict[str, Any]:
    """How this run is made, with the earlier runs of the study; unchanged if there is nothing to train."""
    from rdun import monitor
    from rdun.data import image_set, registry
    from rdun.results import Folder, PlanRecord

    before = PlanRecord.load(Folder(home)).provenance if (home / "plan.json").is_file() else {}
    if before and not plan.missing():
        return before
    earlier = list(before.get("earlier runs", []))
    if before:
        length = f"{before['seconds']} s" if "seconds" in before else "cut off"
        earlier.append(f"{before['started']} ({length}, {before['trials to run']} trials to run)")
    sets = {name: image_set(name) for name in _data_sets(trial.config for trial in plan.trials)}
    return {
        "command": " ".join(["python", "studies/run_ablation.py", *sys.argv[1:]]),
        "started": monitor.now(),
        "trials to run": len(plan.missing()),
        "earlier runs": earlier,
        "machine": monitor.host(),
        "cpu": monitor.processor(),
        "cores": os.cpu_count(),
        "threads": plan.study.resources.threads,
        "versions": monitor.versions(),
        "revision": monitor.revision(),
        "datasets": {
            name: {
                "title": registry()[name].title if name in registry() else name,
                "hash": images.hash,
                "files": [path.name for path in images.paths],
            }
            for name, images in sets.items()
        },
    }


def _data_sets(configs: Iterable[TrialConfig]) -> list[str]:
    """Names of the image sets, sorted."""
    return sorted({name for c in configs for name in (c.data.train, c.data.validation, *c.data.test)})


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


if __name__ == "__main__":
    main()
