"""docs/reproduction.md: what the published claims and values are worth here, from compact results of finished studies.

python -m analysis.reproduction results docs/reproduction.md
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from analysis.frames import load_study
from analysis.frames.search import load_search
from analysis.numbers import interval, number
from analysis.reference.cells import curve, sweeps, table1, table2
from analysis.reference.overview import Claimed, anchor, overview
from analysis.reference.verdicts import TOLERANCE
from analysis.report import View, build, file_name
from analysis.search_report import build as build_search
from analysis.statistics.claims import WITHOUT_IMAGES
from analysis.tables import markdown_text, to_markdown
from rdun.results import EpochRecord, Folder, PlanRecord, SearchRecord, Store, TrialDirectory, hours

SECTIONS = ("published", "quality", "recursions", "learning", "overfitting", "time", "differences")
"""Tables of a study that the page repeats, folded."""
PICTURES = "figures/reproduction"
FIGURES = 2
"""Most figures of a study's answer, and most of its curves."""
CURVES = ("returns-", "recursions-", "gap")
"""How figures begin that show a quality over what a study varies: recursions in training and test, the training set's size."""
FULL_SIZE = ("published-weights", "samples-to-quality", "table1-fast")
"""Names of studies of networks of full size."""
ORDER = (*FULL_SIZE, "table1", "training-size", "table2", "random-ranges", "training-length", "rfmu", "recursions-per-layer",
         "equal-evaluations", "recursions-at-test-time", "dpdnn-sharing", "recipes", "smaller")  # fmt: skip
"""How names of studies begin, in the order of the page; others follow."""
FAST = "samples-to-quality"
"""The study whose arms are the published network at full size by a fast recipe."""


class Spent(NamedTuple):
    """What a study took: trials and core-hours of their attempts, evaluation included."""

    trials: int
    hours: float


class FullSize(NamedTuple):
    """A training at full size: its name, the epochs done and of how many, the device and the hours that it was held."""

    name: str
    records: Sequence[EpochRecord]
    epochs: int
    device: str
    hours: float


class Picture(NamedTuple):
    """A figure beside the page: its title, its caption and where it is."""

    title: str
    caption: str
    path: str


class Chapter(NamedTuple):
    """A study or search on the page; `used`: fingerprints of its trials, which others may have used too."""

    record: PlanRecord | SearchRecord
    view: View
    figures: Sequence[Picture]
    used: frozenset[str]
    spent: Spent


def write_reproduction(results: Path, target: Path) -> None:
    """Writes the page, and its figures into figures/reproduction/ beside it, where no others are kept.

    Args:
        results: has the runs in reproduction/, of which every study and search is taken; the scores
            of the published weights in agreement-h100.csv (`benchmarks/agreement.py`), of those trained with 3 % of the data in
            r-coast-3-percent.csv (`python -m rdun.weights evaluate`); networks of the published sizes, timed, in
            inference-cpu.csv (`benchmarks/inference.py`); and the trial directory r-coast-full, by the paper's recipe, begun.
    """
    runs, pictures = results / "reproduction", target.parent / PICTURES
    store, scores = Store(runs / "trials"), pd.read_csv(results / "agreement-h100.csv")
    limited = pd.read_csv(results / "r-coast-3-percent.csv")
    begun = _full_size("the paper's recipe", Store(results).trial("r-coast-full"))
    pictures.mkdir(parents=True, exist_ok=True)
    for picture in pictures.glob("*.png"):
        picture.unlink()
    homes = sorted((runs / "studies").iterdir())
    studies = sorted((home for home in homes if (home / "plan.json").is_file()), key=_place)
    chapters = [_study(home, store, pictures) for home in studies]
    searches = [_search(home, store, pictures) for home in homes if (home / "search.json").is_file()]
    fast = _fast(chapters, store)
    environment = Environment(
        loader=PackageLoader("analysis"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"md": markdown_text, "table_md": to_markdown, "anchor": anchor}
    networks, timed = table1(scores, limited), table2(pd.read_csv(results / "inference-cpu.csv"))
    claims = [claim for chapter in chapters for claim in claimed(chapter)]
    tables = {(c.record.title, item.table.name): item.table.frame for c in chapters for item in c.view.tables}
    text = environment.get_template("reproduction.md.j2").render(
        full=[chapter for chapter in chapters if chapter.record.name in FULL_SIZE],
        pocket=[chapter for chapter in chapters if chapter.record.name not in FULL_SIZE],
        searches=searches,
        overview=overview(networks, timed, claims, tables),
        claimed=claims,
        networks=networks,
        timed=timed,
        sweeps=sweeps(scores),
        begun=begun,
        fast=fast,
        curve=curve([training.records for training in (begun, *fast)]),
        tolerance=TOLERANCE,
        sections=SECTIONS,
        spent=_spent(frozenset[str]().union(*(chapter.used for chapter in [*chapters, *searches])), store),
    )
    target.write_text(text)


def claimed(chapter: Chapter) -> list[Claimed]:
    """The claims of a study with their verdicts."""
    tables = [item.table.frame for item in chapter.view.tables if item.table.name == "claims"]
    return [
        _claimed(chapter.record.title, row, several=table["dataset"].nunique() > 1)
        for table in tables
        for row in table.to_dict("records")
    ]


def _claimed(study: str, row: Mapping[Hashable, Any], *, several: bool) -> Claimed:
    """`several`: whether claims of the study are about several test sets, which are named then."""
    named = several and row["dataset"] not in WITHOUT_IMAGES.values()
    digits = int(row["digits"])
    return Claimed(
        study,
        str(row["claim"]),
        str(row["verdict"]),
        f"{row['difference']} on {row['dataset']}" if named else str(row["difference"]),
        str(row["metric"]),
        number(row["mean"], digits - 1, signed=True),
        f"{number(row['mean'], digits, signed=True)} {interval(row['low'], row['high'], digits, signed=True)}",
        number(row["at_least"], digits, signed=True),
        str(row["dataset"]).partition(" (")[0],
    )


def _fast(chapters: Sequence[Chapter], store: Store) -> list[FullSize]:
    """The complete trainings of the study FAST, named by their arms."""
    plans = [c.record for c in chapters if isinstance(c.record, PlanRecord) and c.record.name == FAST]
    trials = [(cell.arm, store.trial(name)) for plan in plans for cell in plan.cells for name in cell.fingerprints]
    complete = [(arm, trial) for arm, trial in trials if (run := trial.run()) and run.status == "complete"]
    return [_full_size(f"a fast recipe, {arm}", trial) for arm, trial in complete]


def _full_size(name: str, trial: TrialDirectory) -> FullSize:
    run, epochs, config = trial.run(), trial.epochs(), trial.read_json("config.json")
    assert run is not None
    last = run.attempts[-1]  # all had a device of the same kind, and as many threads
    held = hours(run, epochs, trial.system())["core"] / last.threads
    return FullSize(name, epochs, int(config["optim"]["epochs"]), last.device, held)


def _place(home: Path) -> tuple[int, str]:
    return next((place for place, name in enumerate(ORDER) if home.name.startswith(name)), len(ORDER)), home.name


def _study(home: Path, store: Store, pictures: Path) -> Chapter:
    plan = PlanRecord.load(Folder(home))
    view = build(load_study(plan, store))
    used = frozenset(name for cell in plan.cells for name in cell.fingerprints)
    return Chapter(plan, view, _kept(plan.name, view, pictures), used, _spent(used, store))


def _search(home: Path, store: Store, pictures: Path) -> Chapter:
    record = SearchRecord.load(Folder(home))
    view = build_search(load_search(record, store))
    used = frozenset(record.fingerprints())
    return Chapter(record, view, _kept(record.name, view, pictures), used, _spent(used, store))


def _kept(name: str, view: View, pictures: Path) -> list[Picture]:
    """The first figures of the answer and the first curves, written beside the page."""
    answer = [f for f in view.figures if f.section == "answer"][:FIGURES]
    curves = [f for f in view.figures if f.name.startswith(CURVES)][:FIGURES]
    kept = []
    for figure in [*answer, *curves]:
        path = pictures / f"{file_name(name)}-{figure.name}.png"
        path.write_bytes(figure.files["png"])
        kept.append(Picture(figure.title, figure.caption, f"{PICTURES}/{path.name}"))
    return kept


def _spent(fingerprints: frozenset[str], store: Store) -> Spent:
    trials = [store.trial(name) for name in sorted(fingerprints)]
    runs = [(run, trial) for trial in trials if (run := trial.run())]
    return Spent(len(runs), sum(hours(run, trial.epochs(), trial.system())["core"] for run, trial in runs))


if __name__ == "__main__":
    write_reproduction(Path(sys.argv[1]), Path(sys.argv[2]))
