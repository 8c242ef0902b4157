"""Faults at random moments of a real study, and what they cost: nothing, or this program ends with 1.

    python benchmarks/faults.py faults.csv --faults 40        # as root also with disks that are full; goes on where it stopped

A study of two arms x two seeds on noise runs by the command that users type, on a private Ray cluster. Faults are injected one
after another; where one ends the command, the identical command is given again, up to the end of the study. Then every
scores.csv has to equal that of an uninterrupted run byte for byte, each resumed trial must have gone on from the last epoch that
it had recorded, every epoch must be there once, and no lock or half-written file may be left.

Kinds: kill -9, SIGTERM or Ctrl-C of the driver, Ctrl-C twice, kill -9, SIGTERM or a pause (SIGSTOP) of a trial's process,
kill -9 of Ray's node process, a full disk.
"""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import click
import numpy as np
import psutil
from PIL import Image

from rdun.results import RunInfo, TrialDirectory

ROOT = Path(__file__).resolve().parent.parent
ENDING = {
    "driver kill -9": [signal.SIGKILL],
    "driver SIGTERM": [signal.SIGTERM],
    "Ctrl-C": [signal.SIGINT],
    "Ctrl-C twice": [signal.SIGINT, signal.SIGINT],
}
TRIAL = {"trial kill -9": signal.SIGKILL, "trial SIGTERM": signal.SIGTERM, "trial paused": signal.SIGSTOP}
KINDS = [*ENDING, *TRIAL, "node kill -9", "full disk"]
PATIENCE = 240.0
"""Seconds after which a command counts as hanging."""
STUDY = """
from rdun.config import BlockSensingTask, CoastConfig, DataConfig, Fixed, OptimConfig, TrialConfig, with_values
from rdun.study import Arm, Study


def study():
    base = TrialConfig(
        task=BlockSensingTask(ratios=(0.25,), block=12, matrices=2, initial="linear", ridge=1e-3),
        model=CoastConfig(layers=2, channels=4, start="identity"),
        data=DataConfig(train={train!r}, validation={test!r}, test=({test!r},), stride=6, epoch_samples=96),
        optim=OptimConfig(lr=2e-3, batch=8, epochs={epochs}),
        precision="fp32",
    )
    arms = [("unrolled", base), ("recursive", with_values(base, {{"model.layers": 1, "recursion.train": Fixed(counts=(2,))}}))]
    words = dict(title="Faults", question="?", method="", expectation="", scale="")
    return Study(name="faults", arms=tuple(Arm(name=n, configs=(c,)) for n, c in arms), seeds=(0, 1), **words)
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One fault.

    Attributes:
        moment: seconds from the start of the command to the fault.
        state: trials at that moment, with finished epochs of those that run.
        code, seconds: exit code of the command, and seconds from the fault to its end; empty if it ran on into the next fault.
        more_commands: identical commands that were needed after this fault up to the end of the study.
        lost_epochs: finished epochs that were trained again.
        lost_scores: scores.csv files of the finished study that are missing or differ from the uninterrupted run.
        left_over: locks, half-written files, epochs that are missing or there twice, trials that are not complete.
    """

    number: int
    kind: str
    moment: float
    state: str
    code: str
    seconds: str
    more_commands: int
    lost_epochs: int
    lost_scores: int
    left_over: int


@click.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--faults", default=40, show_default=True, type=click.IntRange(min=1), help="Rows of OUT in the end.")
@click.option("--chain", default=5, show_default=True, type=click.IntRange(min=1), help="Faults of one study at most.")
@click.option("--epochs", default=60, show_default=True, type=click.IntRange(min=2), help="Of a trial.")
@click.option("--cpus", default=2, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=0, show_default=True)
def main(out: Path, faults: int, chain: int, epochs: int, cpus: int, seed: int) -> None:
    """Appends one row per fault to OUT, study by study, and prints what was lost."""
    rows = _read(out)
    with tempfile.TemporaryDirectory(prefix="rdun-faults-") as place:
        bench = Bench(Path(place), epochs, cpus)
        whole = bench.uninterrupted()
        while len(rows) < faults:
            rows += bench.chain(len(rows), min(chain, faults - len(rows)), whole, seed)
            _write(out, rows)
            for row in rows[-chain:]:
                click.echo(f"{row.number:3} {row.kind:15} at {row.moment:5.1f} s, exit {row.code or '-':3} {row.state}")
    lost = sum(row.lost_epochs + row.lost_scores + row.left_over for row in rows)
    by_kind = ", ".join(f"{sum(r.kind == kind for r in rows)} {kind}" for kind in KINDS)
    click.echo(f"{len(rows)} faults ({by_kind}): lost {lost or 'nothing'}")
    sys.exit(1 if lost else 0)


class Bench:
    """A study and its commands.

    Args:
        place: an empty folder.
    """

    def __init__(self, place: Path, epochs: int, cpus: int) -> None:
        self.place, self.epochs, self.cpus = place, epochs, cpus
        generator = np.random.default_rng(0)
        for name in ("train", "test"):
            (place / name).mkdir()
            for index in range(2):
                pixels = generator.integers(0, 256, (48, 54), dtype=np.uint8)
                Image.fromarray(pixels).save(place / name / f"{index}.png")
        words = {"train": str(place / "train"), "test": str(place / "test"), "epochs": epochs}
        (place / "study.py").write_text(STUDY.format(**words))

    def uninterrupted(self) -> dict[str, bytes]:
        """The scores of a run without faults."""
        self._start(self.place / "whole").wait()
        scores = _scores(self.place / "whole")
        assert len(scores) == 4, (self.place / "output").read_text()
        return scores

    def chain(self, first: int, most: int, whole: dict[str, bytes], seed: int) -> list[Row]:
        """Up to `most` faults of one study, then commands up to its end. Faults that come too late are not counted."""
        with _disk(self.place / f"chain{first}") as runs:
            commands, process, found = 0, None, []
            for number in range(first, first + most):
                if process is None or process.poll() is not None:
                    process, commands = self._start(runs), commands + 1
                injected = Fault(random.Random(f"{seed} {number}"), runs, process, number).inject()
                if injected is None:
                    break
                found.append((injected, commands))
            while process is None or process.wait(PATIENCE):
                process, commands = self._start(runs), commands + 1
                assert commands < most + 5, f"the study does not end:\n{(self.place / 'output').read_text()}"
            scores = _scores(runs)
            lost = sum(scores.get(name) != content for name, content in whole.items())
            left = _left_over(runs, self.epochs)
            return [
                Row(
                    **injected.told,
                    more_commands=commands - at,
                    lost_epochs=_repeated(runs, injected.epochs),
                    lost_scores=lost,
                    left_over=left,
                )
                for injected, at in found
            ]

    def _start(self, runs: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(ROOT / "studies" / "run_ablation.py"), str(self.place / "study.py")]
        tracker = {"MLFLOW_TRACKING_URI": f"sqlite:///{self.place}/mlflow.db", "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [*command, "--runs", str(runs), "--cpus", str(self.cpus)],
            stdout=(self.place / "output").open("ab"),
            stderr=subprocess.STDOUT,
            env={name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"} | tracker,
            start_new_session=True,
        )
        process.started = time.monotonic()  # type: ignore[attr-defined]
        return process


@dataclass(frozen=True)
class Injected:
    """A fault that took place: its columns, and by trial its attempts and finished epochs at that moment."""

    told: dict[str, Any]
    epochs: dict[str, tuple[int, int]]


class Fault:
    """A fault of a random kind, at a random moment of a command that runs."""

    def __init__(self, chance: random.Random, runs: Path, process: subprocess.Popen[bytes], number: int) -> None:
        kinds = [kind for kind in KINDS if kind != "full disk" or os.path.ismount(runs)]
        self.kind = kinds[number % len(kinds)]
        self.chance, self.runs, self.process, self.number = chance, runs, process, number

    def inject(self) -> Injected | None:
        """Waits for the moment and does it; None if the command ended before."""
        if self.kind not in ENDING or self.chance.random() < 0.8:  # some commands are stopped while they start
            before = {name: len(_run(runs).attempts) for name, runs in _trials(self.runs).items()}
            while self.process.poll() is None and not self._trains(before):
                time.sleep(0.05)
            time.sleep(self.chance.uniform(0, 4))
        else:
            time.sleep(self.chance.uniform(0, 10))
        trials = _trials(self.runs)
        epochs = {name: (len(_run(folder).attempts), len(folder.epochs())) for name, folder in trials.items()}
        moment = time.monotonic() - self.process.started  # type: ignore[attr-defined]
        state = ", ".join(f"{_run(f).status} {epochs[name][1]}" for name, f in trials.items()) or "nothing yet"
        if self.process.poll() is not None or not self._strike():
            return None
        code, seconds = self._outcome()
        told = {"number": self.number, "kind": self.kind, "moment": round(moment, 2), "state": state}
        return Injected(told | {"code": code, "seconds": seconds}, epochs)

    def _trains(self, before: dict[str, int]) -> bool:
        """Whether a trial has begun in this command and finished an epoch in it."""
        trials = _trials(self.runs).items()
        fresh = [(f, _run(f)) for name, f in trials if len(_run(f).attempts) > before.get(name, 0)]
        return any(len(f.epochs()) > run.attempts[-1].resumed_at_epoch for f, run in fresh)

    def _strike(self) -> bool:
        if self.kind in ENDING:
            for sent in ENDING[self.kind]:
                self.process.send_signal(sent)
                time.sleep(self.chance.uniform(0.1, 3))
            return True
        if self.kind in TRIAL:
            workers = [p for p in self._processes() if p.name().startswith("ray::ImplicitFunc")]
            if not workers:
                return False
            chosen = self.chance.choice(workers)
            chosen.send_signal(TRIAL[self.kind])
            if self.kind == "trial paused":
                time.sleep(self.chance.uniform(1, 5))
                chosen.send_signal(signal.SIGCONT)
            return True
        if self.kind == "node kill -9":
            next(p for p in self._processes() if p.name() == "raylet").kill()
            return True
        with (self.runs / "filler").open("wb") as file:
            _fill(file.fileno())
        return True

    def _processes(self) -> list[psutil.Process]:
        found: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        return found

    def _outcome(self) -> tuple[str, str]:
        """Exit code and seconds to the end of the command, where the fault ends it."""
        if self.kind in TRIAL:
            return "", ""
        start = time.monotonic()
        try:
            code = str(self.process.wait(PATIENCE))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = "hangs"
        (self.runs / "filler").unlink(missing_ok=True)
        return code, f"{time.monotonic() - start:.1f}"


def _fill(descriptor: int) -> None:
    """Writes up to the last byte of the disk."""
    for size in (2**20, 4096, 1):
        try:
            while os.write(descriptor, bytes(size)) == size:
                pass
        except OSError:
            continue


@contextmanager
def _disk(folder: Path) -> Iterator[Path]:
    """A folder on a small disk of its own, for root; else a plain folder."""
    folder.mkdir()
    mounted = (
        os.geteuid() == 0 and not subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder]).returncode
    )
    try:
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", folder], check=True)


def _trials(runs: Path) -> dict[str, TrialDirectory]:
    """The trial directories that say where they stand."""
    return {path.parent.name: TrialDirectory(path.parent) for path in sorted(runs.glob("trials/*/run.json"))}


def _run(folder: TrialDirectory) -> RunInfo:
    run = folder.run()
    assert run is not None
    return run


def _scores(runs: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in runs.glob("trials/*/scores.csv")}


def _repeated(runs: Path, epochs: dict[str, tuple[int, int]]) -> int:
    """Epochs that were finished at a fault and trained again in the attempt after it."""
    lost = 0
    for name, (attempts, finished) in epochs.items():
        for following in _run(TrialDirectory(runs / "trials" / name)).attempts[attempts : attempts + 1]:
            lost += max(0, finished - following.resumed_at_epoch)
    return lost


def _left_over(runs: Path, epochs: int) -> int:
    files = [path for path in runs.rglob("*") if path.name == "lock.json" or path.suffix == ".part"]
    broken = 0
    for folder in _trials(runs).values():
        complete = _run(folder).status == "complete" and not folder.exists("checkpoint.pt")
        broken += not complete or [record.epoch for record in folder.epochs()] != list(range(1, epochs + 1))
    return len(files) + broken


def _read(out: Path) -> list[Row]:
    if not out.exists():
        return []
    with out.open(newline="") as file:
        lines = list(csv.DictReader(file))
    kinds: dict[str, Any] = {"int": int, "float": float, "str": str}
    return [Row(**{f.name: kinds[str(f.type)](line[f.name]) for f in fields(Row)}) for line in lines]


def _write(out: Path, rows: list[Row]) -> None:
    with out.open("w", newline="") as file:
        writer = csv.DictWriter(file, [f.name for f in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


if __name__ == "__main__":
    main()
