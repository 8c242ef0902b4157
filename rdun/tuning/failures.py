"""What Tune does when a trial's process fails: how it ended, and its share of the device for the next attempt."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ray.tune.schedulers import FIFOScheduler

from rdun.results import Outcome, Store, revoke
from rdun.study import Resources
from rdun.trial import Circumstances, doublings
from rdun.tuning.cluster import Capacity, trial_resources
from rdun.tuning.watch import Watch

Space = Mapping[str, Mapping[str, Any]]
Share = Callable[[Space], dict[str, float]]

IN_VAIN = 5
"""Times that the process of a trial may end before the trial has begun: no run.json counts those."""

SIGNS: dict[str, Outcome] = {
    "SIGTERM": "preempted",
    "its node has died": "preempted",
    "the node it was running on is dead": "preempted",
    "due to draining": "preempted",
    "low on memory": "out of memory",
    "OutOfMemoryError": "out of memory",
}
"""Words of Ray's error by which the end of a process is told from a kill."""


def share_of(wanted: Resources, capacity: Capacity, store: Store) -> Share:
    """What Tune reserves for a trial of a space: doubled each time that it ran out of memory, up to the whole device."""

    def share(space: Space) -> dict[str, float]:
        trial = space["trial"]
        run = store.trial(trial["fingerprint"]).run()
        settled = Circumstances(before=trial["before"]).settled(run) if run else None
        return trial_resources(wanted, capacity, doublings(settled), trial["gpus"])

    return share


class Restarts(FIFOScheduler):
    """Trials in order. One whose process failed is told how, and starts again with the share that it needs by now.

    Tune calls a scheduler between the failure and the next start, the only moment at which resources may be changed. What failed
    may be a whole node, whose trials' directories nobody releases any more: that is done here too.

    Attributes:
        share: what a trial reserves.
        store: of the trial directories.
        run: names this run in their leases.
        watch: ends the run. All four are set before the run.
    """

    share: Share
    store: Store
    run: str
    watch: Watch

    def __init__(self) -> None:
        super().__init__()
        self.kills = out_of_memory_kills()
        self.begun, self.vain = Counter[str](), Counter[str]()

    def on_trial_error(self, controller: Any, trial: Any) -> None:
        kills = out_of_memory_kills()
        text = Path(trial.error_file).read_text() if trial.error_file else ""
        before = "out of memory" if kills > self.kills else how_it_ended(text)
        self.kills = kills
        fingerprint = trial.config["trial"]["fingerprint"]
        with contextlib.suppress(OSError):  # else the lease expires
            revoke(self.store.trial(fingerprint), self.run)
        trial.config["trial"]["before"] = before
        trial.update_resources(self.share(trial.config))
        if before != "preempted":
            self._end_if_in_vain(fingerprint, text)

    def _end_if_in_vain(self, fingerprint: str, errors: str) -> None:
        """Ends the run where a trial's processes end again and again before they have noted an attempt."""
        run = self.store.trial(fingerprint).run()
        begun = len(run.attempts) if run else 0
        self.vain[fingerprint] = 0 if begun > self.begun[fingerprint] else self.vain[fingerprint] + 1
        self.begun[fingerprint] = begun
        if self.vain[fingerprint] >= IN_VAIN:
            lines = [line.strip() for line in errors.splitlines() if "Error" in line] or ["no error is known"]
            last = lines[-1][:200]
            self.watch.reason = (
                f"the process of trial {fingerprint} ended {IN_VAIN} times before training began ({last})"
            )


def how_it_ended(errors: str) -> Outcome:
    """The end of a process by the last of Tune's notes of a trial's failures."""
    last = errors.rsplit("Failure # ", 1)[-1]
    return next((outcome for words, outcome in SIGNS.items() if words in last), "died")


def out_of_memory_kills() -> int:
    """Processes that the kernel of this machine has killed for memory since it started; 0 where it does not say."""
    counters = Path("/proc/vmstat")
    lines = counters.read_text().splitlines() if counters.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
