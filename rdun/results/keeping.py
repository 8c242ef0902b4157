"""Which weights stay after a run, and what the trial directories take of the disk."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Literal

from rdun.results.directory import Store, TrialDirectory
from rdun.results.lease import Busy, Lease

Keep = Literal["all", "best", "none"]
"""All weights; the best weights of the best trial of each group; or none. Records, scores and pictures always stay."""

BEST, LAST, CHECKPOINT = "best.safetensors", "last.safetensors", "checkpoint.pt"


def winners(groups: Iterable[Sequence[str]], store: Store) -> set[str]:
    """The complete trial with the highest validation PSNR of each group; groups without one have none."""
    found = set()
    for group in groups:
        reached = {fingerprint: _quality(store.trial(fingerprint)) for fingerprint in group}
        if known := {fingerprint: value for fingerprint, value in reached.items() if value is not None}:
            found.add(max(known, key=lambda fingerprint: known[fingerprint]))
    return found


def remove_weights(fingerprints: Iterable[str], store: Store, keep: Keep, best: set[str]) -> int:
    """Removes what `keep` does not name of trials that are over: complete, or diverged. Returns the bytes removed.

    A trial that can go on keeps its checkpoint, also one that failed otherwise: it is tried again. A second call finds nothing.
    """
    if keep == "all":
        return 0
    removed = 0
    for fingerprint in fingerprints:
        folder = store.trial(fingerprint)
        run = folder.run()
        if run is None or not (run.status == "complete" or run.diverged):
            continue
        chosen = keep == "best" and fingerprint in best
        removed += sum(_removed(folder, name) for name in ((LAST, CHECKPOINT) if chosen else (BEST, LAST, CHECKPOINT)))
    return removed


def remove_checkpoints(fingerprints: Iterable[str], store: Store) -> int:
    """Removes the checkpoints of trials that a search has stopped early; who wants one of them trains it from its beginning.

    One that somebody goes on with keeps its own. Returns the bytes removed.
    """
    removed = 0
    for fingerprint in fingerprints:
        folder = store.trial(fingerprint)
        if folder.exists(CHECKPOINT):
            with contextlib.suppress(Busy), Lease(folder):
                run = folder.run()
                removed += _removed(folder, CHECKPOINT) if run and run.stopped_early else 0
    return removed


def space_used(fingerprints: Iterable[str], store: Store) -> int:
    """Bytes in the trial directories."""
    folders = (store.trial(fingerprint) for fingerprint in fingerprints)
    return sum(int(folder.fs.du(folder.path)) for folder in folders if folder.exists())


def _removed(folder: TrialDirectory, name: str) -> int:
    if not folder.exists(name):
        return 0
    size = int(folder.fs.size(f"{folder.path}/{name}"))
    folder.remove(name)
    return size


def _quality(folder: TrialDirectory) -> float | None:
    run = folder.run()
    epochs = folder.epochs()
    complete = run is not None and run.status == "complete"
    return max((epoch.validation_psnr for epoch in epochs), default=None) if complete else None
