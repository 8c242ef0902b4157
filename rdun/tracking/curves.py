"""The curves of a run that stands for several seeds: means over them, sent once."""

from __future__ import annotations

from collections.abc import Sequence

from rdun.config import digest
from rdun.tracking import view
from rdun.tracking.client import Run
from rdun.tracking.runs import Runs
from rdun.tracking.trials import Trials

AVERAGED, UNDERWAY = "rdun.averaged", " (underway)"
"""Tag: digest of the trials that the curves are means of; marked as underway until all points have arrived."""


def copy_curves(runs: Runs, run: Run, cells: Sequence[Sequence[str]], trials: Trials) -> Run:
    """Sends the mean curves over complete cells, unless the run has them.

    A tracker forgets no point, and two at one step are a zigzag: where the run has curves over other trials, a new run takes its
    place.

    Args:
        cells: fingerprints of each seed's trials.

    Returns:
        The run, or the new one.
    """
    content = digest(sorted([trials.digests[fingerprint] for fingerprint in cell] for cell in cells)) if cells else ""
    held = run.tags.get(AVERAGED, "")
    if held == content:
        return run
    if held.removesuffix(UNDERWAY) not in ("", content):
        run = runs.again(run, run.started)
    if cells:
        rows = view.mean_curves([[trials.store.trial(fingerprint).epochs() for fingerprint in c] for c in cells])
        runs.tracker.describe(run, {}, {AVERAGED: content + UNDERWAY})
        runs.tracker.log(run, rows)
        runs.tracker.describe(run, {}, {AVERAGED: content})
    return run
