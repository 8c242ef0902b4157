"""How long a large study's report takes to write, and its page to open.

    python benchmarks/report.py report.csv --trials 1000 --images 68 --ratios 5

A synthetic study (2 systems x 5 training sizes x arms, 5 seeds) is written as a real one leaves it, and reported with all tables
and figures. The page is then opened in Chromium without a window, a new profile each time: `open_seconds` runs from the start of
the navigation until the page is loaded, its script has run and all of it is laid out (Navigation Timing); the columns stay
empty where no Chromium is installed. Seconds of a shared machine depend on its load, which is noted; CPU seconds do so less.
"""

from __future__ import annotations

import csv
import os
import platform
import re
import resource
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import click
from joblib.externals.loky import get_reusable_executor

from analysis.pages.browser import BrowserError, browse
from analysis.report import write_report
from rdun.results import Store
from tests.analysis.synthetic import Truth, write_study

SIZES = {"1 %": 0.01, "3 %": 0.03, "10 %": 0.1, "30 %": 0.3, "100 %": 1.0}
PROBE = """<script>addEventListener("load", () => {
  document.body.getBoundingClientRect();
  document.title = "probe " + performance.now() + " probe";
});</script>"""


@dataclass(frozen=True)
class Row:
    """One study. `render_cpu`: CPU seconds of this process and of the helpers that draw; `peak_mib`: memory of this process;
    `open_*`: median and fastest; loads: 1-minute means."""

    trials: int
    images: int
    ratios: int
    score_rows: int
    render_seconds: float
    render_cpu: float
    peak_mib: float
    page_mib: float
    open_seconds: float | None
    open_fastest: float | None
    load_at_render: float
    load_at_open: float
    cores: int
    machine: str


@click.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--trials", default=[1000], show_default=True, multiple=True, type=click.IntRange(min=50))
@click.option("--images", default=68, show_default=True, type=click.IntRange(min=1))
@click.option("--ratios", default=5, show_default=True, type=click.IntRange(min=1, max=9))
@click.option("--times", default=5, show_default=True, type=click.IntRange(min=1), help="How often the page is opened.")
@click.option(
    "--keep", type=click.Path(path_type=Path), help="Write the study there, and leave it; reuse it if it is there."
)
def main(out: Path, trials: tuple[int, ...], images: int, ratios: int, times: int, keep: Path | None) -> None:
    """Writes one row per number of trials to OUT."""
    rows = []
    for count in trials:
        with tempfile.TemporaryDirectory() as place:
            rows.append(measure(Path(keep or place) / str(count), count, images, ratios, times))
            click.echo(rows[-1])
    with out.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(asdict(rows[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(r) for r in rows)


def measure(folder: Path, trials: int, images: int, ratios: int, times: int) -> Row:
    """Writes the study if it is not there, reports it and opens the page."""
    truth = made_up(trials, images, ratios)
    if not (folder / "study" / "plan.json").is_file():
        write_study(folder, truth)
    load = os.getloadavg()[0]
    page, seconds, cpu = render(folder)
    opened = _open(page, times)
    return Row(
        trials=trials,
        images=images,
        ratios=ratios,
        score_rows=sum(f.read_bytes().count(b"\n") - 1 for f in (folder / "trials").glob("*/scores.csv")),
        render_seconds=round(seconds, 1),
        render_cpu=round(cpu, 1),
        peak_mib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        page_mib=round(page.stat().st_size / 2**20, 2),
        open_seconds=round(median(opened), 2) if opened else None,
        open_fastest=round(min(opened), 2) if opened else None,
        load_at_render=round(load, 1),
        load_at_open=round(os.getloadavg()[0], 1),
        cores=os.cpu_count() or 0,
        machine=f"{platform.machine()}, Python {platform.python_version()}",
    )


def render(folder: Path) -> tuple[Path, float, float]:
    """Reports a study of `write_study`: the page, seconds, and CPU seconds of this process and of the helpers that draw."""
    begun, used = time.perf_counter(), _cpu()
    page = write_report(folder / "study", Store(folder / "trials")).path
    seconds = time.perf_counter() - begun
    get_reusable_executor(reuse=True).shutdown(wait=True)  # what helpers have used is known when they have ended
    return page, seconds, _cpu() - used


def made_up(trials: int, images: int, ratios: int, sizes: Mapping[str, float] = SIZES) -> Truth:
    """A study of 2 systems x training sizes x as many variants x 5 seeds as make this many trials."""
    variants = trials // (2 * len(sizes) * 5)
    effects = {"unrolled": 0.0} | {f"variant {i}": 0.02 * i for i in range(1, max(variants, 1))}
    return Truth(
        name=f"synthetic-{trials}",
        title=f"{trials} synthetic trials",
        sizes=sizes,
        effects=effects,
        seeds=range(5),
        images=[f"test{i:03}.png" for i in range(images)],
        ratios=[0.01, 0.04, 0.1, 0.25, 0.3, 0.4, 0.5, 0.6, 0.75][:ratios],
        pictures=False,
    )


def _open(page: Path, times: int) -> list[float]:
    """Seconds until the page is open, each in a new browser; the probe is the only change to the page."""
    with tempfile.TemporaryDirectory() as place:
        probed = Path(place) / "report.html"
        text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text())
        probed.write_text(text.replace("</body>", PROBE + "</body>"))
        try:
            return [_milliseconds(browse(probed, "--dump-dom")) / 1000 for _ in range(times)]
        except BrowserError as error:
            click.echo(error, err=True)
            return []


def _milliseconds(dom: str) -> float:
    found = re.search(r"<title>probe ([\d.]+) probe</title>", dom)
    assert found, "the page has no title of the probe"
    return float(found[1])


def _cpu() -> float:
    own, helpers = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in (own, helpers))


if __name__ == "__main__":
    main()
