"""What lies in one trial directory, unread, and whether its scores can be used."""

from __future__ import annotations

from dataclasses import dataclass, field

from analysis.frames.parsing import first_line, header_problem
from rdun.results import RunInfo, Score, TrialDirectory, hours

NAMES = ("scores.csv", "epochs.csv", "timing.csv")


@dataclass(frozen=True)
class Files:
    """Raw files of one trial directory; a file that does not exist is empty.

    Attributes:
        error: why run.json cannot be read.
        hours: core-hours and GPU-hours ("core", "gpu") of all attempts.
    """

    run: RunInfo | None
    scores: bytes
    epochs: bytes
    timings: bytes
    error: str = ""
    hours: dict[str, float] = field(default_factory=dict)

    @staticmethod
    def read(trial: TrialDirectory) -> Files:
        try:
            run = trial.run()
            if run is None:
                return Files(None, b"", b"", b"")
            scores, epochs, timings = (trial.read(n) if trial.exists(n) else b"" for n in NAMES)
            return Files(run, scores, epochs, timings, hours=hours_of(trial, run))
        except (ValueError, TypeError, KeyError, OSError) as error:
            return Files(None, b"", b"", b"", f"run.json cannot be read: {first_line(error)}")

    def status(self) -> tuple[str, str]:
        """Status of the trial ("not run" and "unreadable" besides its own) and the reason why it gives no scores."""
        if self.error:
            return "unreadable", self.error
        if self.run is None:
            return "not run", "not run"
        if self.run.status != "complete":
            silent = "" if self.run.status == "running" else "no reason was recorded"
            return self.run.status, first_line(self.run.reason) or silent
        if problem := header_problem(self.scores, Score, "scores.csv"):
            return "unreadable", problem
        return "complete", ""


def hours_of(trial: TrialDirectory, run: RunInfo) -> dict[str, float]:
    """Core-hours and GPU-hours of all attempts. Signs of life are read only where one was cut off."""
    if all(attempt.ended for attempt in run.attempts):
        return hours(run, (), ())
    try:
        return hours(run, trial.epochs(), trial.system())
    except (ValueError, TypeError, OSError):
        return hours(run, (), ())
