"""Writes a study's report: report.html (one self-contained file), report.md, tables/ and figures/."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from joblib import Parallel, delayed
from markupsafe import Markup
from threadpoolctl import threadpool_limits

from analysis.figures import save_figure, themed_svg
from analysis.figures.letters import lend_letters
from analysis.figures.pictures import png, shrunk
from analysis.figures.reconstructions import Panel, ReconstructionsInfo, error_palette
from analysis.frames import StudyFrames, load_study
from analysis.frames.joined import Part, join
from analysis.pages.document import FigureItem, TableItem, tables_of
from analysis.pages.drawings import figures_of
from analysis.pages.provenance import provenance
from analysis.pages.trials import trial_list
from analysis.statistics import check_claims, compare_arms, main_effects
from analysis.statistics.paired import Images
from analysis.tables import markdown_text, to_csv, to_html, to_latex, to_markdown
from analysis.words.answer import answer
from rdun.results import Folder, PlanRecord, Store

SECTIONS = {
    "quality": "Parameters and quality",
    "published": "Published values",
    "differences": "Differences to the base arms",
    "overfitting": "Overfitting",
    "time": "Time",
    "recursions": "Recursions",
    "learned": "Step sizes and thresholds",
    "learning": "Learning curves",
    "pictures": "Reconstructions",
    "claims": "Claims",
}
TABLE_FORMATS = {"csv": to_csv, "tex": to_latex, "md": to_markdown}
MANY_ARMS = 50
"""Arms from which drawing takes longer than to start helpers for it."""
FIGURE_FORMATS = ("png", "svg", "pdf")


class Report(NamedTuple):
    """A written report: where report.html lies, the answer in a sentence, and what is wrong with the figures, if anything."""

    path: Path
    answer: str
    problem: str = ""


def write_report(study_folder: str | Path, store: Store) -> Report:
    """Writes the report of a study, finished or not, into its folder.

    Args:
        study_folder: holds plan.json; receives report.html, report.md, tables/*.csv|tex|md, figures/*.png|svg|pdf.
        store: the trial directories.

    Raises:
        ValueError: no plan.json, or scores of different protocols in one family of arms.
    """
    folder = Folder(str(study_folder))
    if not folder.exists("plan.json"):
        raise ValueError(
            f"{os.fspath(study_folder)} has no plan.json; run the study first, or name the folder of a study"
        )
    return _write(folder, load_study(PlanRecord.load(folder), store))


def write_comparison(target: str | Path, parts: Sequence[Part]) -> Report:
    """Writes one report over several studies into a folder of its own.

    Raises:
        ValueError: see `join`; scores of different protocols in one family of arms.
    """
    plan, store = join(parts)
    return _write(Folder(str(target)), load_study(plan, store))


def _write(folder: Folder, frames: StudyFrames) -> Report:
    view = build(frames)
    write_view(folder, view, "report")
    return Report(Path(folder.path) / "report.html", view.context["answer"].headline, boxes(view.figures))


class PictureView(NamedTuple):
    """One column of a reconstruction figure: images as data: URIs, `box` the CSS place of the enlarged square."""

    title: str
    caption: str = ""
    reason: str = ""
    whole: str = ""
    zoom: str = ""
    error: str = ""
    size: tuple[int, int] = (0, 0)
    box: str = ""


class FigureView(NamedTuple):
    """A figure in the report: file name, title, caption, its files, and what the HTML page shows; letters that no font has."""

    name: str
    section: str
    title: str
    caption: str
    files: dict[str, bytes]
    html: Markup
    pictures: list[PictureView]
    boxes: str = ""


class View(NamedTuple):
    """All a report shows: tables, figures, and what the templates need."""

    tables: list[TableItem]
    figures: list[FigureView]
    context: dict[str, Any]


def write_view(folder: Folder, view: View, template: str) -> None:
    """Writes tables, figures, and report.md and report.html from the templates of that name.

    Tables and figures of an earlier report that this one does not show are removed: they would be taken for its own.
    """
    tables = {
        f"{file_name(item.table.name)}.{ending}": write(item.table).encode()
        for item in view.tables
        for ending, write in TABLE_FORMATS.items()
    }
    figures = {f"{f.name}.{ending}": content for f in view.figures for ending, content in f.files.items()}
    for below, files, endings in (("tables", tables, TABLE_FORMATS), ("figures", figures, FIGURE_FORMATS)):
        for name, content in files.items():
            folder.write(f"{below}/{name}", content)
        for name in folder.names(below):
            if name not in files and name.rpartition(".")[2] in endings:
                folder.remove(f"{below}/{name}")
    folder.write_text("report.md", _render(f"{template}.md.j2", view.context, html=False))
    folder.write_text("report.html", _render(f"{template}.html.j2", view.context, html=True))


def build(frames: StudyFrames) -> View:
    """Everything the report shows, computed."""
    parts = [Images(part) for part in frames.parts()]
    images = Images(frames) if len(parts) > 1 else parts[0]
    with threadpool_limits(1):  # tables of seeds and images are too small for threads, which cost more than they give
        comparisons = [c for part in parts for c in compare_arms(part)]
        items = figures_of(frames, parts, comparisons)
        items = [item._replace(name=name) for item, name in zip(items, _apart(i.name for i in items), strict=True)]
        drawn = _drawn(items, len(frames.arms))
        effects = main_effects(frames, comparisons)
        claims = check_claims(images, frames.plan.claims)
    found = tables_of(images, parts, comparisons, effects, claims)
    names = _apart(item.table.name for item in found)
    tables = [i._replace(table=replace(i.table, name=name)) for i, name in zip(found, names, strict=True)]
    figures = list(drawn)
    there = {t.section for t in tables} | {f.section for f in figures}
    context = {
        "plan": frames.plan,
        "answer": answer(images, comparisons, effects, claims),
        "complete": frames.complete,
        "planned": frames.planned,
        "gaps": frames.gaps.to_dict("records"),
        "sections": {k: v for k, v in SECTIONS.items() if k in there},
        "tables": tables,
        "figures": figures,
        "trials": trial_list(images),
        "made": provenance(frames.plan),
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }
    return View(tables, figures, context)


def _drawn(items: Sequence[FigureItem], arms: int) -> Iterator[FigureView]:
    """Figures as they are asked for; those of many arms are drawn from now on, by helpers on the other cores."""
    helpers = -1 if arms >= MANY_ARMS else 1
    views: Iterator[FigureView] = Parallel(n_jobs=helpers, return_as="generator")(
        delayed(figure_view)(i) for i in items
    )
    return views


def file_name(name: str) -> str:
    """A name that is safe in any file system: letters of any script, digits, dots and single dashes."""
    return re.sub(r"(?:[^\w.]|_)+", "-", name).strip("-.") or "table"


def _apart(names: Iterable[str]) -> list[str]:
    """The names, numbered where files of that name would be one: those of the data sets "my set" and "my_set", for instance."""
    taken: dict[str, str] = {}
    for name in names:
        new, number = name, 1
        while file_name(new).casefold() in taken:
            number += 1
            new = f"{name}-{number}"
        taken[file_name(new).casefold()] = new
    return [*taken.values()]


def figure_view(item: FigureItem) -> FigureView:
    """A figure drawn, saved and ready for the page."""
    figure = item.draw()
    lacking = lend_letters(figure)
    files = save_figure(figure)
    name = file_name(item.name)
    pictures = [_picture(p, item.pictures) for p in item.pictures.panels] if item.pictures else []
    html = Markup("") if pictures else Markup(themed_svg(files["svg"], name, f"{item.title}. {item.caption}"))
    return FigureView(name, item.section, item.title, item.caption, files, html, pictures, lacking)


def boxes(figures: Sequence[FigureView]) -> str:
    """What to do about the letters that figures show as boxes, since no installed font has them; empty where all are there."""
    letters = sorted({letter for figure in figures for letter in figure.boxes})
    if not letters:
        return ""
    shown = "".join(letters[:20])
    return (
        f"Figures show {len(letters)} letters as boxes in PNG and PDF ({shown}), as no installed font has them; install one that "
        "has, such as Noto Sans CJK, and give the command once more with --report-only"
    )


def _picture(panel: Panel, info: ReconstructionsInfo) -> PictureView:
    if panel.pixels is None or info.window is None:
        return PictureView(panel.title, reason=panel.reason)
    height, width = panel.pixels.shape
    window = info.window
    box = (100 * window.left / width, 100 * window.top / height, 100 * window.side / width, 100 * window.side / height)
    error = shrunk(panel.error, 240) * (255 / info.scale) if panel.error is not None else None
    return PictureView(
        panel.title,
        caption=panel.caption,
        whole=data_uri(png(shrunk(panel.pixels)), "image/png"),
        zoom=data_uri(png(window.of(panel.pixels)), "image/png"),
        error=data_uri(png(error, error_palette()), "image/png") if error is not None else "",
        size=(width, height),
        box="left:{:.2f}%;top:{:.2f}%;width:{:.2f}%;height:{:.2f}%".format(*box),
    )


def data_uri(content: bytes, kind: str) -> str:
    """Content that a page carries itself."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _render(template: str, context: dict[str, Any], *, html: bool) -> str:
    environment = Environment(
        loader=PackageLoader("analysis"),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"md": markdown_text, "table_html": to_html, "table_md": to_markdown, "file_name": file_name}
    environment.filters["download"] = lambda table, ending: data_uri(
        TABLE_FORMATS[ending](table).encode(), "text/plain;charset=utf-8"
    )
    style, script = (_source(environment, n) for n in ("report.css", "report.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    extra = {"style": Markup(style), "script": Markup(script), "script_hash": digest}
    return environment.get_template(template).render(**context, **extra)


def _source(environment: Environment, name: str) -> str:
    assert environment.loader
    return environment.loader.get_source(environment, name)[0]
