"""All that is measured on a GPU, each part within a time of its own, for where one can be had for minutes only.

    RDUN_DATA=... python benchmarks/gpu.py OUT [--minutes 14] [--only check,packing] [--trial results/r-coast-full]
    RDUN_DATA=... python benchmarks/gpu.py OUT --small --device cpu     # the same commands at their smallest, to try them

Each part is a command in processes of its own. What it prints goes to OUT/PART.log as it comes, its measurements to OUT/PART.csv,
which grow, and how it ended to OUT/parts.csv. A part that fails or takes too long is ended, and the next begins; parts that ended
well are left out when the command is given again. What is left of the time trains a trial in OUT/trial, from its last checkpoint.
"""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import torch

HERE = Path(__file__).parent
COLUMNS = ("part", "exit", "seconds", "limit")
SLOWER = 10
"""Times the limits where the smallest sizes are tried, perhaps on a busy processor."""
LEAST = 10.0
"""Seconds that a part needs to be worth beginning."""


@dataclass(frozen=True)
class Part:
    """A program of this folder.

    Attributes:
        seconds: it may take.
        words, small: its options, and those of its smallest size.
    """

    name: str
    program: str
    seconds: float
    words: str
    small: str

    def command(self, out: Path, device: str, *, small: bool) -> list[str]:
        """What is run."""
        options = f"{self.small if small else self.words}".split("|")
        return [
            sys.executable,
            str(HERE / f"{self.program}.py"),
            f"{out}/{self.name}.csv",
            "--device",
            device,
            *filter(None, options),
        ]


PARTS = (
    Part("check", "check", 150, "", "--only|trial"),
    Part("agreement", "agreement", 60, "--dataset|set11|--threads|4", "--dataset|set11|--only|ista_net_9"),
    Part("training-step", "training_step", 170, "--rounds|6", "--rounds|3|--systems|R-COAST 5x4|--batch|1"),
    Part(
        "sharing",
        "sharing",
        200,
        "--systems|R-COAST 5x4|--counts|1,2,4|--steps|200",
        "--systems|R-COAST 5x4|--size|pocket|--precision|fp32|--counts|2|--steps|1|--seconds|1",
    ),
    Part(
        "packing-coast",
        "packing",
        90,
        "--only|COAST 5x4, full|--counts|2,4,8|--seconds|2",
        "--only|COAST 5x4, pocket|--precision|fp32|--counts|2|--seconds|0.1",
    ),
    Part(
        "packing-ista",
        "packing",
        90,
        "--only|ISTA-Net+ 3x3, full|--counts|2,4,8|--seconds|2",
        "--only|ISTA-Net+ 3x3, pocket|--precision|fp32|--counts|2|--seconds|0.1",
    ),
    Part("roofline", "roofline", 90, "--rounds|6", "--rounds|3|--systems|R-COAST 5x4|--batch|1|--precision|fp32"),
    Part("inference", "inference", 30, "", "--rounds|1"),
    Part("reconstruction", "reconstruction", 60, "--images|8", "--images|1|--side|66"),
    Part("memory", "memory", 90, "", "--batch|1|--recursions|2|--steps|1"),
)


def run(command: Sequence[str], log: Path, seconds: float) -> int:
    """Runs a command with all that it prints in `log`; its exit code, 124 where it was ended after so many seconds."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(HERE.parent), *sys.path]))},
        )
        try:
            return process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return 124
        finally:  # also what it started, and at Ctrl-C
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def done(table: Path) -> list[dict[str, str]]:
    """How parts have ended so far, the last time that each was run."""
    if not table.exists():
        return []
    with table.open(newline="") as file:
        return list({row["part"]: row for row in csv.DictReader(file)}.values())


def note(table: Path, row: dict[str, object]) -> None:
    """Adds a row to the table of parts."""
    new = not table.exists()
    with table.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)
    click.echo("  ".join(f"{value!s:<16}" for value in row.values()))


def training(trial: Path, out: Path, device: str, seconds: float) -> list[str]:
    """The command that trains for so long in OUT/trial, which begins as a copy where `trial` is a folder with a checkpoint."""
    place = out / "trial"
    if trial.is_dir() and not place.exists():
        shutil.copytree(trial, place)
    config = trial / "config.json" if trial.is_dir() else trial
    words = ["-m", "rdun.trial", str(config), "--workdir", str(place), "--device", device, "--threads", "4"]
    return [sys.executable, *words, "--minutes", f"{max(0.0, seconds - 45) / 60:.2f}"]  # an epoch may have begun


def commands(only: str, out: Path, device: str, *, small: bool) -> Iterator[tuple[str, list[str], float]]:
    """Name, command and seconds of each part that has not ended well."""
    well = {row["part"] for row in done(out / "parts.csv") if row["exit"] == "0"}
    wanted = only.split(",") if only else [part.name for part in PARTS]
    if unknown := set(wanted) - {part.name for part in PARTS}:
        raise click.UsageError(f"--only: {min(unknown)!r} is not one of {', '.join(part.name for part in PARTS)}")
    for part in PARTS:
        if part.name in wanted and part.name not in well:
            yield part.name, part.command(out, device, small=small), part.seconds * (SLOWER if small else 1)


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--minutes", type=click.FloatRange(min=0), default=14.0, show_default=True, help="For all of it.")
@click.option("--only", default="", help=f"Some of {', '.join(part.name for part in PARTS)}.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cuda", show_default=True)
@click.option("--small", is_flag=True, help="The smallest size of every part.")
@click.option(
    "--trial",
    type=click.Path(exists=True, path_type=Path),
    help="A config, or a folder with config.json and perhaps a checkpoint, to train in what is left of the time.",
)
def main(out: Path, minutes: float, only: str, device: str, small: bool, trial: Path | None) -> None:
    """Measures into the folder OUT."""
    end, failed = time.monotonic() + 60 * minutes, 0
    parts = [*commands(only, out, device, small=small)]
    if device == "cuda" and not torch.cuda.is_available():
        raise click.UsageError(
            "--device cuda: PyTorch sees no GPU here; --small --device cpu tries the commands without one"
        )
    out.mkdir(parents=True, exist_ok=True)
    for name, command, limit in parts:
        if (left := end - time.monotonic()) < LEAST:
            break
        failed += bool(_noted(name, command, min(limit, left), out))
    if trial and (left := end - time.monotonic()) > LEAST:
        failed += bool(_noted("trial", training(trial, out, device, left), left, out))
    if failed:
        raise SystemExit(1)


def _noted(name: str, command: Sequence[str], limit: float, out: Path) -> int:
    start = time.monotonic()
    code = run(command, out / f"{name}.log", limit)
    note(
        out / "parts.csv",
        {"part": name, "exit": code, "seconds": round(time.monotonic() - start, 1), "limit": round(limit)},
    )
    return code


if __name__ == "__main__":
    main()
