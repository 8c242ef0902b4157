"""report.pdf beside report.html: the page as Chromium prints it, by the page's own print style."""

from __future__ import annotations

import tempfile
from pathlib import Path

from analysis.pages.browser import BrowserError, browse, wanted
from rdun.results import Folder


def write_pdf(folder: Folder) -> str:
    """Prints report.html of a folder to report.pdf; returns why there is none, else an empty string.

    Where RDUN_BROWSER is empty no PDF is wanted, and nothing is to be said. A PDF of an earlier report is removed first: none
    is better than one that says something else than the page.
    """
    folder.remove("report.pdf")
    if not wanted():
        return ""
    with tempfile.TemporaryDirectory() as place:
        page, printed = Path(place) / "report.html", Path(place) / "report.pdf"
        page.write_bytes(folder.read("report.html"))
        try:
            browse(page, f"--print-to-pdf={printed}", "--no-pdf-header-footer")
        except BrowserError as error:
            return f"report.pdf was left out: {error}"
        if not printed.is_file():
            return "report.pdf was left out: the browser ended without a file; print report.html from a browser"
        folder.write("report.pdf", printed.read_bytes())
    return ""
