"""What Tune does when a trial's process fails: how it ended, and its share of the device for the next attempt."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ray.tune.schedulers import FIFOScheduler

from rdun.results import Outcome, Store, revoke
from rdun.study import Resources
from rdun.trial import Circumstances, doublings
from rdun.tuning.cluster import Capacity, trial_resources

Space = Mapping[str, Mapping[str, Any]]
Share = Callable[[Space], dict[str, float]]

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
        run: names this run in their leases. All three are set before the run.
    """

    share: Share
    store: Store
    run: str

    def __init__(self) -> None:
        super().__init__()
        self.kills = out_of_memory_kills()

    def on_trial_error(self, controller: Any, trial: Any) -> None:
        kills = out_of_memory_kills()
        text = Path(trial.error_file).read_text() if trial.error_file else ""
        before = "out of memory" if kills > self.kills else how_it_ended(text)
        self.kills = kills
        with contextlib.suppress(OSError):  # else the lease expires
            revoke(self.store.trial(trial.config["trial"]["fingerprint"]), self.run)
        trial.config["trial"]["before"] = before
        trial.update_resources(self.share(trial.config))


def how_it_ended(errors: str) -> Outcome:
    """The end of a process by the last of Tune's notes of a trial's failures."""
    last = errors.rsplit("Failure # ", 1)[-1]
    return next((outcome for words, outcome in SIGNS.items() if words in last), "died")


def out_of_memory_kills() -> int:
    """Processes that the kernel of this machine has killed for memory since it started; 0 where it does not say."""
    counters = Path("/proc/vmstat")
    lines = counters.read_text().splitlines() if counters.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
