"""The command line of studies and searches: pick one, run what is missing, report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from rdun.cli import InputError, data_option, interruptible, runs_option
from rdun.results import Busy, Keep, Runs
from rdun.search import Search
from rdun.stopping import STOPPINGS
from rdun.study import Study, check_name

ROOT = Path(__file__).resolve().parent.parent


class Stoppable(click.Command):
    """A command that says, after Ctrl-C at any moment, that it can go on."""

    def invoke(self, ctx: click.Context) -> object:
        from studies.session import INTERRUPTED, stopped

        try:
            with interruptible():
                return super().invoke(ctx)
        except KeyboardInterrupt:  # before or after the trials, or for the second time
            stopped(INTERRUPTED)


@click.command(cls=Stoppable, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.argument("name", metavar="[NAME]", default="quickstart")
@click.option("--dry-run", is_flag=True, help="Print the plan and stop: costs, time, warnings, what is already done.")
@click.option("--probe", is_flag=True, help="Time steps and a validation of each network that no past run tells about.")
@click.option("--price", metavar="'AMOUNT CURRENCY'", help="Of one GPU-hour (core-hour without a GPU): '2.5 EUR'.")
@click.option(
    "--budget",
    type=float,
    metavar="HOURS",
    help="GPU-hours (core-hours) that a plan may take; a run ends at them.",
)
@click.option(
    "--plan-csv", type=click.Path(dir_okay=False, path_type=Path), help="Write every trial of the plan to this file."
)
@click.option(
    "--write-configs",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write each trial that is to run as FOLDER/FINGERPRINT.json, for machines without Ray, and stop.",
)
@click.option("--report-only", is_flag=True, help="Rebuild the report from the trial directories; train nothing.")
@click.option(
    "--compare", multiple=True, metavar="OTHER", help="Report beside another study or plan.json; no training."
)
@click.option("--sync", is_flag=True, help="Copy the trial directories to the tracker once more; train nothing.")
@click.option("--quiet", is_flag=True, help="Print only the end (answer, report, tracker), warnings and errors.")
@click.option("--list", "list_studies", is_flag=True, help="List studies and searches with their questions.")
@click.option("--scale", type=click.Choice(["pocket", "full"]), help="Size of the paper's studies; default: pocket.")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Set in all arms: optim.lr=3e-4; resources.threads=4.",
)
@click.option("--seeds", metavar="N,N,...", help="Seeds instead of the study's or search's own: 0,1,2.")
@click.option(
    "--replicate",
    type=click.IntRange(min=1),
    metavar="K",
    help="A study of a search's K best settings, with new seeds.",
)
@click.option("--cpus", type=click.IntRange(min=1), help="CPU cores of the private cluster; default: all.")
@runs_option("; with --cluster, on the cluster")
@click.option(
    "--cluster",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Run as a job on the cluster that `ray up FILE` made, or follow that job again; Ctrl-C leaves it running.",
)
@click.option(
    "--keep",
    type=click.Choice(["all", "best", "none"]),
    default="all",
    show_default=True,
    help="Weights that stay in the end: all, those of each arm's best trial (of a search: of its best), or none.",
)
@click.option(
    "--trials", metavar="N|+N", help="Suggestions of a search in all, or +N: so many more once it is finished."
)
@click.option(
    "--learn-from",
    metavar="SEARCH",
    help="Begin a search with what another one of this folder has found, where it fits: for a wider space.",
)
@click.option("--stopping", type=click.Choice(list(STOPPINGS)), help="Another rule for a search; a search of its own.")
@click.option(
    "--retry-failed", is_flag=True, help="Train the diverged trials of a study, or the failed ones of a search, again."
)
@data_option
@click.pass_context
def main(
    context: click.Context,
    name: str,
    dry_run: bool,
    probe: bool,
    price: str | None,
    budget: float | None,
    plan_csv: Path | None,
    write_configs: Path | None,
    report_only: bool,
    compare: Sequence[str],
    sync: bool,
    quiet: bool,
    list_studies: bool,
    scale: str | None,
    changes: Sequence[str],
    seeds: str | None,
    replicate: int | None,
    cpus: int | None,
    runs: str | None,
    cluster: Path | None,
    keep: Keep,
    trials: str | None,
    learn_from: str | None,
    stopping: str | None,
    retry_failed: bool,
) -> None:
    """Run a study or a search: a name from --list, or the path of your own file with `def study() -> Study` or
    `def search() -> Search`.

    Trials that are done are reused, cut-off ones continue from their checkpoint: the same command finishes
    what was interrupted.
    """
    from studies.loading import changed, changed_search, limited, load, trials_of
    from studies.planning import Asked
    from studies.replicating import replicated
    from studies.run_compare import compare_studies
    from studies.run_remote import run_remote
    from studies.run_search import from_record, run_search
    from studies.run_study import from_results, run_study
    from studies.session import asked_for

    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    context.meta["quiet"] = quiet
    if list_studies:
        return _print_questions()
    try:
        if cluster:
            return run_remote(context, cluster, name, _name(name, scale, replicate, changes, seeds, stopping))
        place = Runs(runs or _own_runs())
        if replicate:
            _refuse(name, "replicated as a study", {"--trials": trials, "--learn-from": learn_from})
            asked: Study | Search = replicated(name, scale, stopping, place, replicate, seeds)
        else:
            asked = load(name, scale)
        if isinstance(asked, Study):
            searches_only = {"--trials": trials, "--learn-from": learn_from}
            _refuse(name, "a study", searches_only | {"--stopping": None if replicate else stopping})
            study = changed(asked, changes, seeds)
            if compare:
                return compare_studies(study, place, compare)
            if report_only or sync:
                return from_results(study, place, sync)
            study = replace(study, resources=limited(study.resources, budget, price))
            wanted = Asked(probe, plan_csv, write_configs)
            return run_study(study, place, cpus, wanted, dry_run=dry_run, retry_failed=retry_failed, keep=keep)
        studies_only = {"--plan-csv": plan_csv, "--write-configs": write_configs}
        _refuse(name, "a search", {"--compare": " ".join(compare), **studies_only})
        count, more = trials_of(trials)
        search = changed_search(asked, changes, count, stopping, seeds)
        search = replace(search, resources=limited(search.resources, budget, price))
        if report_only or sync:
            return from_record(search, place, sync)
        if count is None:
            search = asked_for(search, place, more)
        options = {"dry_run": dry_run, "retry_failed": retry_failed, "probe": probe}
        return run_search(search, place, cpus, keep=keep, learn_from=learn_from, **options)
    except (ValueError, OSError, Busy) as error:
        raise InputError(error) from error


def _own_runs() -> Path:
    """The runs folder of this checkout. Raises ValueError in a Ray job, whose copy of the checkout is not kept."""
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ:
        raise ValueError(
            "--runs is missing: a job has no folder of its own that is kept; name one that all machines of the cluster see, "
            "or set RDUN_RUNS on them"
        )
    return ROOT / "runs"


def _name(
    name: str, scale: str | None, replicate: int | None, changes: Sequence[str], seeds: str | None, stopping: str | None
) -> str:
    """The name under which the changed study or search runs on a cluster, whose runs folder is not here."""
    from studies.loading import changed, changed_search, load, names, seeds_of
    from studies.replicating import named_search, study_name

    if replicate:
        seeds_of(seeds or "0")
        if name not in names() and Path(name).suffix != ".py":  # of a record, which only the cluster has
            check_name("search", name)
            return study_name(name)
        search = named_search(name, scale, stopping)
        return changed_search(replace(search, name=study_name(search.name)), changes).name
    asked = load(name, scale)
    if isinstance(asked, Study):
        return changed(asked, changes, seeds).name
    return changed_search(asked, changes, stopping=stopping, seeds=seeds).name


def _refuse(name: str, what: str, options: Mapping[str, object]) -> None:
    for option, value in options.items():
        if value:
            raise ValueError(f"{option}={value}: {name!r} is {what}, which has no such option; leave it out")


def _print_questions() -> None:
    from studies.loading import load, names

    for name in names():
        click.echo(f"{name:24} {load(name).question}")


if __name__ == "__main__":
    main()
