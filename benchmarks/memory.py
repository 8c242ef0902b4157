"""Time against memory of a training step of R-COAST, as the recursions grow, with and without recomputation.

    python benchmarks/memory.py memory.csv [--batch 64] [--recursions 4,16,64] [--device cuda]

5 layers, every stage applied the given number of times, bf16 convolutions, blocks of noise. Each row is a process of its own: its
memory is the peak of the process (on a GPU: of PyTorch's allocations) less what it took before the first step.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import torch

from benchmarks.record import peak_mib, write_rows
from rdun.config import TrialConfig, UniformRange, with_values
from rdun.models import build_model
from rdun.operators import BlockSensing, gaussian_matrix
from rdun.training import TrainState, train_step
from studies.base import R_COAST


@dataclass(frozen=True)
class Row:
    """One way of taking a step: milliseconds (median) and peak memory in MiB."""

    layers: int
    recursions: int
    recompute: bool
    batch: int
    ms: float
    mib: float


def stepper(recursions: int, recompute: bool, batch: int, device: torch.device) -> Callable[[int], None]:
    """A function that takes one training step with each of the five stages applied so many times, `recursions` at most."""
    config: TrialConfig = with_values(R_COAST, {"precision": "bf16", "optim.batch": batch, "model.start": "identity"})
    config = with_values(config, {"recursion.train": UniformRange(low=(1,), high=(recursions,))})
    state = TrainState.start(config, build_model(config).place(device).train(), device)
    state.network.recompute = recompute
    matrix = torch.from_numpy(gaussian_matrix(272, 1089, 0)).float().to(device)
    operator, x = BlockSensing(matrix, (33, 33)), torch.rand(batch, 1, 33, 33, device=device)

    def step(count: int) -> None:
        train_step(config, state, operator, (count,) * config.model.layers, x)
        if device.type == "cuda":
            torch.cuda.synchronize()

    return step


def _measure(recursions: int, recompute: bool, batch: int, steps: int, where: str, threads: int) -> Row:
    device = torch.device(where)
    torch.set_num_threads(threads)
    step = stepper(recursions, recompute, batch, device)
    step(1)  # libraries set themselves up
    before, times = peak_mib(device), []
    for _ in range(steps):
        start = time.perf_counter()
        step(recursions)
        times.append(1000 * (time.perf_counter() - start))
    ms, mib = round(statistics.median(times), 1), round(peak_mib(device) - before, 1)
    return Row(R_COAST.model.layers, recursions, recompute, batch, ms, mib)


@click.command()
@click.argument("result", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--recursions", default="4,16,64", show_default=True, help="Of each of the five stages.")
@click.option("--batch", type=click.IntRange(min=1), default=64, show_default=True)
@click.option("--steps", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--device", "where", type=click.Choice(["cpu", "cuda"]), help="The GPU where there is one.")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
def main(result: Path, recursions: str, batch: int, steps: int, where: str | None, threads: int) -> None:
    """Writes one row per number of recursions and way to RESULT (CSV)."""
    where = where or ("cuda" if torch.cuda.is_available() else "cpu")
    rows: list[Row] = []
    fresh = multiprocessing.get_context("spawn")
    for count in map(int, recursions.split(",")):
        for recompute in (False, True):
            with ProcessPoolExecutor(max_workers=1, mp_context=fresh) as pool:
                rows.append(pool.submit(_measure, count, recompute, batch, steps, where, threads).result())
            click.echo("  ".join(f"{value!s:<10}" for value in asdict(rows[-1]).values()))
            write_rows(result, [asdict(row) for row in rows], torch.device(where))


if __name__ == "__main__":
    main()
