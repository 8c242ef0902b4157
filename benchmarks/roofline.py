"""Where the time of a training step goes, and the least time that this machine could do it in.

    RDUN_DATA=... python benchmarks/roofline.py roofline.csv [--rounds 10] [--systems "R-COAST 5x4"] [--batch 64]

`train_step` as a trial runs it, on T91 blocks. By kind of operation: its time in PyTorch's profiler, its floating-point
operations (two per multiply-accumulate), and the bytes that its tensors have, read and written once per operation. The least
time of a kind is the larger of operations by the rate of a large matrix product of the same type and bytes by the rate of a large
copy, both measured in this run. Fusing operations would save bytes, a better algorithm operations.

The last row of each table is the whole step, timed without the profiler (on a GPU as CUDA graphs), against the sum of the least
times.
"""

from __future__ import annotations

import itertools
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from benchmarks.record import write_rows
from benchmarks.training_step import DTYPES, SYSTEMS, Workload, bandwidth, batches, matrix_rate, prepared, wait
from rdun import monitor
from rdun.config import Precision, with_values

PRODUCTS = ("mm", "bmm", "addmm", "baddbmm", "addbmm", "mv", "addmv", "dot")
KINDS = ("convolutions", "matrix products", "optimizer", "element-wise and sums")


def kind_of(name: str) -> str:
    """The kind of an operation of PyTorch, by its name without "aten::"."""
    if "convolution" in name:
        return "convolutions"
    if name in PRODUCTS:
        return "matrix products"
    return "optimizer" if "adam" in name else "element-wise and sums"


class Counted(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what is dispatched while it is entered, forward and backward.

    Attributes:
        operations, bytes: by kind. An operation that only gives a view or an empty tensor counts nothing.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: dict[str, float] = defaultdict(float)
        self.bytes: dict[str, float] = defaultdict(float)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if "empty" in name or any(r.alias_info and not r.alias_info.is_write for r in func._schema.returns):
            return out
        kind = kind_of(name)
        self.bytes[kind] += sum(map(size, tree_leaves((args, kwargs, out))))
        if func.overloadpacket in flop_registry:
            self.operations[kind] += flop_registry[func.overloadpacket](*args, **(kwargs or {}), out_val=out)
        return out


def size(value: object) -> int:
    """Bytes of a tensor; of one that repeats its values (`expand`) those that are there."""
    if not isinstance(value, Tensor):
        return 0
    return min(value.numel() * value.element_size(), value.untyped_storage().nbytes())


def profiled(step: Callable[[], None], steps: int, device: torch.device) -> dict[str, float]:
    """Seconds per step by kind, on the device, in the profiler."""
    gpu = device.type == "cuda"
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]) as seen:
        for _ in range(steps):
            step()
        wait(device)
    seconds: dict[str, float] = defaultdict(float)
    for event in seen.key_averages():
        if event.key.startswith("aten::"):
            spent = event.self_device_time_total if gpu else event.self_cpu_time_total
            seconds[kind_of(event.key.removeprefix("aten::"))] += spent / 1e6 / steps
    return seconds


@dataclass(frozen=True)
class Rates:
    """What this machine does per second: operations of a matrix product of the step's type, bytes of a copy."""

    operations: float
    bytes: float

    def least(self, operations: float, moved: float) -> float:
        """Seconds below which this cannot be done."""
        return max(operations / self.operations, moved / self.bytes)


class Row(NamedTuple):
    """A kind of operation, or the whole step: its seconds, their share, and the least seconds that it could take."""

    kind: str
    seconds: float
    share: float
    operations: float
    bytes: float
    least: float


def rows(whole: float, seconds: Mapping[str, float], counted: Counted, rates: Rates) -> list[Row]:
    """By kind, and for the whole step."""
    found = []
    for kind in KINDS:
        operations, moved = counted.operations[kind], counted.bytes[kind]
        share = seconds[kind] / (sum(seconds.values()) or 1.0)  # a driver may not let the profiler see the device
        found.append(Row(kind, seconds[kind], share, operations, moved, rates.least(operations, moved)))
    operations, moved = sum(row.operations for row in found), sum(row.bytes for row in found)
    return [*found, Row("the whole step", whole, 1.0, operations, moved, sum(row.least for row in found))]


def measure(workload: Workload, precision: Precision, rounds: int, rates: Rates) -> list[dict[str, object]]:
    """The rows of one system in one precision; all steps have the same recursion counts, the longest ones."""
    device, given = workload.device, itertools.cycle(batches(workload))
    draws, counts = workload.draws(), workload.config.high_counts
    step = workload.ours(precision)
    whole = workload.ours(precision, graphs=True) if device.type == "cuda" else step

    def once(way: Callable[..., None]) -> None:
        way(next(draws)[0], counts, next(given))

    for way in (step, whole):
        for _ in range(3):
            once(way)
    times = []
    for _ in range(rounds):
        wait(device)
        start = time.perf_counter()
        once(whole)
        wait(device)
        times.append(time.perf_counter() - start)
    counted = Counted()
    with counted:
        once(step)
    found = rows(statistics.median(times), profiled(lambda: once(step), rounds, device), counted, rates)
    return [
        {
            "kind": row.kind,
            "ms": round(1000 * row.seconds, 2),
            "share": round(row.share, 3),
            "gigaoperations": round(row.operations / 1e9, 2),
            "gigabytes": round(row.bytes / 1e9, 3),
            "least_ms": round(1000 * row.least, 2),
            "of_least": round(row.least / row.seconds, 3) if row.seconds else "",
        }
        for row in found
    ]


@click.command()
@click.argument("result", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--rounds", type=click.IntRange(min=3), default=10, show_default=True)
@click.option("--systems", default=",".join(SYSTEMS), show_default=True)
@click.option("--batch", type=click.IntRange(min=1), default=64, show_default=True)
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    type=click.Choice(sorted(DTYPES)),
    default=("fp32", "bf16"),
    show_default=True,
)
@click.option("--device", "where", type=click.Choice(["cpu", "cuda"]), help="The GPU where there is one.")
@click.option("--threads", type=click.IntRange(min=1), default=len(os.sched_getaffinity(0)), show_default="all cores")
def main(
    result: Path,
    rounds: int,
    systems: str,
    batch: int,
    precisions: Sequence[Precision],
    where: str | None,
    threads: int,
) -> None:
    """Profiles every system and writes RESULT (CSV)."""
    names, device = prepared(systems, where, threads)
    found: list[dict[str, object]] = []
    for system, precision in itertools.product(names, precisions):
        rates = Rates(matrix_rate(precision, device), bandwidth(device))
        click.echo(f"{system}, {precision}: {rates.operations / 1e9:.0f} GFLOP/s, {rates.bytes / 1e9:.1f} GB/s")
        peak = {"peak_gigaflops": round(rates.operations / 1e9, 1), "copy_gigabytes": round(rates.bytes / 1e9, 1)}
        workload = Workload(with_values(SYSTEMS[system], {"optim.batch": batch}), device)
        for row in measure(workload, precision, rounds, rates):
            found.append({"system": system, "batch": batch, "precision": precision, **row, **peak})
            click.echo("  " + "  ".join(f"{value!s:<14}" for value in row.values()))
        write_rows(result, found, device)
    click.echo(f"on {monitor.device_name(device)}, {threads} threads")


if __name__ == "__main__":
    main()
