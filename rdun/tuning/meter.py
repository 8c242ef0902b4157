"""Hours of the device that the trials of a run hold; a run ends when they reach its budget."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from ray import tune

from rdun.tuning.watch import Watch


class Meter(tune.Callback):
    """Counts while Tune goes its rounds.

    Args:
        unit: "GPU-hours" or "core-hours".
        budget: hours after which nothing goes on; None: no end.
        tell: is given the hours so far, and their unit.
    """

    def __init__(self, unit: str, budget: float | None, watch: Watch, tell: Callable[[float, str], None]) -> None:
        self.unit, self.budget, self.watch, self.tell = unit, budget, watch, tell
        self.resource = "GPU" if unit == "GPU-hours" else "CPU"
        self.hours, self.last = 0.0, time.monotonic()

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks for a restore, which is not used here

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        with contextlib.suppress(Exception):  # Tune ends the whole study when a callback raises
            held = sum(
                trial.placement_group_factory.required_resources.get(self.resource, 0.0)
                for trial in trials
                if trial.status == "RUNNING"
            )
            now = time.monotonic()
            self.hours, self.last = self.hours + held * (now - self.last) / 3600, now
            self.tell(self.hours, self.unit)
            if self.budget is not None and self.hours >= self.budget and not self.watch.reason:
                self.watch.reason = (
                    f"budget={self.budget:g} {self.unit} is used up; a higher --budget goes on from the checkpoints"
                )
