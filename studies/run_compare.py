"""One report over several studies, or several revisions of one, from their results; nothing is trained."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from analysis.joined import Part
    from rdun.study import Study


def compare_studies(study: Study, folder: Path, others: Sequence[str]) -> None:
    """Writes the report of a study beside others into runs/studies/NAME/compared/.

    Args:
        others: plan.json files, folders that hold one, or names of studies with results in `folder`.

    Raises:
        ValueError: no results of one of them, a study beside itself, compared arms that were tested by different protocols.
    """
    from analysis.pdf import write_pdf
    from analysis.report import write_comparison
    from rdun.results import Folder

    parts = [_part(study.name, folder), *(_part(other, folder) for other in others)]
    names = "-".join(part.plan.name for part in parts[1:])
    home = folder / "studies" / study.name / "compared" / re.sub(r"[^\w.-]+", "-", names)[:100]
    report = write_comparison(home, parts)
    if problem := write_pdf(Folder(home)):
        click.echo(problem, err=True)
    click.echo(f"Answer:  {report.answer}\nReport:  {report.path}")


def _part(named: str, folder: Path) -> Part:
    from analysis.joined import Part
    from rdun.results import Folder, PlanRecord, Store

    home = _home(named, folder)
    trials = home.parent.parent / "trials"
    return Part(PlanRecord.load(Folder(home)), Store(trials if trials.is_dir() else folder / "trials"))


def _home(named: str, folder: Path) -> Path:
    """The folder that holds the plan.json of a path or name."""
    from studies.loading import load, study_names

    path = Path(named).resolve()
    if path.name == "plan.json" and path.is_file():
        return path.parent
    known = [path, folder / "studies" / named]
    if named in study_names():
        known.append(folder / "studies" / load(named).name)
    for place in known:
        if (place / "plan.json").is_file():
            return place
    raise ValueError(
        f"--compare: {named!r} has no plan.json in {known[-1]}; run that study first, or name its plan.json or the folder of it"
    )
