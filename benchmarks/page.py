"""Writes docs/performance.md: benchmarks/performance.md.j2 with the tables and figures of results/, whence all its numbers come.

python benchmarks/page.py
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.growth_figure import write_figure

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"


def page() -> str:
    """The text of docs/performance.md."""
    # What is filled in is Markdown from files of this repository.
    environment = Environment(
        loader=FileSystemLoader(ROOT / "benchmarks"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template("performance.md.j2").render(table=table)


def table(file: str, columns: Mapping[str, str]) -> str:
    """The measurements of a file below results/ as a Markdown table, with where and when.

    Args:
        columns: heading by column of the file.
    """
    with (ROOT / "results" / file).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    right = ["---:" if all(_is_number(row[name]) for row in rows) else "---" for name in columns]
    lines = [list(columns.values()), right, *([row[name] or "–" for name in columns] for row in rows)]
    return "\n".join(["| " + " | ".join(line) + " |" for line in lines] + ["", f"results/{file}: {_where(rows)}."])


def _where(rows: Sequence[Mapping[str, str]]) -> str:
    row = rows[0]
    found = [row[name] for name in ("machine", "device", "versions", "torch", "date") if row.get(name)]
    if row.get("cores"):
        found.insert(1, f"{row['cores']} cores")
    return "; ".join(found)


def _is_number(text: str) -> bool:
    try:
        float(text or 0)
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    PAGE.write_text(page())
    write_figure(ROOT / "results" / "growth.csv", ROOT / "docs" / "figures")
    print(f"wrote {PAGE.relative_to(ROOT)}")
