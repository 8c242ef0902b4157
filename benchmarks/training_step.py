"""Milliseconds of one training step on a GPU, by system and by how the step is run.

    RDUN_DATA=... python benchmarks/training_step.py result.csv [--steps 100]

Batch 64 of T91 blocks, recursion counts and operators drawn as in training. "plain": kernels launched one by one, in float32 (the
reference), TF32 or bf16; "graphs": CUDA graphs of stage applications (`rdun.training.graphs`). Median over steps, timed with CUDA
events around windows of 10 steps.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import torch

from rdun.config import Precision, TrialConfig, with_values
from rdun.data import image_set, training_blocks
from rdun.models import build_model, draw_counts
from rdun.operators import GaussianBlockTask, make_task
from rdun.training import Batches, GraphedStep, TrainState, train_step
from studies.base import COAST, ISTA_NET_PLUS, R_COAST, R_ISTA_NET_PLUS

SYSTEMS = {
    "R-COAST 5x4": R_COAST,
    "COAST 20x1": COAST,
    "ISTA-Net+ 3x3": R_ISTA_NET_PLUS,
    "ISTA-Net+ 9x1": ISTA_NET_PLUS,
}
WAYS: Sequence[tuple[str, Precision]] = [
    ("plain", "fp32"),
    ("plain", "tf32"),
    ("plain", "bf16"),
    ("graphs", "fp32"),
    ("graphs", "tf32"),
    ("graphs", "bf16"),
]
WINDOW = 10


def milliseconds(config: TrialConfig, way: str, steps: int) -> float:
    """The median time of a step."""
    device = torch.device("cuda")
    blocks = training_blocks(image_set(config.data.train), config.data, config.task.block)
    moment = blocks.moment if config.task.initial == "linear" else None
    few = with_values(config, {"task.matrices": 1})  # making fifty is not part of a step
    task = make_task(few.task, moment, device)
    assert isinstance(task, GaussianBlockTask)
    network = build_model(config).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = TrainState.start(config, network.train(), device)
    graphed = GraphedStep(config, state, task, device) if way == "graphs" else None
    batches = Batches(blocks, task.patch, device).epoch(blocks.epoch_order(0, 1), config.optim.batch)
    windows: list[float] = []
    for _ in range(steps // WINDOW + 2):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        start.record()
        for _ in range(WINDOW):
            operator = task.draw(state.matrices)
            counts = draw_counts(config.recursion.train, config.model.layers, state.recursions)
            if graphed:
                graphed(operator, counts, next(batches))
            else:
                train_step(config, state, operator, counts, next(batches))
        end.record()
        torch.cuda.synchronize()
        windows.append(start.elapsed_time(end) / WINDOW)
    return statistics.median(windows[2:])


@click.command()
@click.argument("result", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--steps", type=click.IntRange(min=20), default=100, show_default=True)
def main(result: Path, steps: int) -> None:
    """Times every system in every way and writes RESULT (CSV)."""
    if not torch.cuda.is_available():
        raise click.UsageError("this benchmark needs a GPU that PyTorch sees")
    torch.set_float32_matmul_precision("highest")
    rows = []
    for system, config in SYSTEMS.items():
        reference = None
        for way, precision in WAYS:
            ms = milliseconds(replace(config, precision=precision), way, steps)
            reference = reference or ms
            rows.append({"system": system, "way": way, "precision": precision, "ms": round(ms, 3)})
            rows[-1] |= {"samples_per_second": round(64_000 / ms), "times_reference": round(reference / ms, 2)}
            click.echo("  ".join(f"{v!s:<14}" for v in rows[-1].values()))
    device = torch.cuda.get_device_name()
    with result.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "device", "torch"])
        writer.writeheader()
        writer.writerows(row | {"device": device, "torch": torch.__version__} for row in rows)


if __name__ == "__main__":
    main()
