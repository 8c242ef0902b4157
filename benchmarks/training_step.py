"""Training steps per second against a plain training loop, by system and by how the step is run.

    RDUN_DATA=... python benchmarks/training_step.py step.csv [--rounds 10] [--systems "R-COAST 5x4"] [--batch 64]

Batches of T91 blocks, the systems of the paper. All ways of one system take turns on the same blocks, operators and recursion
counts, so that the load of the machine strikes them alike; values are medians over rounds. Ways:

- reference: float32 as the published training loops are written (`benchmarks/plain.py`), batches from two loader processes; on a
  GPU, where such a loop rounds its convolutions to TF32 because that is PyTorch's default, also without that rounding;
- rdun: `train_step` as a trial runs it, in fp32, bf16 and on a GPU TF32;
- graphs: on a GPU, CUDA graphs of stage applications (`rdun.training.graphs`).

The operations of a step's convolutions are counted (two per multiply-accumulate, threefold with the backward pass); `of_peak` is
their rate by that of a large matrix product of the same type in the same run. RESULT grows system by system.
"""

from __future__ import annotations

import itertools
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click
import torch
from torch import Tensor

from benchmarks import plain
from benchmarks.record import write_rows
from rdun import monitor
from rdun.config import CoastConfig, Precision, TrialConfig, with_values
from rdun.data import TrainingBlocks, image_set, training_blocks
from rdun.models import build_model, convolutions, draw_counts
from rdun.operators import BlockSensing, GaussianBlockTask, make_task
from rdun.streams import stream
from rdun.training import Batches, GraphedStep, TrainState, train_step
from studies.base import COAST, ISTA_NET_PLUS, R_COAST, R_ISTA_NET_PLUS

SYSTEMS = {
    "R-COAST 5x4": R_COAST,
    "COAST 20x1": COAST,
    "ISTA-Net+ 3x3": R_ISTA_NET_PLUS,
    "ISTA-Net+ 9x1": ISTA_NET_PLUS,
}
DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}
COLUMNS = [
    "system",
    "way",
    "precision",
    "ms",
    "samples_per_second",
    "times_reference",
    "gigaflops",
    "of_peak",
    "threads",
]
WORKERS = 2

Step = Callable[[BlockSensing, Sequence[int], Tensor], None]


class Workload:
    """One system: what its steps are given, in an order that the seed fixes."""

    def __init__(self, config: TrialConfig, device: torch.device) -> None:
        self.config, self.device = (
            with_values(config, {"task.matrices": 1}),
            device,
        )  # making fifty is not part of a step
        self.blocks: TrainingBlocks = training_blocks(image_set(config.data.train), config.data, config.task.block)
        moment = self.blocks.moment if config.task.initial == "linear" else None
        task = make_task(self.config.task, moment, device)
        assert isinstance(task, GaussianBlockTask)
        self.task = task

    def draws(self) -> Iterator[tuple[BlockSensing, tuple[int, ...]]]:
        """Operators and recursion counts without end."""
        matrices, recursions = stream(0, "matrices"), stream(0, "recursions")
        while True:
            operator = self.task.draw(matrices)
            assert isinstance(operator, BlockSensing)
            yield operator, draw_counts(self.config.recursion.train, self.config.model.layers, recursions)

    def reference(self, *, tf32: bool = False) -> Step:
        """The plain loop, with its loader."""
        trainer = self.plain_trainer()
        loader = plain.batches(self.blocks.pixels, self.config.optim.batch, WORKERS)
        products: dict[int, Tensor] = {}

        def step(operator: BlockSensing, counts: Sequence[int], _: Tensor) -> None:
            matrix = operator.matrix
            if id(matrix) not in products:
                products[id(matrix)] = matrix.T @ matrix
            x = next(loader).to(self.device)
            with convolutions(self.device, tf32=tf32):
                trainer.step(x, matrix, products[id(matrix)], operator.estimator, counts)

        return step

    def plain_trainer(self) -> plain.Trainer:
        """The plain network with the weights that rdun's starts from."""
        layers, recursive = self.config.model.layers, sum(self.config.high_counts) > self.config.model.layers
        longest = sum(self.config.high_counts) if recursive else None
        kind = plain.Coast if isinstance(self.config.model, CoastConfig) else plain.IstaNetPlus
        network = kind(layers, self.config.model.channels, longest)
        plain.take_over(network, build_model(self.config))
        return plain.Trainer(network.to(self.device), self.config.optim.lr)

    def ours(self, precision: Precision, *, graphs: bool = False) -> Step:
        """rdun's step."""
        config = replace(self.config, precision=precision)
        state = TrainState.start(config, build_model(config).place(self.device).train(), self.device)
        graphed = GraphedStep(config, state, self.task, self.device) if graphs else None

        def step(operator: BlockSensing, counts: Sequence[int], x: Tensor) -> None:
            if graphed:
                graphed(operator, counts, x)
            else:
                train_step(config, state, operator, tuple(counts), x)

        return step

    def ways(self) -> dict[tuple[str, Precision], Step]:
        """All ways that this device has, the reference first."""
        gpu = self.device.type == "cuda"
        ways: dict[tuple[str, Precision], Step] = {}
        if gpu:
            ways["reference", "tf32"] = self.reference(tf32=True)
        ways["reference", "fp32"] = self.reference()
        for graphs, precision in itertools.product((False, True) if gpu else (False,), precisions(self.device)):
            ways["graphs" if graphs else "rdun", precision] = self.ours(precision, graphs=graphs)
        return ways

    def operations(self, counts: Sequence[int]) -> float:
        """Floating-point operations of the convolutions of a step, forward and backward."""
        c, pixels = self.config.model.channels, self.config.task.block**2
        per_pixel = 9 * (
            6 * c * c + 2 * c
        )  # COAST: three blocks; ISTA-Net+: F once, B twice, the second time for the penalty
        return 6.0 * pixels * per_pixel * self.config.optim.batch * sum(counts)


def measure(workload: Workload, rounds: int, window: int) -> Iterator[tuple[str, Precision, list[float], list[float]]]:
    """By way: seconds and operations of each round."""
    blocks = itertools.cycle(batches(workload))
    ways, draws = workload.ways(), workload.draws()
    seconds: dict[tuple[str, Precision], list[float]] = {way: [] for way in ways}
    operations: list[float] = []
    for _ in range(rounds + 1):
        given = [(*next(draws), next(blocks)) for _ in range(window)]
        operations.append(sum(workload.operations(counts) for _, counts, _ in given))
        for way, step in ways.items():
            wait(workload.device)
            start = time.perf_counter()
            for operator, counts, x in given:
                step(operator, counts, x)
            wait(workload.device)
            seconds[way].append((time.perf_counter() - start) / window)
    for (name, precision), found in seconds.items():
        yield name, precision, found[1:], [value / window for value in operations[1:]]


def batches(workload: Workload) -> list[Tensor]:
    """The first batches of an epoch, on the device."""
    made = Batches(workload.blocks, workload.task.patch, workload.device)
    return list(itertools.islice(made.epoch(workload.blocks.epoch_order(0, 1), workload.config.optim.batch), 32))


def wait(device: torch.device) -> None:
    """Returns when the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def precisions(device: torch.device) -> list[Precision]:
    """Those that are measured on a device."""
    return [name for name in DTYPES if name != "tf32" or device.type == "cuda"]


def matrix_rate(precision: Precision, device: torch.device) -> float:
    """Operations per second of a large matrix product."""
    side = 8192 if device.type == "cuda" else 2048
    a = torch.randn(side, side, device=device).to(DTYPES[precision])
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        return 2.0 * side**3 / _fastest(lambda: a @ a, device)
    finally:
        torch.set_float32_matmul_precision("highest")


def bandwidth(device: torch.device) -> float:
    """Bytes per second that a copy of 256 MiB reads and writes."""
    a = torch.zeros(2**26, device=device)
    b = torch.empty_like(a)
    return 8.0 * len(a) / _fastest(lambda: b.copy_(a), device)


def _fastest(work: Callable[[], object], device: torch.device) -> float:
    times = []
    for _ in range(7):
        wait(device)
        start = time.perf_counter()
        work()
        wait(device)
        times.append(time.perf_counter() - start)
    return min(times)


def prepared(systems: str, where: str | None, threads: int) -> tuple[list[str], torch.device]:
    """The systems of `--systems`, and the device; PyTorch has its threads, and float32 products are exact.

    Raises:
        click.UsageError: an unknown system.
    """
    names = systems.split(",")
    if unknown := [name for name in names if name not in SYSTEMS]:
        raise click.UsageError(f"--systems: {unknown[0]!r} is not one of {', '.join(SYSTEMS)}")
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("highest")
    return names, torch.device(where or ("cuda" if torch.cuda.is_available() else "cpu"))


@click.command()
@click.argument("result", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--rounds", type=click.IntRange(min=3), default=10, show_default=True)
@click.option("--systems", default=",".join(SYSTEMS), show_default=True)
@click.option("--batch", type=click.IntRange(min=1), default=64, show_default=True)
@click.option("--device", "where", type=click.Choice(["cpu", "cuda"]), help="The GPU where there is one.")
@click.option("--threads", type=click.IntRange(min=1), default=len(os.sched_getaffinity(0)), show_default="all cores")
def main(result: Path, rounds: int, systems: str, batch: int, where: str | None, threads: int) -> None:
    """Times every system in every way and writes RESULT (CSV)."""
    names, device = prepared(systems, where, threads)
    peaks = {name: matrix_rate(name, device) for name in precisions(device)}
    copy = bandwidth(device)
    click.echo(
        f"{monitor.device_name(device)}, {threads} threads, torch {torch.__version__}: GFLOP/s of a matrix product "
        f"{peaks['fp32'] / 1e9:.0f} (float32), {peaks['bf16'] / 1e9:.0f} (bf16), copy {copy / 1e9:.0f} GB/s"
    )
    known: dict[str, object] = {f"peak_gigaflops_{name}": round(rate / 1e9, 1) for name, rate in peaks.items()}
    known["copy_gigabytes"] = round(copy / 1e9, 1)
    rows: list[dict[str, object]] = []
    for system in names:
        reference: list[float] = []
        for way, precision, seconds, operations in measure(
            Workload(with_values(SYSTEMS[system], {"optim.batch": batch}), device),
            rounds,
            10 if device.type == "cuda" else 1,
        ):
            reference = reference or seconds
            rate = statistics.median(o / s for o, s in zip(operations, seconds, strict=True))
            ratio = statistics.median(r / s for r, s in zip(reference, seconds, strict=True))
            ms = 1000 * statistics.median(seconds)
            values = (
                system,
                way,
                precision,
                round(ms, 2),
                round(1000 * batch / ms, 1),
                round(ratio, 2),
                round(rate / 1e9, 1),
            )
            row = (*values, round(rate / peaks[precision], 3), threads)
            rows.append({**dict(zip(COLUMNS, row, strict=True)), **known})
            click.echo("  ".join(f"{v!s:<14}" for v in row[:8]))
        write_rows(result, rows, device)


if __name__ == "__main__":
    main()
