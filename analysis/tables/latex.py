"""One Table as LaTeX (booktabs). All text from users is escaped here."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

from analysis.tables.table import Column, Span, Table
from rdun.config import digest

Line = tuple[str, list[list[Span]]]
"""Group and cells."""
LINES, LONG = 36, 44
"""Most lines of one environment; letters from which a text is broken into lines."""
FOREIGN = (
    "% {} needs LuaLaTeX or XeLaTeX with a font that has these letters: \\usepackage{{fontspec}}\\setmainfont{{...}}\n"
)
GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega"
CAPITALS = "Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    "±": r"$\pm$",
    "\u2212": "$-$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "∞": r"$\infty$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "≠": r"$\neq$",
    "∂": r"$\partial$",
    "√": r"$\surd$",
    "∈": r"$\in$",
    "ℓ": r"$\ell$",
    "«": r"$\ll$",
    "»": r"$\gg$",
    "→": r"$\to$",
    "‖": r"$\|$",
    "⋯": r"$\cdots$",
    "–": "--",
    "\u00a0": "~",
    **{c: rf"$\{name}$" for c, name in zip("αβγδεζηθικλμνξπρστυφχψω", GREEK.split(), strict=True)},
    **{c: rf"$\{name}$" for c, name in zip("ΓΔΘΛΞΠΣΦΨΩ", CAPITALS.split(), strict=True)},
}


def latex_text(text: str) -> str:
    """Escapes what LaTeX would interpret, and writes signs and Greek letters as pdflatex knows them; line breaks become spaces.

    Other scripts are left as they are: they need XeLaTeX or LuaLaTeX.
    """
    return "".join(_LATEX.get(c, c) for c in " ".join(text.split("\n")))


def to_latex(table: Table) -> str:
    r"""`table` environments of at most `LINES` lines; they need \usepackage{booktabs,graphicx}.

    Letters are small, heads are broken into short lines, long texts into narrow blocks, and what is still wider than the text is
    shrunk to its width. A table with letters that pdflatex does not know says so in its first line.
    """
    parts = _parts(zip(table.group_heads(), table.cells, strict=True))
    text = "\n".join(_latex_part(table, part, place, len(parts)) for place, part in enumerate(parts, 1))
    others = "".join(sorted({c for c in text if _is_foreign(c)}))
    return (FOREIGN.format(others) if others else "") + text


def _is_foreign(letter: str) -> bool:
    """Whether it is neither Latin nor a punctuation mark or currency sign, of which pdflatex knows the usual ones."""
    return ord(letter) > 0x24F and not 0x2000 <= ord(letter) <= 0x20CF


def _parts(lines: Iterable[Line]) -> list[list[Line]]:
    """Lines by environment; one with a long text counts as so many lines as it takes."""
    parts: list[list[Line]] = [[]]
    filled = 0
    for line in lines:
        height = max((-(-_letters(cell) // LONG) for cell in line[1]), default=1)
        if parts[-1] and filled + height > LINES:
            parts.append([])
            filled = 0
        parts[-1].append(line)
        filled += height
    return parts


def _letters(cell: list[Span]) -> int:
    return sum(len(span.text) for span in cell)


def _latex_part(table: Table, part: list[Line], place: int, count: int) -> str:
    """One environment: notes stand below the last one, only the first has the label."""
    which = f" (part {place} of {count})" if count > 1 else ""
    lines = [r"\begin{table}", r"\centering\footnotesize\setlength{\tabcolsep}{4pt}"]
    lines += [rf"\caption{{{latex_text(table.title)}{which}. {latex_text(table.caption)}}}\par\smallskip"]
    lines += [rf"\label{{tab:{_label(table.name)}}}"] if place == 1 else []
    spec = "".join("l" if c.align == "left" else "r" for c in table.columns)
    lines += [r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%", rf"\begin{{tabular}}{{{spec}}}"]
    lines += [r"\toprule", _unbracketed(" & ".join(map(_latex_head, table.columns))) + r" \\"]
    last: str | None = None
    for group, line in part:
        if group != last:
            head = rf"\multicolumn{{{len(table.columns)}}}{{l}}{{\textit{{{latex_text(group)}}}}} \\"
            lines += [r"\midrule", *([head] if group else [])]
        last = group
        lines += [_unbracketed(" & ".join(_latex_cell(cell) for cell in line)) + r" \\"]
    lines += [r"\bottomrule", r"\end{tabular}}"]
    if place == count:
        lines += [rf"\par\smallskip $^{{{i}}}$~{latex_text(r)}" for i, r in enumerate(table.reasons(), 1)]
        lines += [rf"\par\smallskip {latex_text(n)}" for n in table.notes]
    return "\n".join([*lines, r"\end{table}", ""])


def _label(name: str) -> str:
    """A label that pdflatex takes; names in other scripts, of which little is left, stay apart by a hash."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower())
    return f"{plain}-{digest(name)[:6]}" if any(map(_is_foreign, name)) else plain


def _latex_head(column: Column) -> str:
    """Words of a head on short lines, its unit on the last one."""
    words = [*textwrap.wrap(column.header, 12, break_long_words=False), *([f"({column.unit})"] if column.unit else [])]
    if len(words) == 1:
        return latex_text(words[0])
    lines = r"\\".join(_unbracketed(latex_text(w)) for w in words)
    return rf"\shortstack[{column.align[0]}]{{{lines}}}"


def _unbracketed(line: str) -> str:
    r"""What follows a \\ or a rule must not look like its options."""
    return "{}" + line if line[:1] in ("[", "*") else line


def _latex_cell(cell: list[Span]) -> str:
    text = "".join(_latex_span(s) for s in cell)
    long = _letters(cell) > LONG
    return rf"\parbox[t]{{{LONG}ex}}{{\raggedright\strut {text}\strut}}" if long else text


def _latex_span(span: Span) -> str:
    if span.note:
        return f"$^{{{span.note}}}$"
    return rf"\textbf{{{latex_text(span.text)}}}" if span.bold else latex_text(span.text)
