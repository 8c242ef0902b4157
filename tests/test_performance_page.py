"""docs/performance.md shows what results/ holds."""

from __future__ import annotations

from benchmarks.page import PAGE, page


def test_page_is_current() -> None:
    assert page() == PAGE.read_text(), "results/ or the template changed: run `python benchmarks/page.py`"
