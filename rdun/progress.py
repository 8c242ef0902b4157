"""One live view of a running study; plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rdun.plan import Estimate, Plan, epochs_done
from rdun.results import EpochRecord, Outcome, Store

ROWS = 12
"""Running trials shown at most."""
UNDER_WAY = ("waiting", "running")


@dataclass
class _Row:
    arm: str
    seed: int
    epochs: int  # 0: weights that are only tested
    at_start: int
    epoch: int
    training: float  # what is expected of the epochs that were left then, and of the tests: seconds, else arithmetic
    tests: float
    psnr: float | None = None
    state: str = "waiting"
    trained: bool = False  # by another trial

    def done(self) -> float:
        """Of what was expected."""
        if self.state == "complete":
            return self.training + self.tests
        left = self.epochs - self.at_start
        return self.training * (self.epoch - self.at_start) / left if left else 0.0


class Progress:
    """Follows the trials of a plan (a `rdun.tuning.Watcher`); entered around the run.

    Args:
        plan: the study with what is already done.
        store: where finished trials say how they ended.
        estimates: of the trials that are to run. Where each has one, the time that is left goes by them, else by arithmetic.
        then: is told of each trial that is over.
    """

    def __init__(
        self,
        plan: Plan,
        store: Store,
        estimates: Mapping[str, Estimate],
        console: Console | None = None,
        then: Callable[[str], None] | None = None,
    ) -> None:
        self.store, self.console, self._then = store, console or Console(), then
        self.total, self.begin = len(plan.trials), time.monotonic()
        self.reused = plan.counts()["complete"]
        begun = {trial.fingerprint: epochs_done(trial, store) for trial in plan.missing()}
        expected = _expected(plan, estimates, begun)
        self.rows: dict[str, _Row] = {}
        for trial in plan.missing():
            key, epochs = trial.fingerprint, trial.config.optim.epochs
            row = _Row(trial.arms[0], trial.config.seed, epochs, begun[key], begun[key], *expected[key])
            row.trained = trial.state == "trained"
            self.rows[key] = row
        self.best: tuple[float, str] | None = None
        self.hours, self.unit, self.price = 0.0, "", plan.study.resources.price
        self.live = Live(get_renderable=self._view, console=self.console, refresh_per_second=2, transient=True)

    def __enter__(self) -> Progress:
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.console.is_terminal:
            self.live.stop()
        self.console.print(self.summary(), highlight=False, soft_wrap=True)

    def started(self, fingerprint: str) -> None:
        """A trial begins, or goes on."""
        row = self.rows[fingerprint]
        row.state = "running"
        row.epoch = row.epochs if row.trained else len(self.store.trial(fingerprint).epochs())

    def epoch(self, fingerprint: str, record: EpochRecord) -> None:
        """A trial has finished an epoch."""
        row = self.rows[fingerprint]
        row.epoch, row.psnr = record.epoch, record.validation_psnr
        if self.best is None or record.validation_psnr > self.best[0]:
            self.best = record.validation_psnr, row.arm

    def waits(self, fingerprint: str, why: str) -> None:
        """A trial has begun, but waits for memory of its GPU."""
        row = self.rows[fingerprint]
        self._say(f"{row.arm}, seed {row.seed}: {why}")

    def again(self, fingerprint: str, outcome: Outcome) -> None:
        """A trial waits to go on from its checkpoint."""
        row = self.rows[fingerprint]
        row.state = "waiting"
        run = self.store.trial(fingerprint).run()
        reason = run.reason if run and run.reason else outcome
        self._say(f"{row.arm}, seed {row.seed}: {reason}; goes on from epoch {row.epoch}")

    def ended(self, fingerprint: str) -> None:
        """A trial is over."""
        row = self.rows[fingerprint]
        run = self.store.trial(fingerprint).run()
        row.state = run.status if run and run.status != "running" else "failed"
        reached = f", validation {row.psnr:.2f} dB" if row.psnr is not None else ""
        reason = f": {run.reason}" if run and run.reason else ""
        if not self.console.is_terminal:
            # until the next trial takes this one's place, fewer run than there is room for
            self._say(f"{row.arm}, seed {row.seed}: {row.state}{reached}{reason}", running=False)
        if self._then:
            self._then(fingerprint)

    def used(self, hours: float, unit: str) -> None:
        """Hours that the trials have held so far."""
        self.hours, self.unit = hours, unit

    def waiting(self, why: str) -> None:
        """Trials wait, and why."""
        self._say(why)

    def _say(self, what: str, *, running: bool = True) -> None:
        """A line of its own; above the live view where there is one."""
        self.console.print(f"{self.summary(running=running)} | {what}", highlight=False, markup=False, soft_wrap=True)

    def summary(self, *, running: bool = True) -> str:
        """`12/32 trials done (4 reused), 2 running, 0 failed; best validation 28.31 dB; 1:05 gone, about 3:10 left`."""
        states = [row.state for row in self.rows.values()]
        done = self.reused + states.count("complete")
        text = f"{done}/{self.total} trials done" + (f" ({self.reused} reused)" if self.reused else "")
        text += f", {states.count('running')} running" if running else ""
        text += f", {states.count('failed')} failed"
        if self.best:
            text += f"; best validation {self.best[0]:.2f} dB"
        text += f"; {_clock(time.monotonic() - self.begin)} gone"
        if self.hours >= 0.0005:
            text += f", {self.hours:.3g} {self.unit}" + (f" ({self.price.of(self.hours)})" if self.price else "")
        left = self._left()
        return text + (f", about {_clock(left)} left" if left else "")

    def _left(self) -> float | None:
        done = sum(row.done() for row in self.rows.values())
        rest = sum(row.training + row.tests - row.done() for row in self.rows.values() if row.state in UNDER_WAY)
        return (time.monotonic() - self.begin) * rest / done if done > 0 and rest > 0 else None

    def _view(self) -> Group:
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=True, header_style="dim")
        for name in ("running", "seed", "epoch", "", "validation"):
            table.add_column(name, justify="right" if name in ("seed", "epoch", "validation") else "left")
        running = [row for row in self.rows.values() if row.state == "running"]
        for row in running[:ROWS]:
            psnr = f"{row.psnr:.2f} dB" if row.psnr is not None else "-"
            epoch = f"{row.epoch}/{row.epochs}" if row.epochs else "-"
            bar = ProgressBar(total=row.epochs, completed=row.epoch, width=20)
            table.add_row(Text(row.arm), str(row.seed), epoch, bar if row.epoch < row.epochs else "testing", psnr)
        if len(running) > ROWS:
            table.add_row(f"and {len(running) - ROWS} more", "", "", "", "")
        finished = self.reused + sum(row.state in ("complete", "failed", "stopped") for row in self.rows.values())
        whole = Table.grid()  # a bar alone would not end its line
        whole.add_row(ProgressBar(total=self.total, completed=finished, width=60))
        return Group(whole, Text(self.summary()), table)


def _expected(
    plan: Plan, estimates: Mapping[str, Estimate], begun: Mapping[str, int]
) -> dict[str, tuple[float, float]]:
    """Of the epochs that are left and of the tests of each trial that is to run, in seconds; of one of them nobody knows these:
    of the epochs alone, in multiply-accumulates."""
    known = {key: (e.seconds - e.tests, e.tests) for key, e in estimates.items() if e.seconds is not None}
    if begun.keys() <= known.keys():
        return known
    arms, work = {arm.name: arm for arm in plan.record.arms}, dict[str, tuple[float, float]]()
    for trial in plan.missing():
        arm, epochs = arms[trial.arms[0]], max(1, trial.config.optim.epochs)
        whole = arm.steps * arm.stage_evaluations_train * arm.macs / max(1, arm.stage_evaluations_test)
        work[trial.fingerprint] = whole * (1 - begun[trial.fingerprint] / epochs), 0.0
    return work


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
