"""How the time of each part grows with its size: planning, report, reconstruction, training step.

    python benchmarks/growth.py growth.csv

One thread. Slopes are those of CPU seconds, helpers included, which other processes change least: `slope` from the row above, on
log-log axes, `upper_slope` fitted over the upper half of the sizes. Short measurements are the fastest of several.

- planning, all new: a study of so many trials that nobody has run (`benchmarks/planning.py`);
- planning, all done: the same study where every trial has its directory and is complete, as `--dry-run` finds it;
- report: a made-up study with 5 images and one ratio, all tables and figures (`benchmarks/report.py`);
- reconstruction: R-COAST with each of its five stages applied once, random weights, square images of so many pixels;
- training step: R-COAST at batch 8 in bf16, with each stage applied so many times; recomputed step: with recomputation.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click
import torch

from benchmarks.memory import stepper
from benchmarks.planning import MACHINE, made_up, planned
from benchmarks.reconstruction import sensing
from benchmarks.record import write_rows
from benchmarks.report import made_up as made_up_report
from benchmarks.report import render
from benchmarks.slopes import local_slopes, upper_slope
from rdun.allocator import keep_freed_memory
from rdun.config import to_dict
from rdun.evaluation import Reconstructor
from rdun.models import build_model
from rdun.plan import Plan
from rdun.results import Attempt, EpochRecord, RunInfo, Store, TrialDirectory
from studies.base import R_COAST
from tests.analysis.synthetic import write_study

CPU = torch.device("cpu")
TRIALS = (10, 30, 100, 300, 1000, 3000, 10_000)
ENOUGH = 1.0
"""Seconds after which a measurement is not repeated any more; at most `REPEATS` times."""
REPEATS = 5


class Time(NamedTuple):
    """What one size took."""

    size: int
    seconds: float
    cpu_seconds: float


def fastest(size: int, work: Callable[[], object]) -> Time:
    """The run of least CPU time."""
    found: list[Time] = []
    while len(found) < REPEATS and sum(t.seconds for t in found) < ENOUGH:
        found.append(_once(size, work))
    return min(found, key=lambda t: t.cpu_seconds)


def _once(size: int, work: Callable[[], object]) -> Time:
    """One run, in this process."""
    start, used = time.perf_counter(), time.process_time()
    work()
    return Time(size, time.perf_counter() - start, time.process_time() - used)


def planning_new() -> Iterator[Time]:
    """Building and planning a study of new trials."""
    numbers = itertools.count(1)
    with tempfile.TemporaryDirectory() as folder:
        _plan(25, folder, 0)  # the networks' operations are counted once in a process
        for trials in TRIALS:
            yield fastest(trials, lambda trials=trials: _plan(trials, folder, next(numbers)))  # type: ignore[misc]


def planning_done() -> Iterator[Time]:
    """The same where every trial has a directory and is complete."""
    fresh = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(max_workers=1, mp_context=fresh) as other:
        _plan(25, folder, 0)
        for number, trials in enumerate(TRIALS, 1):
            place = f"{folder}/{trials}"
            other.submit(_finish, trials, place, number).result()  # elsewhere: nothing of it is to be remembered here
            yield _once(trials, partial(_plan, trials, place, number))


def _plan(trials: int, store: str, number: int) -> Plan:
    """Builds and plans a study; those of different numbers have no learning rate in common, so that none prepares another."""
    return planned(made_up(trials, lr=1e-4 * (1 + 1e-7 * number)), Store(store))


def _finish(trials: int, store: str, number: int) -> None:
    """Leaves a directory of every trial, complete."""
    with tempfile.TemporaryDirectory() as folder:
        _complete(TrialDirectory(folder))
        pattern = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    for trial in _plan(trials, store, number).trials:
        place = Path(store, trial.fingerprint)
        place.mkdir(parents=True)
        for name, content in pattern.items():
            (place / name).write_bytes(content)
        (place / "config.json").write_text(json.dumps(to_dict(trial.config), indent=2))
    assert not _plan(trials, store, number).missing()


def _complete(folder: TrialDirectory) -> None:
    """A complete trial of 12 epochs, but for its config."""
    attempt = Attempt(
        started="2026-01-15T10:00:00Z",
        ended="2026-01-15T10:01:00Z",
        host="this one",
        device=MACHINE.device,
        threads=MACHINE.threads,
        versions={},
        revision="",
        resumed_at_epoch=0,
    )
    first = EpochRecord(
        epoch=1,
        step=40,
        samples=640,
        seconds=2.0,
        timestamp=1_768_471_200_000,
        lr=1e-3,
        train_loss=0.01,
        train_psnr=25.0,
        validation_psnr=25.0,
        validation_ssim=0.7,
        stage_evaluations=4.0,
    )
    folder.write_epochs(
        replace(first, epoch=n, step=40 * n, samples=640 * n, seconds=2.0 * n, timestamp=first.timestamp + 4000 * n)
        for n in range(1, 13)
    )
    folder.write_run(RunInfo(fingerprint="pattern", status="complete", attempts=(attempt,)))


def report() -> Iterator[Time]:
    """Tables, figures and page of a study."""
    with tempfile.TemporaryDirectory() as place:
        for trials in (10, 30, 100, 300, 1000):
            folder = Path(place) / str(trials)
            write_study(folder, made_up_report(trials, images=5, ratios=1, sizes={"100 %": 1.0}))
            if trials == 10:
                render(folder)  # libraries set themselves up
            _, seconds, cpu = render(folder)
            yield Time(trials, seconds, cpu)


def reconstruction() -> Iterator[Time]:
    """One image of a published-size network, from measuring to the estimate."""
    network, counts = build_model(R_COAST).place(CPU).eval(), (1,) * R_COAST.model.layers
    reconstruct = Reconstructor(network, counts, deblock=True)
    for side in (128, 256, 512, 1024, 2048):
        operator, image = sensing(0.25, (side, side), CPU), torch.rand(1, 1, side, side)
        yield fastest(side * side, partial(reconstruct, operator, image))


def training_step(recompute: bool) -> Iterator[Time]:
    """One optimizer step."""
    for count in (1, 2, 4, 8, 16):
        step = stepper(count, recompute, 8, CPU)
        step(1)
        yield fastest(count, partial(step, count))


class Part(NamedTuple):
    """What is measured, and the unit of its size."""

    unit: str
    measure: Callable[[], Iterator[Time]]


PARTS: Mapping[str, Part] = {
    "planning, all new": Part("trials", planning_new),
    "planning, all done": Part("trials", planning_done),
    "report": Part("trials", report),
    "reconstruction": Part("pixels", reconstruction),
    "training step": Part("recursions per stage", partial(training_step, recompute=False)),
    "recomputed step": Part("recursions per stage", partial(training_step, recompute=True)),
}


def rows(what: str, unit: str, times: Sequence[Time]) -> Iterator[dict[str, object]]:
    """One row per size, with the slopes of its CPU seconds."""
    sizes, used = [t.size for t in times], [t.cpu_seconds for t in times]
    upper = round(upper_slope(sizes, used), 2)
    for time_, slope in zip(times, ["", *(round(s, 2) for s in local_slopes(sizes, used))], strict=True):
        yield {
            "what": what,
            "unit": unit,
            "size": time_.size,
            "seconds": float(f"{time_.seconds:.4g}"),
            "cpu_seconds": float(f"{time_.cpu_seconds:.4g}"),
            "slope": slope,
            "upper_slope": upper,
        }


@click.command()
@click.argument("result", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--only", multiple=True, type=click.Choice(list(PARTS)), help="Measure this part alone; repeatable.")
def main(result: Path, only: tuple[str, ...]) -> None:
    """Measures every part at every size and writes RESULT (CSV)."""
    torch.set_num_threads(1)
    keep_freed_memory()
    found: list[dict[str, object]] = []
    for what, part in PARTS.items():
        if not only or what in only:
            measured = list(rows(what, part.unit, list(part.measure())))
            for row in measured:
                click.echo("  ".join(f"{value!s:<20}" for value in row.values()))
            found += measured
    write_rows(result, found)


if __name__ == "__main__":
    main()
