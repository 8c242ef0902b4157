"""The command line of studies and searches: pick one, run what is missing, report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from rdun.cli import InputError, data_option
from rdun.results import Busy

ROOT = Path(__file__).resolve().parent.parent


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.argument("name", metavar="[NAME]", default="quickstart")
@click.option("--dry-run", is_flag=True, help="Print the plan and stop: arms or space, costs, what is already done.")
@click.option("--report-only", is_flag=True, help="Rebuild the report from the trial directories; train nothing.")
@click.option(
    "--compare", multiple=True, metavar="OTHER", help="Report beside another study or plan.json; no training."
)
@click.option("--sync", is_flag=True, help="Copy the trial directories to the tracker once more; train nothing.")
@click.option("--list", "list_studies", is_flag=True, help="List studies and searches with their questions.")
@click.option("--scale", type=click.Choice(["pocket", "full"]), help="Size of the paper's studies; default: pocket.")
@click.option("--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Set in all arms: optim.lr=3e-4.")
@click.option("--seeds", metavar="N,N,...", help="Seeds instead of the study's own: 0,1,2.")
@click.option("--cpus", type=click.IntRange(min=1), help="CPU cores of the private cluster; default: all.")
@click.option("--runs", type=click.Path(), help="Folder of trials and reports.", show_default="runs/")
@click.option(
    "--trials", type=click.IntRange(min=1), help="Suggestions of a search in all; more extend a finished one."
)
@click.option("--retry-failed", is_flag=True, help="Suggest the failed trials of a search once more.")
@data_option
def main(
    name: str,
    dry_run: bool,
    report_only: bool,
    compare: Sequence[str],
    sync: bool,
    list_studies: bool,
    scale: str | None,
    changes: Sequence[str],
    seeds: str | None,
    cpus: int | None,
    runs: str | None,
    trials: int | None,
    retry_failed: bool,
) -> None:
    """Run a study or a search: a name from --list, or the path of your own file with `def study() -> Study` or
    `def search() -> Search`.

    Trials that are done are reused, cut-off ones continue from their checkpoint: the same command finishes
    what was interrupted.
    """
    from rdun.study import Study
    from studies.loading import changed, changed_search, load
    from studies.run_compare import compare_studies
    from studies.run_search import from_record, run_search
    from studies.run_study import from_results, run_study

    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    if list_studies:
        return _print_questions()
    try:
        folder = Path(runs).resolve() if runs else ROOT / "runs"
        asked = load(name, scale)
        if isinstance(asked, Study):
            _refuse(name, "a study", {"--trials": trials, "--retry-failed": retry_failed})
            study = changed(asked, changes, seeds)
            if compare:
                return compare_studies(study, folder, compare)
            if report_only or sync:
                return from_results(study, folder, sync)
            return run_study(study, folder, cpus, dry_run)
        _refuse(name, "a search", {"--seeds": seeds, "--sync": sync, "--compare": " ".join(compare)})
        search = changed_search(asked, changes, trials)
        if report_only:
            return from_record(search, folder)
        return run_search(search, folder, cpus, dry_run=dry_run, retry_failed=retry_failed)
    except (ValueError, OSError, Busy) as error:
        raise InputError(error) from error


def _refuse(name: str, what: str, options: dict[str, object]) -> None:
    for option, value in options.items():
        if value:
            raise ValueError(f"{option}={value}: {name!r} is {what}, which has no such option; leave it out")


def _print_questions() -> None:
    from studies.loading import load, names

    for name in names():
        click.echo(f"{name:24} {load(name).question}")


if __name__ == "__main__":
    main()
