"""What lies in one trial directory, unread, and whether its scores can be used."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.parsing import first_line, header_problem
from rdun.results import RunInfo, Score, TrialDirectory

NAMES = ("scores.csv", "epochs.csv", "timing.csv")


@dataclass(frozen=True)
class Files:
    """Raw files of one trial directory; a file that does not exist is empty. `error`: why run.json cannot be read."""

    run: RunInfo | None
    scores: bytes
    epochs: bytes
    timings: bytes
    error: str = ""

    @staticmethod
    def read(trial: TrialDirectory) -> Files:
        try:
            run = trial.run()
            if run is None:
                return Files(None, b"", b"", b"")
            scores, epochs, timings = (trial.read(n) if trial.exists(n) else b"" for n in NAMES)
            return Files(run, scores, epochs, timings)
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
