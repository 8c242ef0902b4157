"""Trials that count as done, or go on, although the code of their network has changed since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from rdun.plan.study_plan import Plan
from rdun.results import SearchRecord, Store

KEPT = ("complete", "resumable")


def code_warnings(plan: Plan, store: Store) -> list[str]:
    """A line for each kind of network whose code is not that by which trials of the plan were trained so far.

    A trial's identity is its settings and not the code, so that a change that computes the same trains nothing again.
    """
    return _warnings(((t.fingerprint, t.config.model.kind) for t in plan.trials if t.state in KEPT), store)


def search_code_warnings(record: SearchRecord, store: Store) -> list[str]:
    """The same of a search that goes on: by all of its trials so far, and of them the sampler learns."""
    folders = [store.trial(fingerprint) for fingerprint in dict.fromkeys(record.fingerprints())]
    begun = [folder for folder in folders if folder.exists("config.json")]
    return _warnings(((folder.name, folder.read_json("config.json")["model"]["kind"]) for folder in begun), store)


def _warnings(trained: Iterable[tuple[str, str]], store: Store) -> list[str]:
    """A line for each kind that other code has trained, of trials with the kind of their network."""
    from rdun.models import code_of

    others: dict[str, list[str]] = defaultdict(list)
    for fingerprint, kind in trained:
        run = store.trial(fingerprint).run()
        known = {attempt.code for attempt in run.attempts if attempt.code} if run else set()
        if known - {code_of(kind)}:
            others[kind].append(fingerprint)
    return [
        f"{len(prints)} of the trials that count as done or go on, such as {prints[0]}, were trained by other code of model.kind="
        f"{kind!r} than the present; where that computes something else, give it another kind, or name another --runs folder"
        for kind, prints in others.items()
    ]
