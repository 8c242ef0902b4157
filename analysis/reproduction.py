"""docs/reproduction.md: what the published claims and values are worth here, from compact results of finished studies.

python -m analysis.reproduction results/reproduction docs/reproduction.md results/agreement-h100.csv
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from analysis.frames import load_study
from analysis.numbers import interval, number
from analysis.reference import published
from analysis.report import View, build, file_name
from analysis.search_report import build as build_search
from analysis.searches import load_search
from analysis.tables import markdown_text, to_markdown
from analysis.verdicts import TOLERANCE, judge
from rdun.results import Folder, PlanRecord, SearchRecord, Store, hours

SECTIONS = ("published", "quality", "recursions", "learning", "overfitting", "time", "differences")
"""Tables of a study that the page repeats, folded."""
FIGURES = 2
"""Figures of a study, the first ones of its answer."""


class Cell(NamedTuple):
    """A published cell with the published weights: PSNR (dB) and SSIM, published and measured, and the verdict."""

    ratio: str
    published: str
    measured: str
    difference: str
    verdict: str


class Spent(NamedTuple):
    """What a study took: trials and core-hours of their attempts, evaluation included."""

    trials: int
    hours: float


class Chapter(NamedTuple):
    """A study or search on the page."""

    record: PlanRecord | SearchRecord
    view: View
    figures: Sequence[tuple[str, str]]
    spent: Spent


class Claimed(NamedTuple):
    """A claim of a study, and what came of it."""

    study: str
    claim: str
    verdict: str
    measured: str


def write_reproduction(results: Path, target: Path, agreement: Path) -> None:
    """Writes the page, and its figures into figures/ beside it.

    Args:
        results: a folder of runs, of which every study and search is taken, in the order of their names.
        agreement: scores of the published weights (`benchmarks/agreement.py`).
    """
    store, pictures = Store(results / "trials"), target.parent / "figures"
    pictures.mkdir(exist_ok=True)
    homes = sorted((results / "studies").iterdir())
    chapters = [_study(home, store, pictures) for home in homes if (home / "plan.json").is_file()]
    searches = [_search(home, store, pictures) for home in homes if (home / "search.json").is_file()]
    environment = Environment(
        loader=PackageLoader("analysis"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"md": markdown_text, "table_md": to_markdown}
    text = environment.get_template("reproduction.md.j2").render(
        chapters=chapters,
        searches=searches,
        claimed=[claim for chapter in chapters for claim in claimed(chapter)],
        cells=cells(pd.read_csv(agreement)),
        tolerance=TOLERANCE,
        sections=SECTIONS,
        hours=sum(chapter.spent.hours for chapter in [*chapters, *searches]),
        trials=sum(chapter.spent.trials for chapter in [*chapters, *searches]),
    )
    target.write_text(text)


def claimed(chapter: Chapter) -> list[Claimed]:
    """The claims of a study with their verdicts."""
    tables = [item.table.frame for item in chapter.view.tables if item.table.name == "claims"]
    return [_claimed(chapter.record.title, row) for table in tables for row in table.to_dict("records")]


def _claimed(study: str, row: Mapping[Hashable, Any]) -> Claimed:
    found = f"{number(row['mean'], signed=True)}, {interval(row['low'], row['high'], signed=True)}"
    verdict = str(row["verdict"]).split(":")[0]
    return Claimed(study, str(row["claim"]), verdict, f"{found}, at least {number(row['at_least'])}")


def _study(home: Path, store: Store, pictures: Path) -> Chapter:
    plan = PlanRecord.load(Folder(home))
    view = build(load_study(plan, store))
    used = {name for cell in plan.cells for name in cell.fingerprints}
    return Chapter(plan, view, _kept(plan.name, view, pictures), _spent(used, store))


def _search(home: Path, store: Store, pictures: Path) -> Chapter:
    record = SearchRecord.load(Folder(home))
    view = build_search(load_search(record, store))
    used = {trial.fingerprint for trial in record.trials if trial.fingerprint} | set(record.baselines.values())
    return Chapter(record, view, _kept(record.name, view, pictures), _spent(used, store))


def _kept(name: str, view: View, pictures: Path) -> list[tuple[str, str]]:
    """The first figures of the answer, written beside the page."""
    kept = []
    for figure in [f for f in view.figures if f.section == "answer"][:FIGURES]:
        path = pictures / f"{file_name(name)}-{figure.name}.png"
        path.write_bytes(figure.files["png"])
        kept.append((figure.title, f"figures/{path.name}"))
    return kept


def _spent(fingerprints: set[str], store: Store) -> Spent:
    trials = [store.trial(name) for name in sorted(fingerprints)]
    runs = [(run, trial) for trial in trials if (run := trial.run())]
    return Spent(len(runs), sum(hours(run, trial.epochs(), trial.system())["core"] for run, trial in runs))


def cells(scores: pd.DataFrame) -> list[Cell]:
    """The cells of R-COAST 5x4 in the paper's Table 1, tested with the published weights and one random matrix per ratio."""
    ours = scores[(scores.file == "r_coast_5x4.pkl") & (scores.dataset == "bsd68") & (scores.recursions == 4)]
    rows = published("table1")
    paper = rows[(rows.model == "COAST") & (rows.configuration == "recursive") & (rows.fraction.astype(float) == 1)]
    found = []
    for values in paper.to_dict("records"):
        row = {str(name): str(value) for name, value in values.items()}
        mine = ours[ours.ratio.astype(str) == str(row["ratio"])]
        if row["ratio"] == "average" and len(ours) == len(paper) - 1:
            mine = ours.groupby("dataset")[["psnr", "ssim"]].mean()
        found.append(_cell(row, mine))
    return found


def _cell(row: Mapping[str, str], mine: pd.DataFrame) -> Cell:
    psnr, ssim = float(row["psnr"]), float(row["ssim"])
    ratio = "average" if row["ratio"] == "average" else f"{100 * float(row['ratio']):g} %"
    printed = f"{psnr:.2f} / {ssim:.4f}"
    if mine.empty:
        return Cell(ratio, printed, "–", "–", "not run")
    measured = {"psnr": float(mine.psnr.iloc[0]), "ssim": float(mine.ssim.iloc[0])}
    return Cell(
        ratio,
        printed,
        f"{measured['psnr']:.2f} / {measured['ssim']:.4f}",
        f"{number(measured['psnr'] - psnr, signed=True)} / {number(measured['ssim'] - ssim, 4, signed=True)}",
        judge(measured, {"psnr": psnr, "ssim": ssim}),
    )


if __name__ == "__main__":
    write_reproduction(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
