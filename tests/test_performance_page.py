"""docs/performance.md shows what results/ holds."""

from __future__ import annotations

from benchmarks.growth_figure import growth_info
from benchmarks.page import PAGE, ROOT, page


def test_page_is_current() -> None:
    assert page() == PAGE.read_text(), "results/ or the template changed: run `python benchmarks/page.py`"


def test_figure_shows_the_slopes_of_the_table() -> None:
    drawn = (ROOT / "docs" / "figures" / "growth.svg").read_text()
    panels = growth_info(ROOT / "results" / "growth.csv")
    assert sum(len(panel.lines) for panel in panels) >= 6
    for line in (line for panel in panels for line in panel.lines):
        assert f">{line.what}<" in drawn and f">slope {line.slope}<" in drawn, "run `python benchmarks/page.py`"
