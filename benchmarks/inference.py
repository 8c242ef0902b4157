"""The inference column of the paper's Table 2 beside this machine: images per second of the recursive and the unrolled networks.

    python benchmarks/inference.py inference.csv [--device cuda] [--rounds 7]

The four networks of Table 2 at their published sizes, with the seed's initialisation (the weights do not change the time),
reconstruct one image of 256 x 256 pixels (as most of Set11) at a ratio of 10 % in float32; they take turns. What counts is the
ratio of recursive to unrolled: both apply about as many stages, so that recursion should cost no time.
"""

from __future__ import annotations

import csv
import os
import statistics
import time
from pathlib import Path

import click
import torch

from benchmarks.record import write_rows
from rdun.allocator import keep_freed_memory
from rdun.config import TrialConfig, with_values
from rdun.evaluation import Reconstructor
from rdun.models import build_model
from rdun.operators import make_task
from studies.base import COAST, ISTA_NET_PLUS, R_COAST, R_ISTA_NET_PLUS

TABLE = Path(__file__).parent.parent / "analysis" / "reference" / "table2.csv"
SYSTEMS: dict[tuple[str, str], TrialConfig] = {
    ("ISTA-Net+", "base"): ISTA_NET_PLUS,
    ("ISTA-Net+", "recursive"): R_ISTA_NET_PLUS,
    ("COAST", "base"): COAST,
    ("COAST", "recursive"): R_COAST,
}
SIDE = 256


class Timed:
    """A network that reconstructs one image, and the seconds that it took."""

    def __init__(self, config: TrialConfig, device: torch.device) -> None:
        small = with_values(
            config, {"task.ratios": (0.1,), "data.validation_ratios": (), "task.initial": "adjoint", "task.ridge": 0.0}
        )
        self.device = device
        self.operator = make_task(small.task, None, device).test_operators((SIDE, SIDE))[0].operator
        self.network = build_model(small).place(device).eval()
        self.reconstruct = Reconstructor(self.network, small.test_counts, small.model.deblock)
        self.image = torch.rand(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).to(device)
        self.seconds: list[float] = []

    def run(self, *, count: bool = True) -> None:
        start = time.perf_counter()
        float(self.reconstruct(self.operator, self.image).mean())
        if count:
            self.seconds.append(time.perf_counter() - start)


@click.command()
@click.argument("result", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--rounds", type=click.IntRange(min=1), default=7, show_default=True)
@click.option("--device", "where", type=click.Choice(["cpu", "cuda"]), help="The GPU where there is one.")
@click.option("--threads", type=click.IntRange(min=1), default=len(os.sched_getaffinity(0)), show_default="all cores")
def main(result: Path, rounds: int, where: str | None, threads: int) -> None:
    """Writes RESULT (CSV)."""
    device = torch.device(where or ("cuda" if torch.cuda.is_available() else "cpu"))
    torch.set_num_threads(threads)
    keep_freed_memory()
    timed = {name: Timed(config, device) for name, config in SYSTEMS.items()}
    for number in range(rounds + 1):
        for each in timed.values():
            each.run(count=number > 0)
    with TABLE.open(newline="") as file:
        published = {(row["model"], row["configuration"]): row for row in csv.DictReader(file)}
    rows = []
    for (model, configuration), each in timed.items():
        base, paper = timed[model, "base"], published[model, configuration]
        of_base = statistics.median(b / own for b, own in zip(base.seconds, each.seconds, strict=True))
        of_paper = float(paper["images_per_second"]) / float(published[model, "base"]["images_per_second"])
        row = {"model": model, "layers": paper["layers"], "recursions": paper["recursions"]}
        row |= {
            "parameters": each.network.parameter_count(),
            "images_per_second": round(1 / statistics.median(each.seconds), 3),
        }
        row |= {
            "times_base": round(of_base, 2),
            "published": paper["images_per_second"],
            "published_times_base": round(of_paper, 2),
        }
        rows.append(row)
        click.echo("  ".join(f"{value!s:<10}" for value in row.values()))
    write_rows(result, rows, device)


if __name__ == "__main__":
    main()
