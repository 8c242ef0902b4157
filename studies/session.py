"""What running a study and running a search share."""

from __future__ import annotations

import errno
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from rdun.cli import InputError

if TYPE_CHECKING:
    from analysis.report import Report
    from rdun.config import Precision, TrialConfig
    from rdun.plan import Machine
    from rdun.results import Keep, Runs, Store
    from rdun.search import Search
    from rdun.study import Resources

ROOT = Path(__file__).resolve().parent.parent

INTERRUPTED = "interrupted"


def is_quiet() -> bool:
    """Whether the command was given --quiet."""
    context = click.get_current_context(silent=True)
    return bool(context and context.meta.get("quiet"))


def say(line: str) -> None:
    """Prints what --quiet leaves out: everything but the end and warnings."""
    if not is_quiet():
        click.echo(line)


def stopped(why: str) -> NoReturn:
    """Says that a run ended before its end, and ends the command: with 130 after an interruption, else with 1."""
    cause = "" if why == INTERRUPTED else f": {why}"
    click.echo(f"Stopped{cause}. The same command goes on where this one stopped.", err=True)
    sys.exit(130 if why == INTERRUPTED else 1)


class Weights:
    """The weights of a run's trials. What is not to be kept goes as trials have their end: a long run does not fill the disk.

    Attributes:
        removed: bytes.
    """

    def __init__(self, store: Store, keep: Keep) -> None:
        self._store, self._keep, self.removed = store, keep, 0

    def clear(self, fingerprints: Iterable[str], groups: Iterable[Sequence[str]]) -> None:
        """Removes those of trials that have an end, but with "best" those of the best trial of each group."""
        from rdun.results import remove_weights, winners

        if self._keep == "all":
            return
        found = dict.fromkeys(fingerprints)
        rivals = [group for group in groups if not found.keys().isdisjoint(group)]
        self.removed += remove_weights(found, self._store, self._keep, winners(rivals, self._store))

    def drop(self, stopped: Iterable[str]) -> None:
        """Removes the checkpoints of trials that a search has stopped early."""
        from rdun.results import remove_checkpoints

        if self._keep != "all":
            self.removed += remove_checkpoints(stopped, self._store)

    def report(self, fingerprints: Iterable[str]) -> None:
        """Says what the trials take of the disk."""
        from rdun.results import space_used

        found = dict.fromkeys(fingerprints)
        freed = f", {self.removed / 1e6:.1f} MB removed" if self.removed else ""
        kept = {"all": "all weights", "best": "the best weights", "none": "no weights"}[self._keep]
        say(f"Disk:    {space_used(found, self._store) / 1e6:.1f} MB in {len(found)} trials; {kept} kept{freed}")


def precision() -> Precision:
    """What "auto" means here; asked of PyTorch on this machine."""
    import torch

    from rdun.config import TrialConfig
    from rdun.trial import resolve_precision

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return resolve_precision(TrialConfig(), device).precision


def asked_for(search: Search, runs: Runs, more: int = 0) -> Search:
    """The search with all trials that earlier runs were asked for, and so many more once those have an end."""
    from rdun.results import SearchRecord

    record = SearchRecord.load_if_there(runs.folder(search.name))
    if record is None:
        if more:
            raise ValueError(
                f"--trials +{more}: search {search.name!r} has no trials in {runs.place}; run it first, without '+'"
            )
        return search
    wanted = max(record.wanted, search.trials)
    if more:
        finished = not record.untried() and all(trial.state != "running" for trial in record.trials)
        wanted = max(record.wanted, len(record.tried())) + more if finished else record.wanted
    elif wanted > search.trials:
        say(f"Trials:  {wanted}, as an earlier run was asked for, not {search.trials}")
    return replace(search, trials=wanted)


def machine(resources: Resources, cpus: int | None) -> Machine:
    """What trials run on here.

    Args:
        cpus: cores of the private cluster; None: all.

    Raises:
        ValueError: more cores than there are.
    """
    import torch

    from rdun import monitor
    from rdun.plan import Machine, cores_here

    share = resources.gpu_share(torch.cuda.device_count())
    gpus = torch.cuda.device_count() if share else 0
    memory = [torch.cuda.get_device_properties(index).total_memory / 2**20 for index in range(gpus)]
    device = torch.device("cuda" if share else "cpu")
    seen = not share or gpus  # the head of a cluster in a cloud has no GPU
    return Machine(
        device=monitor.device_name(device) if seen else "the cluster's GPUs",
        kind="cuda" if share else "cpu",
        threads=resources.threads,
        recompute=resources.recompute,
        cores=cores_here(cpus),
        gpus=gpus,
        gpu_memory_mib=min(memory, default=0.0),
    )


def provenance(
    before: Mapping[str, Any], configs: Iterable[TrialConfig], resources: Resources, to_run: int
) -> dict[str, Any]:
    """How this run is made, with the earlier runs of the same name.

    Args:
        before: provenance of the run before; empty for the first one.
        to_run: trials that this run is to train.
    """
    from rdun import monitor
    from rdun.data import image_set, registry

    earlier = list(before.get("earlier runs", []))
    if before:
        length = f"{before['seconds']} s" if "seconds" in before else "cut off"
        earlier.append(f"{before['started']} ({length}, {before['trials to run']} trials to run)")
    sets = {name: image_set(name) for name in data_sets(configs)}
    return {
        "command": shlex.join(["python", "studies/run_ablation.py", *sys.argv[1:]]),
        "started": monitor.now(),
        "trials to run": to_run,
        "earlier runs": earlier,
        "machine": monitor.host(),
        "cpu": monitor.processor(),
        "cores": os.cpu_count(),
        "threads": resources.threads,
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
    } | priced(resources)


def priced(resources: Resources) -> dict[str, str]:
    """The price of an hour as a record keeps it; nothing where there is none."""
    price = resources.price
    return {"price": f"{price.amount:g} {price.currency}".strip()} if price else {}


def data_sets(configs: Iterable[TrialConfig]) -> list[str]:
    """Names of the image sets, sorted."""
    return sorted({name for c in configs for name in (c.data.train, c.data.validation, *c.data.test)})


def copied_to_tracker(write_report: Callable[[Path, Store], Report], home: Path, store: Store) -> Report | None:
    """Copies what the tracker does not hold yet of a study or search, with its report, written once more.

    Returns:
        The report; None where its folder cannot be written: the tracker then gets the one that is there.

    Raises:
        InputError: not all of it arrived.
    """
    from rdun.tracking import TrackerError, sync, tracking_uri

    try:
        report = write_report(home, store)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        click.echo(f"Warning: {home} cannot be written ({error.strerror}); the report stays as it is.", err=True)
        report = None
    try:
        sync(home, store, tracking_uri(ROOT), report.answer if report else "")
    except TrackerError as error:
        raise InputError(error) from error
    return report


def print_elsewhere(fingerprints: Iterable[str], store: Store) -> None:
    """Says of trials without an end how many another command has in work: studies may share trials."""
    from rdun.results import is_held

    if count := sum(is_held(store.trial(fingerprint)) for fingerprint in fingerprints):
        click.echo(
            f"Another command has {count} of the missing trials in work; this one, given again, takes over what is complete.",
            err=True,
        )


def print_kept(runs: Runs, study: str) -> None:
    """Where the folder of a study or search is, if what was named before is a copy."""
    if runs.remote:
        say(f"Kept in: {runs.place}/studies/{study}")


def print_tracker(uri: str) -> None:
    """Where to look at the tracker."""
    from rdun.tracking import without_password

    if not os.environ.get("MLFLOW_TRACKING_URI"):
        where = f"make ui, or in the venv at {ROOT}: mlflow ui"
    else:
        where = f"mlflow ui --backend-store-uri {uri}" if uri.startswith("sqlite") else without_password(uri)
    click.echo(f"Tracker: {where}")


def with_pdf(report: Report) -> Report:
    """The report with report.pdf beside it; says what figures or PDF lack."""
    from analysis.pages.pdf import write_pdf
    from rdun.results import Folder

    for problem in (report.problem, write_pdf(Folder(report.path.parent))):
        if problem:
            click.echo(problem, err=True)
    return report
