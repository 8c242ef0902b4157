"""Trials that count as done, or go on, although the code of their network has changed since."""

from __future__ import annotations

from collections import defaultdict

from rdun.plan.study_plan import Plan
from rdun.results import Store

KEPT = ("complete", "resumable")


def code_warnings(plan: Plan, store: Store) -> list[str]:
    """A line for each kind of network whose code is not that by which trials of the plan were trained so far.

    A trial's identity is its settings and not the code, so that a change that computes the same trains nothing again.
    """
    from rdun.models import code_of

    others: dict[str, list[str]] = defaultdict(list)
    for trial in plan.trials:
        run = store.trial(trial.fingerprint).run() if trial.state in KEPT else None
        known = {attempt.code for attempt in run.attempts if attempt.code} if run else set()
        if known - {code_of(trial.config.model.kind)}:
            others[trial.config.model.kind].append(trial.fingerprint)
    return [
        f"{len(prints)} of the trials that count as done or go on, such as {prints[0]}, were trained by other code of model.kind="
        f"{kind!r} than the present; where that computes something else, give it another kind, or name another --runs folder"
        for kind, prints in others.items()
    ]
