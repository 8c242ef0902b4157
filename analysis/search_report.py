"""Writes a search's report: report.html (one self-contained file), report.md, tables/ and figures/."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from analysis.figures.importance import draw_importance, importance_info
from analysis.figures.search import SearchInfo, draw_search, search_info
from analysis.frames.search import SearchFrames, load_search
from analysis.numbers import listed, plural
from analysis.pages.document import FigureItem, TableItem
from analysis.pages.provenance import provenance
from analysis.pages.trials import listed_table
from analysis.report import Report, View, boxes, figure_view, write_view
from analysis.statistics.importance import ENOUGH, PARTS, Importance, importances
from analysis.tables.search import best_table, fingerprints, importance_table, trials_table
from analysis.words.search_answer import search_answer
from analysis.words.search_words import quantity
from analysis.words.spent import taken
from rdun.results import Folder, SearchRecord, Store


def write_search_report(home: Path, store: Store) -> Report:
    """Writes the report of a search, finished or not, into its folder.

    Args:
        home: holds search.json; receives report.html, report.md, tables/*.csv|tex|md, figures/*.png|svg|pdf.
        store: the trial directories.

    Raises:
        ValueError: no search.json.
    """
    folder = Folder(home)
    if not folder.exists("search.json"):
        raise ValueError(f"{home} has no search.json; run the search first, or name the folder of a search")
    frames = load_search(SearchRecord.load(folder), store)
    view = build(frames)
    write_view(folder, view, "search_report")
    return Report(home / "report.html", view.context["answer"][0], boxes(view.figures))


def build(frames: SearchFrames) -> View:
    """Everything the report shows, computed."""
    record, found = frames.record, importances(frames.record)
    tables = [TableItem("best", best_table(frames))] if len(frames.best) or frames.baselines else []
    tables += [TableItem("importance", importance_table(found, frames))] if found else []
    trials = trials_table(frames)
    tables.append(TableItem("trials", trials))
    figures = [figure_view(f) for f in _figures(frames, found)]
    context = {
        "record": record,
        "answer": search_answer(frames),
        "complete": sum(t.state == "complete" for t in record.trials),
        "objectives": [f"{quantity(o['quantity']).name}, {o['direction']}" for o in record.objectives],
        "constraints": [f"{quantity(c['quantity']).name} at most {c['at_most']:,.10g}" for c in record.constraints],
        "importance_gap": "" if found else _no_importance(frames),
        "tables": tables,
        "figures": figures,
        "trials": listed_table(trials, fingerprints(trials)),
        "made": provenance(record),
        "taken": taken(frames.hours, record.provenance),
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }
    return View(tables, figures, context)


def _figures(frames: SearchFrames, found: Sequence[Importance]) -> list[FigureItem]:
    """What was reached, and which parameters mattered."""
    info = search_info(frames)
    title = "Pareto front" if info.across else "What was reached, trial by trial"
    items = [FigureItem("search", "answer", title, _caption(info, frames), partial(draw_search, info))]
    if found:
        draw, name = partial(draw_importance, importance_info(found)), "importance"
        items.append(FigureItem(name, name, "Importance of the parameters", _importance_caption(frames), draw))
    return items


def _caption(info: SearchInfo, frames: SearchFrames) -> str:
    dots = f"{plural(len(info.points), 'complete trial')}; duplicates are left out."
    marks = " Baselines are marked as in the legend." if info.baselines else ""
    drawn = {name for name, *_ in info.baselines}
    if hidden := [b.name for b in frames.baselines if b.name not in drawn]:
        marks += f" Not shown, without a value on {'both axes' if info.across else 'the axis'}: {listed(hidden)}."
    if frames.several:
        marks += f" Values are means over {len(frames.record.seeds)} seeds."
    if info.across is None:
        return f"{dots} The line is the best value so far.{marks}"
    line = (
        "the dashed line joins them"
        if info.joined
        else f"in all {len(frames.quantities)} objectives, of which two are drawn"
    )
    return f"{dots} Numbered trials are those that no other one beats; {line}.{marks}"


def _importance_caption(frames: SearchFrames) -> str:
    """The method, and how stable the shares are."""
    return (
        f"Bar: share of each parameter in the importance for {quantity(frames.quantities[0]).name}, by PED-ANOVA over "
        f"{plural(len(frames.complete()), 'complete trial')} (how differently the best quarter of them, at least five, lies "
        f"from all). Line: smallest and largest share when each of {PARTS} tenths of the trials is left out; where lines "
        "overlap, the order is not settled. The computation has no random numbers: every call gives the same."
    )


def _no_importance(frames: SearchFrames) -> str:
    done = len(frames.complete())
    if done < ENOUGH:
        return f"The importance of the parameters is computed from {ENOUGH} complete trials on; there are {done}."
    return (
        "No importance of the parameters can be told: they, or the objective, do not vary between the complete trials."
    )
