"""What run.json says of an attempt: that it runs, what is known by then, and how it ended."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rdun import monitor
from rdun.results import Attempt, Lost, Outcome, RunInfo, Status, TrialDirectory, is_full
from rdun.training import Diverged
from rdun.trial.policy import Circumstances, GivenUp, OutOfMemory, is_out_of_memory

SHARED = "several trials on the device; goes on with fewer of them"
ALONE = "the device to itself; use a larger one, or set optim.batch, which makes it another trial"


class Account:
    """Keeps run.json of a trial while one attempt runs.

    Attributes:
        info: as it was written last, or is going to be.
    """

    def __init__(self, folder: TrialDirectory, known: RunInfo, attempt: Attempt, circumstances: Circumstances) -> None:
        self.folder, self.circumstances = folder, circumstances
        self.info = replace(known, status="running", reason="", attempts=(*known.attempts, attempt))

    @property
    def attempt(self) -> Attempt:
        return self.info.attempts[-1]

    def learn(self, facts: Mapping[str, Any]) -> None:
        """Adds facts; they are written with the next mark."""
        self.info = replace(self.info, facts={**self.info.facts, **facts})

    def only(self, facts: Mapping[str, Any]) -> None:
        """Takes facts in place of all others."""
        self.info = replace(self.info, facts=dict(facts))

    def resumed(self, epoch: int) -> None:
        """The attempt goes on after this epoch."""
        self._attempt(resumed_at_epoch=epoch)
        self.mark("running")

    def mark(self, status: Status, reason: str = "") -> None:
        """Writes run.json, without numbers that JSON does not have."""
        facts = {name: fact for name, fact in self.info.facts.items() if _fits_json(fact)}
        self.info = replace(self.info, status=status, reason=reason, facts=facts)
        self.folder.write_run(self.info)

    def end(self, status: Status, outcome: Outcome, reason: str = "") -> None:
        """The attempt is over."""
        self._attempt(ended=monitor.now(), outcome=outcome)
        self.mark(status, reason)

    def failed(self, error: Exception, facts: Mapping[str, Any]) -> Exception:
        """Says in run.json how an error ended the attempt, where that can be written; the error to be raised.

        Raises:
            Lost: another process has taken the trial over.
        """
        status: Status = "failed"
        outcome: Outcome = "error"
        reason = one_line(error)
        if isinstance(error, Diverged):
            outcome = "diverged"
        elif is_out_of_memory(error):
            alone = self.circumstances.alone
            status, outcome = "failed" if alone else "stopped", "out of memory"
            reason = f"out of memory with {ALONE if alone else SHARED} ({reason})"
            error = OutOfMemory(reason)
        elif is_full(error):
            status, outcome = "stopped", "stopped"
        self.learn(facts)
        try:
            self.end(status, outcome, reason)
            if status == "failed":
                self.folder.write_text("error.txt", traceback.format_exc())
        except Lost:
            raise
        except Exception as unwritten:  # a full disk, a store out of reach: told with the error that is raised
            error.add_note(f"run.json does not say so: {one_line(unwritten)}")
        return GivenUp(reason) if self.circumstances.exhausted(self.info.attempts) else error

    def _attempt(self, **changes: Any) -> None:
        *earlier, last = self.info.attempts
        self.info = replace(self.info, attempts=(*earlier, replace(last, **changes)))


def _fits_json(fact: object) -> bool:
    """Whether all numbers of a fact are finite: JSON has no others."""
    try:
        json.dumps(fact, allow_nan=False)
    except ValueError:
        return False
    return True


def one_line(error: BaseException) -> str:
    """An error as one line, its kind first."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:500]}" if text else type(error).__name__
