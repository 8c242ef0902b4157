"""Does a device compute what the processor computes? Training steps of every kind, whole trials, and a device without memory.

    python benchmarks/check.py check.csv [--device cuda] [--only graphs]

Steps: the losses of some steps from one start, plain and from CUDA graphs, in every precision, against those of plain float32
steps on the processor; the largest relative difference is held against what rounding explains. Trials: one that is stopped and
resumed against one that is not, and against the processor, by validation PSNR. Needs neither data nor pytest; RESULT grows row by
row, and the exit code is 1 if a row fails.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import click
import torch

from benchmarks.noise import noise_study
from benchmarks.record import write_rows
from rdun.config import (
    BlockSensingTask,
    CoastConfig,
    DenoisingTask,
    DpdnnConfig,
    InpaintingTask,
    IstaNetConfig,
    IstaNetPlusConfig,
    OptimConfig,
    Precision,
    RecursionConfig,
    Rfmu,
    TrialConfig,
    UniformRange,
    with_values,
)
from rdun.data import unit_range
from rdun.models import build_model, draw_counts
from rdun.operators import GaussianBlockTask, make_task
from rdun.results import EpochRecord, TrialDirectory
from rdun.streams import stream
from rdun.training import GraphedStep, TrainState, train_step
from rdun.trial import OutOfMemory, Stopped, run_trial

STEPS, BATCH = 4, 8
LOSS: dict[Precision, float] = {"fp32": 1e-3, "tf32": 1e-2, "bf16": 5e-2, "fp16": 2e-1}
"""Allowed relative difference of a loss; fp16 takes no step until its scale fits."""
DECIBELS = 0.1
"""Allowed difference of a validation PSNR after three epochs."""
SENSING = BlockSensingTask(ratios=(0.1, 0.5), matrices=2)
MODELS = (
    CoastConfig(layers=2),
    IstaNetPlusConfig(layers=2),
    IstaNetConfig(layers=2),
    DpdnnConfig(layers=1, channels=16),
)
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Case:
    """A comparison: `difference` computes it on a device, and must stay below `allowed`."""

    what: str
    way: str
    precision: Precision
    allowed: float
    difference: Callable[[torch.device], float]


def cases() -> Iterator[Case]:
    """All of them."""
    counts = RecursionConfig(train=UniformRange(low=(1,), high=(2,)), modulation=Rfmu())
    for model in MODELS:
        config = TrialConfig(
            task=SENSING, model=model, recursion=counts, optim=OptimConfig(batch=BATCH), precision="fp32"
        )
        for precision, allowed in LOSS.items():
            own = replace(config, precision=precision)
            yield Case(model.kind, "plain", precision, allowed, partial(apart, own))
            if precision != "fp16":
                yield Case(model.kind, "graphs", precision, allowed, partial(apart, own, graphs=True))
    coast = TrialConfig(
        task=SENSING, model=MODELS[0], recursion=counts, optim=OptimConfig(batch=BATCH), precision="fp32"
    )
    supervised = with_values(coast, {"optim.deep_supervision": 0.5})
    yield Case("deep supervision", "plain", "fp32", LOSS["fp32"], partial(apart, supervised))
    yield Case("recomputation", "plain", "fp32", LOSS["fp32"], partial(apart, coast, recompute=True))
    for task in (InpaintingTask(), DenoisingTask()):
        plain = replace(coast, task=task, recursion=RecursionConfig(train=counts.train))
        yield Case(task.kind, "plain", "fp32", LOSS["fp32"], partial(apart, plain))
    for precision in ("fp32", "bf16"):
        yield Case("trial, resumed", "run_trial", precision, DECIBELS, partial(resumed_apart, precision))
        yield Case("trial, against the processor", "run_trial", precision, DECIBELS, partial(trial_apart, precision))
    yield Case("too little memory is said", "run_trial", "fp32", 0.0, silent_about_memory)


def apart(config: TrialConfig, device: torch.device, *, graphs: bool = False, recompute: bool = False) -> float:
    """The largest relative difference of a loss from that on the processor."""
    found = losses(config, device, graphs=graphs and device.type == "cuda", recompute=recompute)
    right = _right(replace(config, precision="fp32"))
    return max(abs(a - b) / b for a, b in zip(found, right, strict=True))


@cache
def _right(config: TrialConfig) -> list[float]:
    return losses(config, CPU)


def losses(config: TrialConfig, device: torch.device, *, graphs: bool = False, recompute: bool = False) -> list[float]:
    """Of some steps; one has a smaller batch, as the last of an epoch."""
    task = make_task(config.task, None, device)
    state = TrainState.start(config, build_model(config).place(device).train(), device)
    state.network.recompute = recompute
    assert not graphs or isinstance(task, GaussianBlockTask)
    graphed = GraphedStep(config, state, task, device) if graphs and isinstance(task, GaussianBlockTask) else None
    generator, found = stream(0, "images"), []
    for step in range(STEPS):
        size = 5 if step == 1 else BATCH
        pixels = generator.integers(0, 256, (size, 1, task.patch, task.patch), dtype="uint8")
        x = torch.from_numpy(unit_range(pixels)).to(device)
        operator = task.draw(state.matrices)
        counts = draw_counts(config.recursion.train, config.model.layers, state.recursions)
        if graphed and size == BATCH:
            loss, _ = graphed(operator, counts, x)
        else:
            loss, _ = train_step(config, state, operator, counts, x)
        found.append(loss)
    return [float(loss) for loss in found]


def resumed_apart(precision: Precision, device: torch.device) -> float:
    """dB between a trial that is stopped after each epoch and one that is not."""
    return _psnr_apart(_trial(precision, device.type), _trial(precision, device.type, stops=True))


def trial_apart(precision: Precision, device: torch.device) -> float:
    """dB between a trial on the device and one on the processor."""
    return _psnr_apart(_trial(precision, device.type), _trial("fp32", "cpu"))


def _psnr_apart(some: list[EpochRecord], others: list[EpochRecord]) -> float:
    return max(abs(a.validation_psnr - b.validation_psnr) for a, b in zip(some, others, strict=True))


def _trial(precision: Precision, device: str, *, stops: bool = False) -> list[EpochRecord]:
    """The epochs of a complete trial on noise, with a moving average."""
    with tempfile.TemporaryDirectory(prefix="rdun-check-") as scratch:
        config = replace(_small(Path(scratch)), precision=precision)
        place = f"{scratch}/trial"
        while run_trial(config, place, _stop if stops else None, device=device).status != "complete":
            pass
        return TrialDirectory(place).epochs()


def _small(place: Path) -> TrialConfig:
    config = noise_study("check", place, trials=1, epochs=3, steps=12, side=60).arms[0].configs[0]
    return with_values(config, {"optim.ema": 0.9, "recursion.train": UniformRange(low=(1,), high=(3,))})


def _stop(record: EpochRecord) -> None:
    if record.epoch < 3:
        raise Stopped("to be resumed")


def silent_about_memory(device: torch.device) -> float:
    """0 where a trial that gets too little memory of a GPU raises `OutOfMemory`, else 1; 0 on a processor, which has no limit."""
    if device.type == "cpu":
        return 0.0
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 2**28) / whole)
    try:
        with tempfile.TemporaryDirectory(prefix="rdun-check-") as scratch:
            wide = {"model.channels": 64, "recursion.train": UniformRange(low=(1,), high=(20,)), "optim.batch": 256}
            run_trial(with_values(_small(Path(scratch)), wide), f"{scratch}/trial", device=device.type)
    except OutOfMemory:
        return 0.0
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    return 1.0


@click.command()
@click.argument("result", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--device", "where", type=click.Choice(["cpu", "cuda"]), help="The GPU where there is one.")
@click.option("--only", default="", help="Cases whose kind or way contains this text.")
def main(result: Path, where: str | None, only: str) -> None:
    """Writes one row per comparison to RESULT (CSV)."""
    device = torch.device(where or ("cuda" if torch.cuda.is_available() else "cpu"))
    rows: list[dict[str, object]] = []
    for case in (case for case in cases() if only in case.what or only in case.way):
        if case.precision == "tf32" and device.type == "cpu":
            continue
        start, note = time.perf_counter(), ""
        try:
            difference = case.difference(device)
        except Exception as error:  # the other comparisons are worth their time all the same
            difference, note = float("inf"), f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        row: dict[str, object] = {
            "what": case.what,
            "way": case.way,
            "precision": case.precision,
            "difference": f"{difference:.1e}",
        }
        row |= {"allowed": f"{case.allowed:g}", "passed": difference <= case.allowed}
        rows.append(row | {"seconds": round(time.perf_counter() - start, 1), "note": note})
        click.echo("  ".join(f"{value!s:<12}" for value in rows[-1].values()))
        write_rows(result, rows, device)
    failed = sum(not row["passed"] for row in rows)
    click.echo(f"{len(rows) - failed} of {len(rows)} comparisons pass")
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
