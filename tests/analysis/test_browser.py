"""What only a browser can show: the page as it runs, and as it is printed. Skipped where no Chromium is installed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from analysis.pages.browser import NAMES, BrowserError, browse, browser
from analysis.pages.pdf import write_pdf
from analysis.report import write_report
from rdun.results import Folder
from tests.analysis.synthetic import Truth, write_study

HOSTILE = '</script><script>document.title = "taken over"</script><img src=x onerror="document.title = \'taken over\'">'
needs_browser = pytest.mark.skipif(not any(map(shutil.which, NAMES)), reason="no Chromium is installed")


@pytest.fixture(autouse=True)
def wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RDUN_BROWSER")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a small study whose every name attacks the page."""
    truth = Truth(
        name=HOSTILE, title=HOSTILE, systems=(HOSTILE,), sizes={"10 %": 0.1}, seeds=(0, 1), images=("a.png", "b.png"),
        epochs=2, dataset="test", pictures=False,
        statuses={(f"{HOSTILE}, recursive, 10 %", 1): ("failed", HOSTILE)},
    )  # fmt: skip
    return write_report(*write_study(tmp_path_factory.mktemp("browsed"), truth)).path


def driven(page: Path, script: str) -> str:
    """The page's DOM after a script of the test has run in it; the page's own policy is lifted for that."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text())
    copy = page.with_name("driven.html")
    copy.write_text(text.replace("</body>", f"<script>{script}</script></body>"))
    return browse(copy, "--dump-dom")


@needs_browser
def test_hostile_names_do_not_run(page: Path) -> None:
    lifted = driven(page, "")  # without the policy that would stop them too
    for dom in (browse(page, "--dump-dom"), lifted):
        assert "<title>taken over</title>" not in dom
        assert 'class="theme"' in dom, "the page's own script has run"


@needs_browser
def test_the_trials_table_is_sorted_filtered_and_found_by_address(page: Path) -> None:
    script = """
      const table = document.getElementById("trial-table"), filter = document.getElementById("filter");
      const out = [], seeds = () => [...table.tBodies[0].rows].map((r) => r.cells[1].textContent).join("");
      const sorter = table.tHead.rows[0].cells[1].querySelector("button");
      sorter.click(); out.push(seeds());
      sorter.click(); out.push(seeds(), table.tHead.rows[0].cells[1].getAttribute("aria-sort"));
      filter.value = "failed"; filter.dispatchEvent(new Event("input"));
      out.push([...table.tBodies[0].rows].filter((r) => !r.hidden).length, document.getElementById("shown").textContent);
      const hidden = [...table.tBodies[0].rows].find((r) => r.hidden);
      location.hash = hidden.id; dispatchEvent(new Event("hashchange"));
      out.push(hidden.hidden, hidden.id.startsWith("trial-"), sorter.tagName);
      document.title = JSON.stringify(out);
    """
    title = re.search(r"<title>(.*?)</title>", driven(page, script))
    assert title and title[1].replace("&quot;", '"') == (
        '["00001111","11110000","descending",1,"1 of 8",false,true,"BUTTON"]'
    )


@needs_browser
def test_the_page_fits_phone_and_desktop(page: Path) -> None:
    """Only tables and figures that scroll by themselves may be wider than the window."""
    widths = (390, 1200)
    frame, copy = page.with_name("framed.html"), page.with_name("driven.html")
    driven(page, "parent.postMessage([innerWidth, document.documentElement.scrollWidth], '*')")
    frames = "".join(f'<iframe src="{copy.name}" style="border:0;width:{w}px;height:800px"></iframe>' for w in widths)
    listen = "addEventListener('message', (e) => { document.title += e.data.join(':') + ','; });"
    frame.write_text(f"<script>{listen}</script>{frames}")
    title = re.search(r"<title>(.*?)</title>", browse(frame, "--dump-dom", "--virtual-time-budget=2000"))
    assert title and sorted(title[1].strip(",").split(",")) == ["1200:1200", "390:390"]


@needs_browser
def test_the_page_is_printed_whole(page: Path) -> None:
    assert write_pdf(Folder(page.parent)) == ""
    pdf = (page.parent / "report.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-") and len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 3
    assert re.search(rb"/MediaBox\s*\[0 0 59[45]", pdf), "A4"


def test_without_a_browser_no_stale_pdf_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "report.html").write_text("<p>new")
    (tmp_path / "report.pdf").write_bytes(b"old")
    monkeypatch.setenv("RDUN_BROWSER", "no-such-browser")
    assert write_pdf(Folder(tmp_path)) == (
        "report.pdf was left out: RDUN_BROWSER='no-such-browser' is no program; name a Chromium or Chrome, or unset it"
    )
    assert not (tmp_path / "report.pdf").exists()
    monkeypatch.setenv("RDUN_BROWSER", "")
    assert write_pdf(Folder(tmp_path)) == ""  # said to be unwanted: nothing to tell
    assert not (tmp_path / "report.pdf").exists()
    monkeypatch.delenv("RDUN_BROWSER")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrowserError, match="no Chromium or Chrome was found; install one"):
        browser()


def test_a_browser_that_fails_or_hangs_costs_no_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "browser"
    program.write_text("#!/bin/sh\necho 'cannot open display' >&2\nexit 3\n")
    program.chmod(0o755)
    (tmp_path / "report.html").write_text("<p>new")
    monkeypatch.setenv("RDUN_BROWSER", str(program))
    assert write_pdf(Folder(tmp_path)).endswith("failed with status 3: cannot open display")
    program.write_text("#!/bin/sh\nsleep 60 & wait\n")
    with pytest.raises(BrowserError, match=r"did not end within 0\.5 s"):
        browse(tmp_path / "report.html", seconds=0.5)
