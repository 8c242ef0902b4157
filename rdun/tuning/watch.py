"""An eye on a run as a whole: whether any trial can go on."""

from __future__ import annotations

import time
from typing import Any

import ray
from ray import tune

from rdun.cli import interruption

PERIOD = 2.0
"""Seconds between two looks at the cluster."""


class Halted(RuntimeError):
    """No trial can go on. What is finished is kept, and the same command goes on once the cause is gone."""


class Watch(tune.Stopper):
    """Ends the Tuner when no trial can go on: Tune itself would wait for a lost node for ever.

    Attributes:
        reason: why; empty while all is well.
    """

    def __init__(self) -> None:
        self.reason, self._looked = "", time.monotonic()

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        """Raises Halted where there is no node left: stopping the trials would wait for their processes.

        Raises KeyboardInterrupt once more where the first one was lost.
        """
        if interruption.is_set():
            raise KeyboardInterrupt
        if not self.reason and time.monotonic() > self._looked + PERIOD:
            self._looked = time.monotonic()
            if not any(node["Alive"] for node in ray.nodes()):
                self.reason = "the cluster lost its node (its raylet has ended)"
                raise Halted(self.reason)
        return bool(self.reason)
