"""One reading of a trial directory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from rdun.results import EpochRecord, RunInfo, Score, SystemSample, Timing, TrialDirectory, milliseconds

TEXTS = ("config.json", "run.json", "epochs.csv", "scores.csv", "traces.csv", "timing.csv", "system.csv", "error.txt")
"""Files of a trial that are copied as they are, besides its reconstructions."""


class Unreadable(Exception):
    """A trial directory does not give what it should hold; the tracker has nothing to do with it."""


@dataclass(frozen=True, kw_only=True)
class TrialFiles:
    """What a trial directory held at one moment; scores and timings of complete trials only, before that they may change."""

    run: RunInfo
    config: dict[str, Any]
    epochs: tuple[EpochRecord, ...]
    system: tuple[SystemSample, ...]
    scores: tuple[Score, ...]
    timings: tuple[Timing, ...]

    @property
    def digest(self) -> str:
        """Equal for equal content."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    @property
    def started(self) -> int:
        """Start of the first attempt, milliseconds since 1970."""
        times = [milliseconds(a.started) for a in self.run.attempts] + [e.timestamp for e in self.epochs]
        return min(times, default=0)

    @property
    def ended(self) -> int:
        """End of the last attempt, or of the last epoch where it was cut off; milliseconds since 1970."""
        last = [milliseconds(a.ended) for a in self.run.attempts[-1:] if a.ended]
        return max([*last, *(e.timestamp for e in self.epochs), self.started])


def read_trial(folder: TrialDirectory, run: RunInfo) -> TrialFiles:
    """The rest of a trial directory whose run.json has just been read: what is newer than it belongs to it too."""
    complete = run.status == "complete"
    return TrialFiles(
        run=run,
        config=folder.read_json("config.json"),
        epochs=tuple(folder.epochs()),
        system=tuple(folder.system()),
        scores=tuple(folder.scores()) if complete else (),
        timings=tuple(folder.timings()) if complete else (),
    )


def attachments(folder: TrialDirectory) -> dict[str, bytes]:
    """Tables, configuration and reconstructions of a trial, by name. Raises Unreadable."""
    where = f"{folder.path}/reconstructions"
    try:
        names = [name for name in TEXTS if folder.exists(name)]
        if folder.fs.exists(where):
            names += [str(p)[len(folder.path) + 1 :] for p in sorted(folder.fs.find(where)) if p.endswith(".png")]
        return {name: folder.read(name) for name in names}
    except OSError as error:
        raise Unreadable(str(error)) from error
