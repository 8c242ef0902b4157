"""One report over several studies, or several revisions of one, from their results; nothing is trained."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from studies.session import with_pdf

if TYPE_CHECKING:
    from analysis.frames.joined import Part
    from rdun.results import Runs
    from rdun.study import Study


def compare_studies(study: Study, runs: Runs, others: Sequence[str]) -> None:
    """Writes the report of a study beside others into compared/ of its folder.

    Args:
        others: plan.json files, folders that hold one, or names of studies with results in `runs`.

    Raises:
        ValueError: no results of one of them, a study beside itself, compared arms that were tested by different protocols.
    """
    from analysis.report import write_comparison

    parts = [_part(study.name, runs), *(_part(other, runs) for other in others)]
    names = "-".join(part.plan.name for part in parts[1:])
    with runs.changed(study.name) as home:
        place = home / "compared" / re.sub(r"[^\w.-]+", "-", names)[:100]
        report = with_pdf(write_comparison(place, parts))
    click.echo(f"Answer:  {report.answer}\nReport:  {report.path}")


def _part(named: str, runs: Runs) -> Part:
    """The study of a path, or of a name in the runs folder."""
    from analysis.frames.joined import Part
    from rdun.results import Folder, PlanRecord, Store
    from studies.loading import load, study_names

    path = Path(named).resolve()
    here = path.parent if path.name == "plan.json" else path
    if (here / "plan.json").is_file():
        trials = here.parent.parent / "trials"
        return Part(PlanRecord.load(Folder(here)), Store(trials) if trials.is_dir() else runs.store)
    names = [named, *([load(named).name] if named in study_names() else [])]
    for name in names:
        if (folder := runs.folder(name)).exists("plan.json"):
            return Part(PlanRecord.load(folder), runs.store)
    raise ValueError(
        f"--compare: {named!r} has no plan.json in {runs.place}/studies/{names[-1]}; run that study first, or name its plan.json "
        "or the folder of it"
    )
