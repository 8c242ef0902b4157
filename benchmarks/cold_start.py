"""How long commands take in a new process, with their files in the disk's cache.

    RDUN_DATA=... python benchmarks/cold_start.py cold-start.csv [--times 5]

- help: `studies/run_ablation.py --help`;
- dry run: of the built-in study, where nothing has been run yet;
- report: `--report-only` of a made-up study of 48 trials, without a PDF;
- evaluate: the published R-COAST 5x4 on one image of 256 x 256 pixels, `python -m rdun.weights evaluate`;
- PyTorch: `import torch` alone, which is part of dry run and evaluate.

Medians of wall seconds and of CPU seconds, those of sub-processes included; all commands take turns.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import click
from PIL import Image

from benchmarks.reconstruction import WEIGHTS
from benchmarks.record import write_rows
from rdun.data import image_set, weights_file
from rdun.evaluation import load_pictures
from tests.analysis.synthetic import Truth, write_study

STUDY = "studies/run_ablation.py"
ROOT = Path(__file__).resolve().parent.parent


def commands(place: Path) -> Mapping[str, Sequence[str]]:
    """The arguments of Python by name, with all that they read made ready below `place`."""
    runs, images = place / "runs", place / "images"
    images.mkdir()
    Image.fromarray(load_pictures(image_set("set11"))[0].pixels[:256, :256]).save(images / "one.png")
    home, _ = write_study(runs, Truth())
    (runs / "studies").mkdir()
    home.rename(runs / "studies" / "quickstart")
    weights = str(weights_file(WEIGHTS))
    return {
        "PyTorch": ["-c", "import torch"],
        "help": [STUDY, "--help"],
        "dry run": [STUDY, "--dry-run", "--runs", str(place / "empty")],
        "report": [STUDY, "--report-only", "--runs", str(runs)],
        "evaluate": ["-m", "rdun.weights", "evaluate", weights, str(images), "--ratio", "0.1", "--matrix-seed", "0"],
    }


def run(arguments: Sequence[str]) -> tuple[float, float]:
    """Wall and CPU seconds of a new process."""
    environment = os.environ | {"RDUN_BROWSER": "", "PYTHONPATH": str(ROOT)}
    before, start = _used(), time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, check=True)
    return time.perf_counter() - start, _used() - before


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@click.command()
@click.argument("result", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--times", type=click.IntRange(min=1), default=5, show_default=True, help="How often each command runs.")
def main(result: Path, times: int) -> None:
    """Runs every command in turn and writes RESULT (CSV)."""
    with tempfile.TemporaryDirectory() as place:
        asked = commands(Path(place))
        for arguments in asked.values():
            run(arguments)  # files come into the disk's cache, and are compiled
        found: dict[str, list[tuple[float, float]]] = {what: [] for what in asked}
        for _ in range(times):
            for what, arguments in asked.items():
                found[what].append(run(arguments))
    rows = []
    for what, taken in found.items():
        seconds, used = (round(median(values), 2) for values in zip(*taken, strict=True))
        rows.append({"what": what, "times": times, "seconds": seconds, "cpu_seconds": used})
        click.echo(f"{what:10} {seconds:6.2f} s, CPU {used:6.2f} s")
    write_rows(result, rows)


if __name__ == "__main__":
    main()
