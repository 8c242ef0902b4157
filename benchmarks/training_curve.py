"""The training loss in bf16 against float32, step by step, and against what another order of the data changes.

    RDUN_DATA=... python benchmarks/training_curve.py curve.csv [--system "R-COAST 5x4"] [--steps 300] [--batch 64]

Three runs from the same weights: the reference (`benchmarks/plain.py`, float32), rdun in bf16 on the same blocks, operators and
recursion counts, and the reference on other blocks. The table has the mean loss in dB (-10 log10) over windows of 50 steps. The
differences of bf16 to the reference should be small beside those of the other order.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import torch
from torch import Tensor

from benchmarks.record import write_rows
from benchmarks.training_step import SYSTEMS, Workload
from rdun.config import with_values
from rdun.models import build_model
from rdun.training import Batches, TrainState, train_step

WINDOW = 50


def batches(workload: Workload, epoch: int) -> Iterator[Tensor]:
    """Blocks of an epoch, and of those after it."""
    made = Batches(workload.blocks, workload.task.patch, workload.device)
    for number in itertools.count(epoch):
        yield from made.epoch(workload.blocks.epoch_order(0, number), workload.config.optim.batch)


def reference(workload: Workload, steps: int, epoch: int) -> list[float]:
    """Losses of the plain loop."""
    trainer = workload.plain_trainer()
    for x, (operator, counts) in zip(batches(workload, epoch), itertools.islice(workload.draws(), steps), strict=False):
        matrix = operator.matrix
        trainer.step(x.flatten(1), matrix, matrix.T @ matrix, operator.estimator, counts)
    return trainer.table


def ours(workload: Workload, steps: int) -> list[float]:
    """Losses of rdun in bf16."""
    config = replace(workload.config, precision="bf16")
    state = TrainState.start(config, build_model(config).place(workload.device).train(), workload.device)
    given = zip(batches(workload, 1), itertools.islice(workload.draws(), steps), strict=False)
    return [float(train_step(config, state, operator, counts, x)[0]) for x, (operator, counts) in given]


def _windows(losses: list[float]) -> list[float]:
    return [-10 * math.log10(sum(part) / len(part)) for part in _parts(losses)]


def _parts(losses: list[float]) -> Iterator[list[float]]:
    return (losses[start : start + WINDOW] for start in range(0, len(losses), WINDOW))


@click.command()
@click.argument("result", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--system", type=click.Choice(list(SYSTEMS)), default="R-COAST 5x4", show_default=True)
@click.option("--steps", type=click.IntRange(min=WINDOW), default=300, show_default=True)
@click.option("--batch", type=click.IntRange(min=1), default=64, show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
def main(result: Path, system: str, steps: int, batch: int, threads: int) -> None:
    """Writes the three curves to RESULT (CSV)."""
    torch.set_num_threads(threads)
    workload = Workload(with_values(SYSTEMS[system], {"optim.batch": batch}), torch.device("cpu"))
    curves = [
        _windows(c) for c in (reference(workload, steps, 1), ours(workload, steps), reference(workload, steps, 2))
    ]
    rows = []
    for number, (plain, bf16, other) in enumerate(zip(*curves, strict=True)):
        row = {"system": system, "batch": batch, "last_step": (number + 1) * WINDOW, "reference": plain, "bf16": bf16}
        row |= {"bf16_minus_reference": bf16 - plain, "other_order_minus_reference": other - plain}
        rows.append({name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()})
        click.echo("  ".join(f"{value!s:<12}" for value in rows[-1].values()))
    write_rows(result, rows)


if __name__ == "__main__":
    main()
