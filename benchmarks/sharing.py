"""Trials that share a device, without Ray: what packing by memory counts on, what they take, and how fast they are together.

    RDUN_DATA=... python benchmarks/sharing.py sharing.csv [--systems "R-COAST 5x4"] [--counts 1,2,4] [--device cuda]

A probe tells the memory of one training, as `--probe` does. Then N seeds of it run at once, each in a process of its own, through
the door of `rdun.trial.admission`, as Ray's workers do; steps per second are those of all, with validation, while all train. By
trial, `counted_mib` is what `rdun.plan.packing` counts, `taken_mib` what the device had less while they ran. RESULT grows row by
row.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import click
import torch

from benchmarks.record import write_rows
from benchmarks.training_step import DTYPES, SYSTEMS
from rdun.config import BlockSensingTask, Precision, TrialConfig, with_values
from rdun.plan import Estimate, part_of, probe
from rdun.plan.packing import CONTEXT_MIB, MARGIN
from rdun.results import EpochRecord, TrialDirectory
from rdun.study import Resources
from rdun.trial import Admission, Circumstances, GpuMemory, Stopped, run_trial
from studies.base import pocket
from studies.session import machine

PATIENCE = 180.0
"""Seconds that trials get until all of them have begun, and as many to end."""
LOOK = 0.05


def shared(config: TrialConfig, count: int, device: torch.device, needed: float, seconds: float) -> dict[str, object]:
    """Steps per second of N trials at once, and the memory that each took of the device."""
    context = multiprocessing.get_context("spawn")
    begun, until = context.Value("i", 0), context.Value("d", 0.0)
    free = _free(device)
    least, start = free, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rdun-sharing-") as scratch:
        folders = [f"{scratch}/{seed}" for seed in range(count)]
        them = [
            context.Process(target=_trial, args=(replace(config, seed=seed), folder, device.type, needed, begun, until))
            for seed, folder in enumerate(folders)
        ]
        for each in them:
            each.start()
        while any(each.is_alive() for each in them):
            if begun.value == count and not until.value:
                until.value = time.time() + seconds
            late = time.monotonic() > start + (2 * PATIENCE + seconds if until.value else PATIENCE)
            if late or any(each.exitcode for each in them):
                _end(them)
            least = min(least, _free(device))
            time.sleep(LOOK)
        rates = list(_rates(folders, until.value - seconds))
    failed = sum(each.exitcode != 0 for each in them)
    return {
        "steps_per_second": round(sum(rates), 2),
        "taken_mib": round((free - least) / count) if device.type == "cuda" else "",
        "note": f"{failed} of {count} processes failed" if failed else "",
    }


def _trial(config: TrialConfig, folder: str, device: str, needed: float, begun: Any, until: Any) -> None:
    """A trial that counts itself in after its first epoch, and ends after the second one that all have trained in."""
    together = 0

    def after(record: EpochRecord) -> None:
        nonlocal together
        if record.epoch == 1:
            with begun.get_lock():
                begun.value += 1
        together += until.value > 0
        if together > 2 and time.time() > until.value:
            raise Stopped("measured")

    door = Admission(GpuMemory(), needed, print) if device == "cuda" else None
    run_trial(config, folder, after, device=device, circumstances=Circumstances(alone=False, admission=door))


def shortened(config: TrialConfig, steps: int, precision: Precision) -> TrialConfig:
    """The same steps in short epochs without end. Validation is on one matrix, or it would take several times the part of a short
    epoch that it takes of a whole one; making matrices and estimates is no step."""
    assert isinstance(config.task, BlockSensingTask)
    changes = {
        "optim.epochs": 10_000,
        "data.epoch_samples": steps * config.optim.batch,
        "data.test": (config.data.validation,),
        "precision": precision,
        "task.matrices": 1,
        "task.test_matrix_seeds": config.task.test_matrix_seeds[:1],
        "task.initial": "adjoint",
        "task.ridge": 0.0,
    }
    return with_values(config, changes)


def _end(them: list[SpawnProcess]) -> None:
    for each in them:
        each.kill()
        each.join()


def _rates(folders: list[str], since: float) -> Iterator[float]:
    """Steps per second of each trial over its epochs that began after a moment."""
    for folder in folders:
        epochs = [record for record in TrialDirectory(folder).epochs() if record.timestamp / 1000 >= since]
        if len(epochs) > 1:
            first, last = epochs[0], epochs[-1]
            yield (last.step - first.step) / (last.timestamp - first.timestamp) * 1000


def _free(device: torch.device) -> float:
    return GpuMemory().free_mib() if device.type == "cuda" else 0.0


@click.command()
@click.argument("result", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--systems", default="R-COAST 5x4,ISTA-Net+ 3x3", show_default=True)
@click.option("--counts", default="1,2,4", show_default=True, help="Trials at once.")
@click.option("--size", type=click.Choice(["full", "pocket"]), default="full", show_default=True)
@click.option("--precision", default="bf16", show_default=True, type=click.Choice(sorted(DTYPES)))
@click.option("--steps", type=click.IntRange(min=1), default=100, show_default=True, help="Of an epoch.")
@click.option("--seconds", default=10.0, show_default=True, help="That all train together, at least.")
@click.option("--device", "where", type=click.Choice(["cpu", "cuda"]), help="The GPU where there is one.")
def main(
    result: Path,
    systems: str,
    counts: str,
    size: str,
    precision: Precision,
    steps: int,
    seconds: float,
    where: str | None,
) -> None:
    """Writes one row per system and number of trials to RESULT (CSV)."""
    device = torch.device(where or ("cuda" if torch.cuda.is_available() else "cpu"))
    wanted = Resources(threads=1, gpus=None if device.type == "cuda" else 0)
    rows: list[dict[str, object]] = []
    for system in systems.split(","):
        config = shortened(pocket(SYSTEMS[system]) if size == "pocket" else SYSTEMS[system], steps, precision)
        here = machine(wanted, None)
        peak = probe(config, here, click.echo).gpu_memory_mib
        part = part_of(wanted, here, Estimate(gpu_memory_mib=peak or None, source="probe"), 1000)
        click.echo(f"{system}: a part of {part.gpus:g}, {part.why}" if part.why else f"{system}: no GPU")
        alone = 0.0
        for count in map(int, counts.split(",")):
            found = shared(config, count, device, peak, seconds)
            rate = float(str(found["steps_per_second"]))
            alone = alone or rate / count
            row = {"system": system, "size": size, "precision": precision, "trials": count, **found}
            row |= {"times_alone": round(rate / alone, 2) if alone else "", "probe_mib": peak}
            rows.append(row | {"counted_mib": round((peak + CONTEXT_MIB) * MARGIN) if peak else ""})
            click.echo("  ".join(f"{value!s:<12}" for value in rows[-1].values()))
            write_rows(result, rows, device)


if __name__ == "__main__":
    main()
