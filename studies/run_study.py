"""Running a study: plan it, train what is missing, report."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rdun.config import TrialConfig, canonical, from_dict
from studies.planning import Asked, lay_out, parts_on, write_configs
from studies.session import (
    INTERRUPTED,
    ROOT,
    Weights,
    copied_to_tracker,
    data_sets,
    is_quiet,
    precision,
    priced,
    print_elsewhere,
    print_kept,
    print_tracker,
    provenance,
    stopped,
    with_pdf,
)

if TYPE_CHECKING:
    from analysis.report import Report
    from rdun.plan import Forecast, Plan
    from rdun.results import ArmRecord, Held, Keep, PlanRecord, Runs, Store
    from rdun.study import Study
    from rdun.tuning import Capacity


def run_study(
    study: Study, runs: Runs, cpus: int | None, asked: Asked, *, dry_run: bool, retry_failed: bool, keep: Keep
) -> None:
    """Plans a study, trains what is missing and reports; exits with 1 if a trial is not complete, 130 after Ctrl-C.

    A dry run makes every check that a run makes, and ends there. What diverged is trained again with `retry_failed` only.
    """
    from rdun.data.download import provide
    from rdun.plan import check_checkpoints, check_store, make_plan

    _check_published(study)
    provide(data_sets(config for _, _, configs in study.cells() for config in configs))
    plan = make_plan(study, runs.store, precision(), retry_diverged=retry_failed)
    forecast = lay_out(plan, runs.store, runs.folder(study.name), cpus, asked, dry_run=dry_run)
    missing, sizes = plan.missing(), {arm.name: arm.parameters for arm in plan.record.arms}
    check_checkpoints(runs.store.trial(trial.fingerprint) for trial in missing)
    check_store(runs.place, [sizes[trial.arms[0]] for trial in missing], write=not dry_run and not asked.configs)
    if asked.configs:
        write_configs(plan, asked.configs, runs)
    if dry_run or asked.configs:
        return
    with runs.held(study.name) as held:
        incomplete = _train_and_report(plan, forecast, runs.store, held, cpus, keep)
    print_kept(runs, study.name)
    if incomplete:
        sys.exit(1)


def _check_published(study: Study) -> None:
    """Refuses places in the published tables that are not there."""
    if places := {arm.name: arm.published for arm in study.arms if arm.published}:
        from analysis.reference import check_places

        check_places(places)


def _train_and_report(plan: Plan, forecast: Forecast, store: Store, held: Held, cpus: int | None, keep: Keep) -> bool:
    """Runs what is missing, then writes report and tracker; True if a trial is not complete."""
    from rdun.monitor import now
    from rdun.results import Folder
    from rdun.tracking import Mirror, tracking_uri

    home, uri, start, halted, weights = held.home, tracking_uri(ROOT), time.monotonic(), "", Weights(store, keep)
    with ExitStack() as stack:
        train = stack.enter_context(_training(plan, forecast, store, cpus, weights)) if plan.missing() else None
        plan.record.provenance.update(_provenance(plan, home))  # nothing is written before the cluster stands
        plan.record.save(Folder(home))
        held.keep()
        with Mirror(home, store, uri) as mirror:
            if train:
                halted = train()
                stack.close()  # the workers are gone before anything is said of their trials
                _mark(plan, store, halted)
                plan.record.provenance.update(finished=now(), seconds=round(time.monotonic() - start))
                plan.record.save(Folder(home))
            report = _write_report(home, store)
            mirror.publish(report.answer)
    left = plan.refreshed(store)
    after = left.counts()
    if mirror.problem:
        click.echo(mirror.problem, err=True)
    _print_end(plan, after, report, uri)
    print_elsewhere((trial.fingerprint for trial in left.missing()), store)
    every = [trial.fingerprint for trial in plan.trials]
    weights.clear(set(every) - left.trained_elsewhere(store), _rivals(plan))
    weights.report(every)
    if halted:
        stopped(halted)
    return after["complete"] < len(plan.trials)


@contextmanager
def _training(
    plan: Plan, forecast: Forecast, store: Store, cpus: int | None, weights: Weights
) -> Iterator[Callable[[], str]]:
    """A cluster that can hold the trials, and the function that runs them; it tells what ended it before its end, if anything."""
    from rich.console import Console

    from rdun.progress import Progress
    from rdun.tuning import Halted, cluster, run_trials

    with ExitStack() as stack:
        try:
            capacity = stack.enter_context(cluster(cpus=cpus))
        except Halted as halt:
            stopped(str(halt))
        _warn_of_precision(plan, capacity)
        shared = parts_on(plan, store, capacity, forecast)
        console, rivals = Console(quiet=True) if is_quiet() else None, _rivals(plan)
        counted_on = plan.trained_elsewhere(store) | plan.trained_for_others()

        def clear(fingerprint: str) -> None:
            over = {rival for group in rivals if fingerprint in group for rival in group}
            weights.clear(over - counted_on, rivals)

        def train() -> str:
            try:
                with Progress(plan, store, forecast.estimates, console, clear) as progress:
                    run_trials(plan, store, progress, capacity, shared)
            except KeyboardInterrupt:
                return INTERRUPTED
            except Halted as halt:
                return str(halt)
            return ""

        yield train


def _warn_of_precision(plan: Plan, capacity: Capacity) -> None:
    """Says that a driver without a GPU, such as the head of a cluster in a cloud, has chosen float32 for those that have one."""
    import torch

    automatic = any(config.precision == "auto" for arm in plan.study.arms for config in arm.configs)
    if automatic and capacity.gpus and not torch.cuda.is_available():
        click.echo(
            "Warning: precision=auto is fp32, as this machine has no GPU, though the cluster has; bf16 is faster there: "
            "--set precision=bf16.",
            err=True,
        )


def _mark(plan: Plan, store: Store, halted: str) -> None:
    from rdun.tuning import mark_unfinished

    mark_unfinished((trial.fingerprint for trial in plan.missing()), store, interrupted=bool(halted), reason=halted)


def from_results(study: Study, runs: Runs, sync: bool) -> None:
    """Rebuilds the report of a study, and with `sync` the tracker's copy, from the record of its last run and its trials."""
    from rdun.results import Folder, PlanRecord

    with runs.changed(study.name) as home:
        if not (home / "plan.json").is_file():
            raise ValueError(
                f"study {study.name!r} has no results in {home}; run it first, without --report-only or --sync"
            )
        if differing := _differing(study, PlanRecord.load(Folder(home))):
            click.echo(
                f"Warning: the report is of the last run, which had other {' and '.join(differing)}; the same command without "
                f"{'--sync' if sync else '--report-only'} takes the present ones, and trains only what is missing.",
                err=True,
            )
        report = copied_to_tracker(_write_report, home, runs.store) if sync else _write_report(home, runs.store)
    if report:
        click.echo(f"Answer:  {report.answer}\nReport:  {report.path}")


def _differing(study: Study, record: PlanRecord) -> list[str]:
    """What of a study is not as its last run had it: its report is made from the record of that run."""
    from rdun.plan import claim_record

    arms = [(a.name, a.compare_to, dict(a.factors), [canonical(config) for config in a.configs]) for a in study.arms]
    equal = {
        "arms": arms == [(a.name, a.compare_to, dict(a.factors), _configs(a)) for a in record.arms],
        "seeds": list(study.seeds) == record.seeds,
        "claims": [claim_record(claim) for claim in study.claims] == record.claims,
    }
    return [what for what, same in equal.items() if not same]


def _configs(arm: ArmRecord) -> list[TrialConfig]:
    """Those of a record; none where this version cannot read them."""
    try:
        return [canonical(from_dict(TrialConfig, config)) for config in arm.configs]
    except ValueError:
        return []


def _write_report(home: Path, store: Store) -> Report:
    from analysis.report import write_report

    return with_pdf(write_report(home, store))


def _provenance(plan: Plan, home: Path) -> dict[str, Any]:
    """How this run is made; that of the run before if there is nothing to train."""
    from rdun.results import Folder, PlanRecord

    before = PlanRecord.load(Folder(home)).provenance if (home / "plan.json").is_file() else {}
    if before and not plan.missing():
        return before | priced(plan.study.resources)
    configs = [trial.config for trial in plan.trials]
    return provenance(before, configs, plan.study.resources, len(plan.missing()))


def _rivals(plan: Plan) -> list[list[str]]:
    """Trials that differ in their seed only: of each arm, and each of its configs."""
    by_arm = {arm.name: [c.fingerprints for c in plan.record.cells if c.arm == arm.name] for arm in plan.record.arms}
    return [list(same) for cells in by_arm.values() for same in zip(*cells, strict=True)]


def _print_end(plan: Plan, counts: dict[str, int], report: Report, uri: str) -> None:
    diverged = f", {counts['diverged']} diverged" if counts["diverged"] else ""
    click.echo(f"{counts['complete']} of {len(plan.trials)} trials complete, {counts['failed']} failed{diverged}.")
    click.echo(f"Answer:  {report.answer}")
    click.echo(f"Report:  {report.path}")
    print_tracker(uri)
