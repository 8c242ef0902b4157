"""The plan of a study, printed: what is done, what it is going to take, and what speaks against it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rdun.config import last_name, to_dict
from rdun.results import Folder
from rdun.study import NO_TESTS
from studies.session import is_quiet, machine, say

if TYPE_CHECKING:
    from rdun.config import TrialConfig
    from rdun.plan import Forecast, Machine, Measurement, Part, Plan
    from rdun.results import Runs, Store
    from rdun.study import Resources, Study
    from rdun.tuning import Capacity


@dataclass(frozen=True)
class Asked:
    """What the command line asks of the plan.

    Attributes:
        probe: measure some steps of each network that no past run tells about.
        table: file for the list of all trials.
        configs: folder for the configs of the trials that are to run, which then run elsewhere.
    """

    probe: bool = False
    table: Path | None = None
    configs: Path | None = None


def lay_out(plan: Plan, store: Store, folder: Folder, cpus: int | None, asked: Asked, *, dry_run: bool) -> Forecast:
    """Prints a plan with its estimate and warnings, refused if it takes more than its budget; the estimate.

    Raises:
        ValueError: trials ask for more than this machine has; the budget is exceeded, or cannot be checked; a probe failed.
    """
    from rich.console import Console

    from rdun.plan import changes_since, check_budget, code_warnings, make_forecast, no_effect_warnings
    from rdun.plan_view import changes_lines, print_plan, summary, write_csv
    from rdun.results import PlanRecord
    from rdun.significance import seeds_warning

    study, place = plan.study, machine(plan.study.resources, cpus)
    missing = [trial.config for trial in plan.missing()]
    if missing and not asked.configs:
        check_room(study.resources, place, dry_run=dry_run)
    forecast = make_forecast(plan, store, place, measured(missing, store, place, probe=asked.probe))
    if dry_run:
        print_plan(plan, forecast, Console(quiet=is_quiet()))
    say(_states(plan))
    if diverged := plan.counts()["diverged"] * (not plan.retry_diverged):
        click.echo(
            f"Not trained again: {diverged} that diverged and would diverge again. Change a field (a lower optim.lr), or give "
            "--retry-failed.",
            err=True,
        )
    if dry_run and folder.exists("plan.json"):
        for line in changes_lines(changes_since(PlanRecord.load(folder), plan, store)):
            say(line)
    for line in summary(plan, forecast):
        say(line)
    if asked.table:
        write_csv(plan, forecast, asked.table)
        say(f"Trials:  {asked.table}")
    if study.resources.budget is None or not is_elsewhere():
        check_budget(forecast, study.resources)
    else:
        click.echo(LATER, err=True)
    few = seeds_warning(len(study.seeds), most_tests(study))
    warnings = (few, *no_effect_warnings(study), *code_warnings(plan, store))
    for warning in warnings:
        if warning:
            click.echo(f"Warning: {warning}.", err=True)
    return forecast


def most_tests(study: Study) -> int:
    """Tests that Holm's correction counts together at most: of arms on one test set, or of claims on all that they are about.

    Weights that are only tested differ from one another by no seed.
    """
    trained = {arm.name for arm in study.arms if arm.trained}
    sets = {arm.name: len({last_name(n) for c in arm.configs for n in c.data.test}) for arm in study.arms}
    arms = sum(arm.compare_to is not None and bool(trained & {arm.name, arm.compare_to}) for arm in study.arms)
    claims = [c for c in study.claims if trained & {name for pair in c.pairs for name in pair}]
    return max(arms, sum(1 if c.metric in NO_TESTS or c.dataset is not None else sets[c.arm] for c in claims))


LATER = "The budget is checked when the cluster is connected, as far as times are known, and the run ends when it is used up."


def is_elsewhere() -> bool:
    """Whether trials run on a cluster, whose machines may be others than this one."""
    return bool(os.environ.get("RAY_ADDRESS"))


def check_room(resources: Resources, place: Machine, *, dry_run: bool) -> None:
    """Refuses what no trial gets on this machine; of a cluster, which a dry run does not ask, it only tells.

    Raises:
        ValueError: more threads than cores, or more GPUs than there are.
    """
    from rdun.plan import Room, lacking

    gpus = resources.gpu_share(place.gpus)
    problem = lacking(resources.threads, gpus, [Room(place.cores, place.gpus)], "this machine")
    if problem and not is_elsewhere():
        raise ValueError(f"{problem}; ask for less")
    if problem and dry_run:
        click.echo(f"Warning: {problem}. Whether the cluster has it is seen when it is connected.", err=True)


def parts_on(plan: Plan, store: Store, capacity: Capacity, forecast: Forecast) -> Mapping[str, Part]:
    """How trials share GPUs: as the plan has it, or as the GPUs of the cluster hold them where this machine has none.

    Raises:
        ValueError: the budget of a run on a cluster is exceeded.
    """
    from rdun.plan import check_budget, make_forecast
    from rdun.plan_view import summary
    from rdun.tuning import gpu_machine

    place = gpu_machine(plan.study.resources, capacity)
    if place:
        configs = [trial.config for trial in plan.missing()]
        forecast = make_forecast(plan, store, place, measured(configs, store, place, probe=False))
        say(f"Cluster: {place.gpus} x {place.device}, {place.gpu_memory_mib / 1024:.0f} GiB")
        for line in summary(plan, forecast):
            say(line)
    budget = plan.study.resources.budget
    if is_elsewhere() and budget is not None and forecast.hours > budget:
        check_budget(forecast, plan.study.resources)
    return forecast.parts


def write_configs(plan: Plan, folder: Path, runs: Runs) -> None:
    """Writes each trial that is to run as FINGERPRINT.json, and prints the command that trains one where the study expects it.

    Both hold whole paths, so that the command may be given in any folder.

    Raises:
        ValueError: the folder holds something, which would be taken for trials of this study.
    """
    from rdun.data import DATA_VARIABLE, from_anywhere

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"--write-configs {folder} is not an empty folder; empty it, or name another one")
    missing = plan.missing()
    for trial in missing:
        Folder(folder).write_json(f"{trial.fingerprint}.json", to_dict(from_anywhere(trial.config)))
    if not missing:
        click.echo("Configs: none, as no trial is to run")
        return
    if any(config.precision == "auto" for arm in plan.study.arms for config in arm.configs):
        click.echo(
            f"precision=auto is {missing[0].config.precision} here, and so it is in the configs; --set precision= changes it."
        )
    resources, place = plan.study.resources, shlex.quote(f"{runs.store.path}/")
    options = f"--threads {resources.threads}" + " --recompute" * resources.recompute
    if data := os.environ.get(DATA_VARIABLE):
        options += f" --data {shlex.quote(data)}"
    files = f"{shlex.quote(os.path.abspath(folder))}/*.json"
    click.echo(
        f"Configs: {len(missing)} in {folder}. Where machines see {runs.place}, all at once or one after another:"
    )
    click.echo(
        f'  for f in {files}; do python -m rdun.trial "$f" --workdir {place}"$(basename "$f" .json)" {options}; done'
    )
    click.echo("Then this command, without --write-configs, finds them complete and reports.")


def measured(configs: Iterable[TrialConfig], store: Store, place: Machine, *, probe: bool) -> list[Measurement]:
    """Past runs and probes; with `probe`, probes of the configs that lack one are made and remembered beside the trials."""
    from rdun import plan as planning

    runs = Folder(store.path.rpartition("/")[0])
    known = [*planning.past_runs(store, place), *planning.read_probes(runs)]
    if probe:
        here = [m for m in known if m.place == place.place]
        for config in planning.unmeasured(configs, here):
            found = planning.probe(config, place, say)
            planning.add_probes(runs, [found])
            known.append(found)
    return known


def _states(plan: Plan) -> str:
    states = ", ".join(f"{n} {state}" for state, n in plan.counts().items() if n)
    return f"{plan.study.name}: {len(plan.study.arms)} arms x {len(plan.study.seeds)} seeds, {states} trials"
