"""One Table as Markdown, CSV and HTML; LaTeX is in latex.py. All text from users is escaped here."""

from __future__ import annotations

import re

import pandas as pd
from markupsafe import Markup, escape

from analysis.numbers import GAP
from analysis.tables.table import Column, Span, Table, anchor

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~$])")


def markdown_text(text: str) -> str:
    """Escapes what Markdown or HTML inside it would interpret; line breaks become spaces."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split("\n"))).replace("\\<", "&lt;").replace("\\>", "&gt;")


def to_csv(table: Table) -> str:
    """All raw numbers of the table with every digit; the reasons of gaps in a last column, "missing"."""
    frame = table.frame.copy()
    reasons = [
        " | ".join(dict.fromkeys(r for (i, _), r in table.gaps.items() if i == line)) for line in range(len(frame))
    ]
    assert "missing" not in frame, "a column of numbers would be lost"
    frame["missing"] = reasons
    harmless = frame.map(_harmless)
    return str(harmless.to_csv(index=False, lineterminator="\n"))


def _harmless(value: object) -> object:
    """A spreadsheet runs cells that begin like a formula; a leading apostrophe keeps them text."""
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t") else value


def to_markdown(table: Table) -> str:
    """A pipe table with title, caption and notes."""
    heads = [markdown_text(_head(c)) for c in table.columns]
    rows = [["".join(_markdown_span(s) for s in cell) for cell in line] for line in table.cells]
    align = [c.align for c in table.columns]
    if table.group:
        heads, align = [markdown_text(table.group.capitalize()), *heads], ["left", *align]
        rows = [[markdown_text(g), *row] for g, row in zip(table.group_heads(), rows, strict=True)]
    body = (
        pd.DataFrame(rows, columns=heads).to_markdown(index=False, colalign=align, disable_numparse=True)
        if rows
        else "*No rows yet.*"
    )
    notes = [f"{i}. {markdown_text(r)}" for i, r in enumerate(table.reasons(), 1)]
    remarks = [markdown_text(n) for n in table.notes]
    parts = [f"**{markdown_text(table.title)}.** {markdown_text(table.caption)}", body, "\n".join(notes), *remarks]
    return "\n\n".join(p for p in parts if p) + "\n"


def _markdown_span(span: Span) -> str:
    if span.note:
        return f" [{span.note}]".replace("[", "\\[").replace("]", "\\]")
    return f"**{markdown_text(span.text)}**" if span.bold else markdown_text(span.text)


def to_html(table: Table) -> Markup:
    """A <table> with caption, one <tbody> per group, and notes below it."""
    heads = Markup("").join(
        Markup('<th scope="col" class="{}">{}{}</th>').format(c.align, c.header, _html_unit(c)) for c in table.columns
    )
    body = Markup("")
    last: str | None = None
    for place, (group, line) in enumerate(zip(table.group_heads(), table.cells, strict=True)):
        if group != last:
            body += Markup("</tbody><tbody>") if last is not None else Markup("<tbody>")
            if group:
                body += Markup('<tr class="group"><th scope="rowgroup" colspan="{}">{}</th></tr>').format(
                    len(table.columns), group
                )
        last = group
        body += Markup("<tr{}>{}</tr>").format(
            _html_trials(table, place),
            Markup("").join(_html_cell(table, place, i, cell) for i, cell in enumerate(line)),
        )
    body += (
        Markup("</tbody>")
        if last is not None
        else Markup('<tbody><tr><td colspan="{}">No rows yet.</td></tr></tbody>').format(len(table.columns))
    )
    return Markup("<table><thead><tr>{}</tr></thead>{}</table>").format(heads, body)


def _html_trials(table: Table, line: int) -> Markup:
    """The title of a line that names its trials, where all its cells lead to the same ones: named once, the page stays small."""
    found = table.line_trials(line)
    return Markup(' title="{}"').format(_trials(found[0])) if len(found) == 1 else Markup("")


def _trials(fingerprints: tuple[str, ...]) -> str:
    return ("Trial " if len(fingerprints) == 1 else "Trials ") + ", ".join(fingerprints)


def _html_cell(table: Table, line: int, position: int, cell: list[Span]) -> Markup:
    content = Markup("").join(_html_span(table, s) for s in cell if not s.note)
    trials = table.links.get((line, table.columns[position].keys[0]))
    if trials and content.striptags() != GAP:
        content = _html_link(content, trials, named=len(table.line_trials(line)) > 1)
    content += Markup("").join(_html_span(table, s) for s in cell if s.note)
    if position == 0:
        return Markup('<th scope="row" class="{}">{}</th>').format(table.columns[0].align, content)
    return Markup('<td class="{}">{}</td>').format(table.columns[position].align, content)


def _html_link(content: Markup, trials: tuple[str, ...], *, named: bool) -> Markup:
    """Leads to the first trial; the others of an arm stand below it, and are named in a title."""
    title = Markup(' title="{}"').format(_trials(trials)) if named else Markup("")
    return Markup('<a class="trials" href="#{}"{}>{}</a>').format(anchor(trials[0]), title, content)


def _html_span(table: Table, span: Span) -> Markup:
    if span.note:
        return Markup('<sup class="note" title="{}">{}</sup>').format(table.reasons()[span.note - 1], span.note)
    return Markup("<b>{}</b>").format(span.text) if span.bold else escape(span.text)


def _html_unit(column: Column) -> Markup:
    return Markup(' <span class="unit">{}</span>').format(column.unit) if column.unit else Markup("")


def _head(column: Column) -> str:
    return f"{column.header} ({column.unit})" if column.unit else column.header
