"""`--cluster FILE`: the same command, as a job on a cluster that `ray up FILE` made."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
from click.core import ParameterSource

from studies.session import ROOT

HERE = {"cluster", "name", "help"}
"""Parameters that are not handed on."""
NOT_THERE = {"--list", "--plan-csv", "--write-configs", "--cpus"}
LOOKS = ("--dry-run", "--report-only", "--sync", "--compare")
"""What trains nothing is a job of its own, also while the study runs."""


def run_remote(context: click.Context, file: Path, name: str, study: str) -> None:
    """Submits the study's job or finds it again, follows it, fetches its report; exits as the job does, after Ctrl-C with 130.

    Args:
        name: the study as the user named it; a file of the user's own travels along.
        study: its name.

    Raises:
        ValueError: an option that has no meaning there, no way to the cluster, other options than the running job's.
        OSError: the report cannot be fetched.
    """
    from rdun.remote import ClusterFile, Wanted, fetch, packed, run_job

    cluster, own = ClusterFile(file), Path(name) if Path(name).suffix == ".py" else None
    options = given_options(context)
    if refused := NOT_THERE & set(options):
        raise ValueError(f"{min(refused)} has no meaning with --cluster; leave one of them out")
    runs = context.params["runs"] if "--runs" in options else "/"
    if "://" not in runs and not Path(runs).is_absolute():
        raise ValueError(
            f"--runs {runs!r} with --cluster is a folder on the cluster; give its whole path, or s3://BUCKET/FOLDER"
        )
    from rdun.monitor import revision  # takes PyTorch

    there = f"own/{own.name}" if own else name
    look = next((option.removeprefix("--") for option in LOOKS if option in options), "")
    wanted = Wanted(
        study=f"{study}.{look}" if look else study,
        words=("python", "studies/run_ablation.py", there, *options),
        variables={"RDUN_REVISION": revision()},
    )
    try:
        with packed(ROOT, own) as package:
            ended = run_job(cluster, wanted, package, say=lambda line: click.echo(line, err=True), show=_show)
    except KeyboardInterrupt:
        click.echo("\nThe job goes on. The same command follows it again.", err=True)
        sys.exit(130)
    place = ROOT / "runs" / "clusters" / cluster.name / study
    report = fetch(cluster, ended.output, place / "compared" if look == "compare" else place)
    if report:
        click.echo(f"Fetched: {report}")
    if ended.exit_code:
        click.echo(f"The job has ended: {ended.status.lower()}.", err=True)
        sys.exit(ended.exit_code)


def given_options(context: click.Context) -> list[str]:
    """The options of the command line as words, without those that this machine alone takes."""
    words: list[str] = []
    for option in context.command.params:
        name = option.name or ""
        if name in HERE or context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        value = context.params[name] if option.expose_value else os.environ[str(option.envvar)]
        for one in value if option.multiple else [value]:
            words += [option.opts[0]] if one is True else [option.opts[0], str(one)]
    return words


def _show(text: str) -> None:
    click.echo(text, nl=False)
